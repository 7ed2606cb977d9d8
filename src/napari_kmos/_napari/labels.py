"""Names of the IFUs beside their images."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points

from napari_kmos._napari.frames import AXIS_LABELS, UNITS
from napari_kmos._napari.layers import cube_layers, kmos_of

KEY = "kmos_names"
_COLOUR = "#f5f5f5"
_FONT_SIZE = 9


def show_names(viewer: ViewerModel) -> None:
    """Write the name of each target over the top of its field; once where several exposures lie over each other."""
    names, places = _names(viewer)
    layer = _names_layer(viewer)
    if layer is None:
        viewer.add_layer(_make(names, places))
    elif list(layer.features["name"]) != names or not np.allclose(layer.data, places):
        layer.data = places
        layer.features = {"name": np.array(names, dtype=object)}


def hide_names(viewer: ViewerModel) -> None:
    """Remove the names."""
    layer = _names_layer(viewer)
    if layer is not None:
        viewer.layers.remove(layer)


def are_shown(viewer: ViewerModel) -> bool:
    """Tell whether the names are shown."""
    return _names_layer(viewer) is not None


def _names_layer(viewer: ViewerModel) -> Points | None:
    return next((layer for layer in viewer.layers if KEY in layer.metadata), None)


def _names(viewer: ViewerModel) -> tuple[list[str], np.ndarray]:
    """Names of the fields, and the middles of their upper edges."""
    corners: dict[str, list[np.ndarray]] = {}
    for layer in cube_layers(viewer):
        corners.setdefault(kmos_of(layer).product.label, []).append(layer.extent.world[:, -2:])
    whole = [np.concatenate(found) for found in corners.values()]
    places = [(field[:, 0].min(), (field[:, 1].min() + field[:, 1].max()) / 2) for field in whole]
    return list(corners), np.array(places).reshape(-1, 2)


def _make(names: list[str], places: np.ndarray) -> Points:
    """Make the layer: text only, and nothing to be picked by mistake."""
    layer = Points(
        places,
        ndim=2,
        name="IFU names",
        features={"name": np.array(names, dtype=object)},
        text={"string": "{name}", "size": _FONT_SIZE, "color": _COLOUR, "anchor": "center", "translation": [-0.15, 0]},
        size=0.01,
        face_color="transparent",
        border_color="transparent",
        units=UNITS[1:],
        axis_labels=AXIS_LABELS[1:],
        metadata={KEY: True},
    )
    layer.editable = False
    return layer
