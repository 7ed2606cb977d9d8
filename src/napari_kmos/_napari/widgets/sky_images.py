"""Small images of a field before and after its sky was subtracted, as they lie on the canvas."""

from __future__ import annotations

import numpy as np
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_kmos._napari.frames import Frame
from napari_kmos.sky import SkyResult
from napari_kmos.spatial.fields import centre_of

_SIDE = 84
_PERCENTILES = (2.0, 99.5)
#: What is left on the lines is shown from none to so many times the noise.
_MOST_NOISE = 4.0
_PAIRS = (
    ("white", "Light", "Median over the wavelengths of object minus sky as it is, and minus the model; one scale"),
    ("left", "Left on sky lines / noise", "1 (violet) is noise alone, 4 is yellow; features of stars count as well"),
)
_TIMES = ("before", "after")


class SkyThumbnails(QWidget):
    """Before and after: the light of all wavelengths, and what is left on the sky lines."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        self.images: dict[str, QLabel] = {}
        self.captions: dict[str, QLabel] = {}
        for number, (kind, title, tip) in enumerate(_PAIRS):
            grid.addWidget(_label(title, tip), 0, 2 * number, 1, 2)
            for column, when in enumerate(_TIMES, start=2 * number):
                name = f"{kind}_{when}"
                self.images[name], self.captions[name] = _label("", tip), _label(when, tip)
                self.images[name].setFixedHeight(_SIDE)
                grid.addWidget(self.images[name], 1, column)
                grid.addWidget(self.captions[name], 2, column)

    def show_result(self, result: SkyResult) -> None:
        """Show the images of a result, each pair on one scale, turned as the canvas shows them."""
        cube = result.cube
        _, matrix = Frame(*centre_of((cube.wcs, cube.shape[1:]))).transform((cube.wcs, cube.shape[1:]))
        images = {name: getattr(result.images, name) for name in self.images}
        white = np.concatenate([images[f"white_{when}"].ravel() for when in _TIMES])
        known = white[np.isfinite(white)]
        limits = {"white": tuple(np.percentile(known, _PERCENTILES)) if known.size else (0.0, 1.0)}
        limits["left"] = (0.0, _MOST_NOISE)
        for name, image in images.items():
            kind, _, when = name.partition("_")
            self.images[name].setPixmap(_pixmap(turned(image, matrix), limits[kind]))
            if kind == "left" and np.isfinite(image).any():
                self.captions[name].setText(f"{when}: {np.nanmedian(image):.2f}")

    def clear(self) -> None:
        """Show nothing."""
        for name, image in self.images.items():
            image.setPixmap(QPixmap())
            self.captions[name].setText(name.partition("_")[2])


def turned(image: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an image turned by whole quarters, and mirrored, to lie as a matrix draws it, rows down, columns right."""
    rows, columns = np.abs(matrix[0, :2])
    if columns > rows:
        image, matrix = image.T, matrix[:, [1, 0, 2]]
    return image[:: 1 if matrix[0, 0] > 0 else -1, :: 1 if matrix[1, 1] > 0 else -1]


def _label(text: str, tip: str) -> QLabel:
    label = QLabel(text)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setToolTip(tip)
    return label


def _pixmap(image: NDArray[np.float64], limits: tuple[float, float]) -> QPixmap:
    """Return an image in colours, as high as there is room, no data transparent."""
    low, high = limits
    shares = np.clip((image - low) / max(high - low, np.finfo(float).tiny), 0, 1)
    colours = (255 * ensure_colormap("inferno").map(np.nan_to_num(shares).ravel())).astype(np.uint8)
    colours = np.ascontiguousarray(colours.reshape(*image.shape, 4))
    colours[~np.isfinite(image), 3] = 0
    height, width = image.shape
    picture = QImage(colours.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
    return QPixmap.fromImage(picture).scaled(
        _SIDE, _SIDE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
    )
