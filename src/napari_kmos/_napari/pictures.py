"""Two images over each other, as layers of their own: in which colours, at which contrast, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari.layers import Layer
from napari.utils.colormaps import Colormap
from numpy.typing import NDArray

from napari_kmos._napari.frames import AXIS_LABELS, UNITS, Frame
from napari_kmos._napari.layers import add_image, contrast_limits
from napari_kmos._napari.pair_images import PairImages
from napari_kmos.align.images import cut_near
from napari_kmos.align.score import Score
from napari_kmos.cube import Image

PLAIN, COLOURS, BLINK, DIFFERENCE, BESIDE = MODES = ("plain", "red/cyan", "blink", "difference", "side by side")
#: Of the reference and the moving image: where they agree they are white.
PAIR_COLOURS = ("red", "cyan")
#: In the metadata of a layer: which picture it is.
KEY = "kmos_picture"
#: Of the range of the moving image, what a difference may be before its colour is full.
_DIFFERENCE_SHARE = 0.25
#: Of the reference, beside the moving image; and about the pair.
_MARGIN_ARCSEC, _ROOM_ARCSEC = 0.5, 0.4
_GAP = 1.0
#: The colours of a difference are those of the pair: red where the reference is brighter, cyan where the moving one is.
_DIVERGING = Colormap([[1, 0.25, 0.2, 1], [0, 0, 0, 1], [0, 1, 1, 1]], name="red-cyan difference")
_GREY = "gray"
#: Faint stars are to be seen beside bright ones.
_GAMMA = 0.7


Box: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]


class Pictures:
    """The layers of a pair in one of the modes; the moving one can be put anywhere, and the contrast of both changed.

    Parameters
    ----------
    viewer : ViewerModel
        Gets the layers, over the cubes and below points; the active layer stays active.
    images : PairImages
        What is shown.
    frame : Frame
        Where the sky is on the canvas.
    mode : str
        One of `MODES` but the plain one.

    Attributes
    ----------
    reference, moving : Image layer
        The pictures; without a reference the first is None.
    below : Image, optional
        What the reference shows.
    """

    def __init__(self, viewer: ViewerModel, images: PairImages, frame: Frame, mode: str) -> None:
        self.mode = mode
        self._viewer, self._images = viewer, images
        self._frame: Frame | None = None
        self.below = images.reference
        if images.reference is not None and mode == BESIDE:
            self.below = cut_near(images.reference, images.moving, reach_arcsec=_MARGIN_ARCSEC)
        self.moving = self._add(images.moving, "moving")  # the next one is put below it
        self.reference = None if self.below is None else self._add(self.below, "reference")
        self._colour()
        self.move_to(frame, 0.0, 0.0)

    @property
    def layers(self) -> tuple[ImageLayer, ...]:
        """Reference, if there is one, and moving."""
        return (self.moving,) if self.reference is None else (self.reference, self.moving)

    def move_to(self, frame: Frame, east: float, north: float) -> None:
        """Put the moving image at an offset, and the reference beside it or below it."""
        _place(self.moving, self._images.moving, frame, (east, north))
        if self.reference is not None and frame != self._frame:
            _place(self.reference, self.below, frame, (0.0, 0.0))
            if self.mode == BESIDE:
                low, high = box_of([self.reference])
                _place(self.reference, self.below, frame, (_GAP * (high - low)[1], 0.0))
        self._frame = frame

    def match(self, scale: Score) -> None:
        """Show the same flux in the same brightness, by the gain and background of a score."""
        if self.reference is None or self.mode == DIFFERENCE or not scale.gain > 0:
            return
        low, high = self.moving.contrast_limits
        self.reference.contrast_limits = (low - scale.background) / scale.gain, (high - scale.background) / scale.gain

    def show_difference(self, data: NDArray[np.float64]) -> None:
        """Show a difference in place of the moving image."""
        self.moving.data = data

    def blink(self) -> None:
        """Show the other one of the two; the layer stays visible, so that it can be dragged all the time."""
        self.moving.opacity = 1.0 - self.moving.opacity

    def box(self) -> Box:
        """Return the part of the canvas that shows the pair."""
        return box_of(self.layers if self.mode == BESIDE else [self.moving])

    def remove(self) -> None:
        """Take the layers away."""
        for layer in self.layers:
            if layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _add(self, image: Image, what: str) -> ImageLayer:
        layer = ImageLayer(
            np.array(image.data, dtype=np.float32),
            name=f"{what}: {image.name or 'image'}",
            units=UNITS[1:],
            axis_labels=AXIS_LABELS[1:],
            colormap=_GREY,
            gamma=_GAMMA,
            metadata={KEY: what},
        )
        selection = self._viewer.layers.selection
        active = selection.active
        add_image(self._viewer, layer)
        selection.active = active
        return layer

    def _colour(self) -> None:
        """Give the layers the colours and the contrast of the mode."""
        low, high = contrast_limits(self._images.moving.data)
        self.moving.contrast_limits = low, high
        if self.reference is None:
            return
        self.reference.contrast_limits = contrast_limits(self.below.data)
        if self.mode == COLOURS:
            self.reference.colormap, self.moving.colormap = PAIR_COLOURS
            self.moving.blending = "additive"
        elif self.mode == DIFFERENCE:
            self.reference.visible = False
            self.moving.gamma = 1.0
            reach = _DIFFERENCE_SHARE * (high - low)
            self.moving.contrast_limits = -reach, reach
            self.moving.colormap = _DIVERGING
            self.moving.data = np.full(self.moving.data.shape, np.nan, dtype=np.float32)


def _place(layer: ImageLayer, image: Image, frame: Frame, offset: tuple[float, float]) -> None:
    """Draw an image where its WCS and an offset (east, north) say."""
    n_y, n_x = image.data.shape
    scale, matrix = frame.transform((image.wcs, (n_y, n_x)))
    matrix[:2, 2] += -offset[1], -offset[0]
    layer.scale = (scale, scale)
    layer.affine = matrix


def box_of(layers: Sequence[Layer]) -> Box:
    """Return the low and high corners (y, x), in arcsec on the canvas, of layers with some room about them."""
    corners = []
    for layer in layers:
        n_y, n_x = layer.data.shape[-2:]
        edges = [(y, x) for y in (-0.5, n_y - 0.5) for x in (-0.5, n_x - 0.5)]
        corners += [layer.data_to_world((*[0.0] * (layer.ndim - 2), *edge))[-2:] for edge in edges]
    return np.min(corners, axis=0) - _ROOM_ARCSEC, np.max(corners, axis=0) + _ROOM_ARCSEC
