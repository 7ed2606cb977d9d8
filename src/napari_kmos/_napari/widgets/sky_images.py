"""Images of a field before and after its sky was subtracted, as they lie on the canvas."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.utils.colormaps import ensure_colormap
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QCheckBox, QGridLayout, QLabel, QSizePolicy, QWidget

from napari_kmos._napari.frames import Frame
from napari_kmos.sky import SkyResult
from napari_kmos.spatial.fields import centre_of

_LEAST_SIDE = 40
_PERCENTILES = (2.0, 99.5)
#: What is left on the lines is shown from none to so many times the noise.
_MOST_NOISE = 4.0
_PAIRS = (
    ("white", "Light", "Median over the wavelengths of object minus sky as it is, and minus the model; one scale"),
    ("left", "Left on\nsky lines\n/ noise", "1 (violet) is noise alone, 4 is yellow; features of stars count as well"),
)
_TIMES = ("before", "after")


class Picture(QLabel):
    """An image, as large as there is room."""

    def __init__(self) -> None:
        super().__init__()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setMinimumSize(_LEAST_SIDE, _LEAST_SIDE)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)  # it follows the room, not the image
        self._whole = QPixmap()

    def show_image(self, whole: QPixmap) -> None:
        """Show an image, a pixel of it a spaxel; one without pixels is none."""
        self._whole = whole
        self._fit()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Take the room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        how = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.FastTransformation
        self.setPixmap(self._whole if self._whole.isNull() else self._whole.scaled(self.size(), *how))


class SkyPictures(QWidget):
    """Before and after: the light of all wavelengths, and what is left on the sky lines."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 2, 0, 2)
        grid.setSpacing(2)
        self.images: dict[str, Picture] = {}
        for column, when in enumerate(_TIMES, start=1):
            grid.addWidget(_label(when), 0, column)
            grid.setColumnStretch(column, 1)
        for row, (kind, title, tip) in enumerate(_PAIRS, start=1):
            grid.addWidget(_label(title, tip), row, 0)
            grid.setRowStretch(row, 1)
            for column, when in enumerate(_TIMES, start=1):
                image = self.images[f"{kind}_{when}"] = Picture()
                image.setToolTip(tip)
                grid.addWidget(image, row, column)
        self.medians = {when: _label("", _PAIRS[-1][-1]) for when in _TIMES}
        for column, label in enumerate(self.medians.values(), start=1):
            grid.addWidget(label, len(_PAIRS) + 1, column)
        self.on_canvas = QCheckBox("On the canvas, too")
        self.on_canvas.setToolTip("Show the field before and after over its cube; hide the upper one to compare")
        grid.addWidget(self.on_canvas, len(_PAIRS) + 2, 0, 1, len(_TIMES) + 1)

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
            self.images[name].show_image(_pixmap(turned(image, matrix), limits[name.partition("_")[0]]))
        for when, label in self.medians.items():
            left = images[f"left_{when}"]
            label.setText(f"median {np.nanmedian(left):.2f}" if np.isfinite(left).any() else "")

    def clear(self) -> None:
        """Show nothing."""
        for image in self.images.values():
            image.show_image(QPixmap())
        for label in self.medians.values():
            label.clear()


def turned(image: NDArray[np.float64], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an image turned by whole quarters, and mirrored, to lie as a matrix draws it, rows down, columns right."""
    rows, columns = np.abs(matrix[0, :2])
    if columns > rows:
        image, matrix = image.T, matrix[:, [1, 0, 2]]
    return image[:: 1 if matrix[0, 0] > 0 else -1, :: 1 if matrix[1, 1] > 0 else -1]


def _label(text: str, tip: str = "") -> QLabel:
    label = QLabel(text)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setToolTip(tip)
    return label


def _pixmap(image: NDArray[np.float64], limits: tuple[float, float]) -> QPixmap:
    """Return an image in colours, a pixel a spaxel, no data transparent."""
    low, high = limits
    shares = np.clip((image - low) / max(high - low, np.finfo(float).tiny), 0, 1)
    colours = (255 * ensure_colormap("inferno").map(np.nan_to_num(shares).ravel())).astype(np.uint8)
    colours = np.ascontiguousarray(colours.reshape(*image.shape, 4))
    colours[~np.isfinite(image), 3] = 0
    height, width = image.shape
    return QPixmap.fromImage(QImage(colours.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy())
