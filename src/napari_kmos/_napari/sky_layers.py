"""What the preview of the sky subtraction puts over the cubes: images before and after, and the stars of the sky."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels, Layer
from napari.utils.colormaps import CyclicLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_kmos._napari.composite import Home
from napari_kmos._napari.following import Follower
from napari_kmos._napari.frames import AXIS_LABELS, UNITS
from napari_kmos._napari.layers import contrast_limits, cube_layers, embedded, kmos_layers, kmos_of
from napari_kmos._napari.line_maps import add_derived, replace_image
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.shown import CompositeLayer, KmosLayer
from napari_kmos.cube import Image
from napari_kmos.sky import SkyResult

#: In the metadata of a layer: that it is one of these, and which.
PREVIEW, MASK = "kmos_sky_preview", "kmos_sky_mask"
BEFORE, AFTER = "sky as it is subtracted", "sky model subtracted"
STAR = 1
_COLOUR = (1.0, 0.25, 0.85, 1.0)
_OPACITY = 0.55

Shown = tuple[Layer, KmosLayer]


def shown_cube(viewer: ViewerModel, path: Path, ifu: int | None) -> Shown | None:
    """Return the layer that shows an IFU of a file, and the cube in it."""
    for layer in reversed(cube_layers(viewer)):
        for part in kmos_of(layer).parts:
            if part.path is not None and part.path.resolve() == path.resolve() and part.ifu == ifu:
                return layer, part
    return None


def show_images(viewer: ViewerModel, over: Shown, result: SkyResult) -> None:
    """Show a field before and after over its cube, in place of those shown before, on the same scale."""
    source, part = over
    layers = {layer.metadata[PREVIEW]: layer for layer in image_layers(viewer)}
    if any(kmos_of(layer).identity != part.identity for layer in layers.values()):
        hide_images(viewer)
        layers = {}
    active = viewer.layers.selection.active
    arrays = {BEFORE: result.images.white_before, AFTER: result.images.white_after}
    for name, data in arrays.items():
        facts = {"wcs": part.cube.wcs, "unit": part.cube.unit, "name": part.cube.name, "ifu": part.cube.ifu}
        image = Image(data=data, **facts)
        if name not in layers:
            layers[name] = add_derived(viewer, source, part, image, f"{part.cube.label}: {name}")
            layers[name].metadata = {**layers[name].metadata, PREVIEW: name}
        replace_image(layers[name], image)
        layers[name].contrast_limits = contrast_limits(np.stack(list(arrays.values())))
    viewer.layers.selection.active = active


def hide_images(viewer: ViewerModel) -> None:
    """Remove the images."""
    for layer in image_layers(viewer):
        viewer.layers.remove(layer)


def image_layers(viewer: ViewerModel) -> list[Layer]:
    """Return the layers of the images, that before first."""
    return [layer for layer in kmos_layers(viewer) if PREVIEW in layer.metadata]


class MaskLayer(QObject):
    """The stars of a sky cube as labels over it, to be painted on.

    Parameters
    ----------
    viewer : ViewerModel
        Gets the layer.
    """

    #: The mask was painted on: image of bool, True = sky.
    painted = Signal(object)
    #: The layer was removed by the user.
    removed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.viewer = viewer
        self.layer: Labels | None = None
        self._over: Shown | None = None
        self._known: NDArray[np.bool_] | None = None
        self._follower = Follower(viewer, self._place)

    def show(self, over: Shown, sky_mask: NDArray[np.bool_]) -> None:
        """Show a mask over its sky cube, ready to be painted on; does not tell."""
        self._known = sky_mask.copy()
        stars = np.where(sky_mask, 0, STAR).astype(np.uint8)
        if self._over is not None and (self._over[0], self._over[1].identity) == (over[0], over[1].identity):
            if not np.array_equal(self.layer.data, stars):
                self.layer.data = stars
            return
        self.hide()
        self._over = over
        self.layer = _labels(stars, over[1])
        self._place(self.viewer)
        self.viewer.add_layer(self.layer)
        self.layer.mode = "paint"
        self._follower.follow()
        for event in _events(self.layer):
            event.connect(self._on_changed)
        self.viewer.layers.events.removed.connect(self._on_removed)

    def hide(self) -> None:
        """Remove the layer; does not tell."""
        layer = self._forget()
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)

    def _forget(self) -> Labels | None:
        """Listen no more."""
        layer, self.layer, self._over = self.layer, None, None
        if layer is not None:
            self._follower.follow(on=False)
            self.viewer.layers.events.removed.disconnect(self._on_removed)
            for event in _events(layer):
                event.disconnect(self._on_changed)
        return layer

    def _place(self, _viewer: ViewerModel) -> bool:
        """Lay the labels over their cube, wherever that was moved."""
        if self.layer is None or self._over is None:
            return False
        source, part = self._over
        east, north = offset_of(source)
        scale, matrix = _drawn_at(kmos_of(source), part)
        matrix[:2, 2] += -north, -east
        self.layer.scale, self.layer.affine = (scale, scale), embedded(matrix, 2)
        return True

    def _on_changed(self, _event: object) -> None:
        mask = np.asarray(self.layer.data) == 0
        if not np.array_equal(mask, self._known):
            self._known = mask
            self.painted.emit(mask)

    def _on_removed(self, event: object) -> None:
        if event.value is self.layer:
            self._forget()
            self.removed.emit()


def _drawn_at(whole: KmosLayer, part: KmosLayer) -> Home:
    """Return how a cube is drawn: by itself, or at the spaxels of the grid of its exposure."""
    index = next(index for index, one in enumerate(whole.parts) if one.identity == part.identity)
    scale, matrix = whole.home()
    if isinstance(whole, CompositeLayer):
        matrix[:2, 2] += matrix[:2, :2] @ np.multiply(whole.grid.origins[index], scale)
    return scale, matrix


def _events(layer: Labels) -> tuple:
    """Return what tells of a change: by brush or bucket, or undone."""
    return layer.events.paint, layer.events.labels_update, layer.events.set_data


def _labels(stars: NDArray[np.uint8], part: KmosLayer) -> Labels:
    """Make the layer; what is painted, with whatever label, is a star."""
    layer = Labels(
        stars,
        name=f"{part.cube.label}: stars of the sky",
        colormap=CyclicLabelColormap(colors=[_COLOUR, _COLOUR]),  # a direct one is compiled first, for seconds
        opacity=_OPACITY,
        units=UNITS[1:],
        axis_labels=AXIS_LABELS[1:],
        metadata={MASK: True},
    )
    layer.selected_label = STAR
    layer.brush_size = 1
    return layer
