"""Where a layer stands against where its header puts it: the offset, read from the layer and written to it.

An offset is the correction to add to the header WCS, (east, north) in arcsec; the canvas counts (south, west).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import ArrayLike

from napari_kmos._napari.composite import Composite
from napari_kmos._napari.frames import SHEET, SKY
from napari_kmos._napari.layers import KEY, cube_layers, embedded, kmos_layers, kmos_of
from napari_kmos.errors import KmosWarning

_LINEAR_TOLERANCE = 1e-6
_SAME = 1e-12
_MOVED_ARCSEC, _SAME_ARCSEC = 0.01, 1e-4


def offset_of(layer: Layer) -> tuple[float, float]:
    """Return how far (east, north) in arcsec a layer was moved from where its header puts it."""
    shown = kmos_of(layer)
    centre = (np.array(shown.shape) - 1) / 2
    here = np.array(layer.data_to_world((*[0.0] * (layer.ndim - 2), *centre))[-2:])
    scale, matrix = shown.home()
    home = (matrix @ (*centre * scale, 1.0))[:2]
    south, west = here - home
    return -float(west), -float(south)


def move_to(layer: Layer, east: float, north: float, rotation_deg: float | None = None) -> None:
    """Move a layer by a correction from where its header puts it, and undo any other change of its position.

    It keeps the rotation of its offset if no other is given.
    Only the last change is told: whoever listens sees the layer where it shall be, not on the way there.
    """
    if rotation_deg is not None and rotation_deg != kmos_of(layer).rotation_deg:
        shown = dataclasses.replace(kmos_of(layer), rotation_deg=rotation_deg)
        layer.metadata = {**layer.metadata, KEY: shown}
    scale, matrix = kmos_of(layer).home()
    matrix[:2, 2] += -north, -east
    plain = {
        "scale": (1.0, scale, scale)[-layer.ndim :],
        "translate": np.zeros(layer.ndim),
        "rotate": np.eye(layer.ndim),
        "shear": np.zeros(layer.ndim * (layer.ndim - 1) // 2),
    }
    for name, value in plain.items():
        if not np.allclose(getattr(layer, name), value, rtol=0, atol=_SAME):
            with getattr(layer.events, name).blocker():
                setattr(layer, name, value)
    layer.affine = embedded(matrix, layer.ndim)


def stands_at(layer: Layer, place: ArrayLike, rotation_deg: float) -> bool:
    """Tell whether a layer stands at an offset, (east, north) in arcsec, with its rotation."""
    is_there = np.allclose(offset_of(layer), place, rtol=0, atol=_SAME_ARCSEC)
    return bool(is_there and kmos_of(layer).rotation_deg == rotation_deg)


def is_only_moved(layer: Layer) -> bool:
    """Tell whether a layer is neither turned, stretched nor sheared against its header and its offset."""
    scale, home = kmos_of(layer).home()
    expected = np.eye(layer.ndim)
    expected[-2:, -2:] = home[:2, :2] * scale
    corners = np.vstack([np.zeros(layer.ndim), np.eye(layer.ndim)])
    origin, *steps = (np.array(layer.data_to_world(corner)) for corner in corners)
    found = np.stack([step - origin for step in steps], axis=1)
    return bool(np.allclose(found, expected, atol=_LINEAR_TOLERANCE))


def companions(viewer: ViewerModel, layer: Layer) -> list[Layer]:
    """Return the layers that show the same IFU of the same file, the given one included."""
    return [other for other in kmos_layers(viewer) if kmos_of(other).identity == kmos_of(layer).identity]


def warn_of_moved(viewer: ViewerModel, files: Sequence[Path]) -> None:
    """Warn of the layers of files that do not stand where their header puts them.

    Warns
    -----
    KmosWarning
        A layer each; steps on files know nothing of what was moved on the screen.
    """
    for layer in cube_layers(viewer):
        if kmos_of(layer).path in files and np.hypot(*offset_of(layer)) > _MOVED_ARCSEC:
            text = (
                f"{layer.name} was moved on the screen: what is written of it is where its header puts it; "
                "combine it with its offset first"
            )
            warnings.warn(text, KmosWarning, stacklevel=2)


def layout_of(viewer: ViewerModel) -> str:
    """Return how the layers are drawn: on the common sky or on the contact sheet."""
    layers = kmos_layers(viewer)
    return kmos_of(layers[0]).layout if layers else SKY


def show_layout(viewer: ViewerModel, layout: str) -> None:
    """Draw all layers on the sky or on the contact sheet; each keeps its offset.

    Raises
    ------
    GeometryError
        If the IFUs of a composite layer lie too far apart to be drawn on the sky; nothing has changed then.
    """
    offsets = {layer: offset_of(layer) for layer in kmos_layers(viewer)}
    laid_out = {layer: kmos_of(layer).laid_out(layout) for layer in offsets}
    for shown in laid_out.values():
        shown.home()
    for layer, shown in laid_out.items():
        layer.metadata = {**layer.metadata, KEY: shown}
        if isinstance(layer.data, Composite):
            layer.data = Composite(layer.data.parts, shown.grid)
        move_to(layer, *offsets[layer])


def other_layout(layout: str) -> str:
    """Return the layout that is not shown."""
    return SKY if layout == SHEET else SHEET
