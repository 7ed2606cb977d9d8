"""Outlines of the IFUs with the names of their targets, in one layer that follows wherever the IFUs go."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Shapes
from napari.viewer import Viewer

from napari_kmos._napari.canvas_colours import is_dark
from napari_kmos._napari.following import Follower
from napari_kmos._napari.frames import AXIS_LABELS, SHEET, UNITS
from napari_kmos._napari.layers import cube_layers, kmos_of
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.positions import layout_of, offset_of
from napari_kmos._napari.schemes import DARK, LIGHT, PLAIN
from napari_kmos._napari.workers import Task
from napari_kmos.cube import Cube
from napari_kmos.instrument import FIELD_ARCSEC
from napari_kmos.progress import Progress, silent

#: In the metadata of the layer: its colour.
KEY = "kmos_outlines"
_FONT_SIZE = 9
#: On the sheet a name is as wide as its field at most, whatever the zoom; points of a letter's width, arcsec of both.
_LETTER_WIDTH, _NAME_ARCSEC, _LARGEST_ARCSEC = 0.8, FIELD_ARCSEC, 0.35
#: Lines are so wide, in arcsec, or this share of all there is where that would be too thin to see.
_WIDTH_ARCSEC, _WIDTH_SHARE = 0.04, 1 / 600


def show_names(viewer: ViewerModel) -> None:
    """Draw the outline of each visible IFU, and the name of each target over the first of its fields."""
    corners, names, width = _outlines(viewer)
    layer, colour = outline_layer(viewer), (DARK if is_dark(viewer) else LIGHT).curves[PLAIN]
    if layer is None:
        active = viewer.layers.selection.active
        layer = _make(corners, names, width, colour)
        _size_text(layer, layout_of(viewer))
        viewer.add_layer(layer)
        viewer.layers.selection.active = active
        _follower_of(viewer).follow()
    elif (
        layer.metadata[KEY] != colour
        or list(layer.features["name"]) != names
        or not np.allclose(np.array(layer.data), corners)
    ):
        layer.data = []
        layer.add_polygons(list(corners), edge_width=width, edge_color=colour, face_color="transparent")
        layer.features = _features(names)
        layer.text.color = layer.metadata[KEY] = colour
        _size_text(layer, layout_of(viewer))


def hide_names(viewer: ViewerModel) -> None:
    """Remove the outlines and names."""
    layer = outline_layer(viewer)
    if layer is not None:
        viewer.layers.remove(layer)


def switch_names(viewer: ViewerModel) -> None:
    """Show the outlines and names, or hide them."""
    if are_shown(viewer):
        hide_names(viewer)
    else:
        show_names(viewer)


def switch_names_here(viewer: Viewer) -> None:
    """Menu command of `switch_names`."""
    switch_names(viewer)


def are_shown(viewer: ViewerModel) -> bool:
    """Tell whether outlines and names are shown."""
    return outline_layer(viewer) is not None


def show_names_soon(viewer: ViewerModel) -> None:
    """Show the names once they can be drawn without making anybody wait.

    The first shapes of a process take napari about a second, and some more the first time ever, while it compiles how
    to draw them.
    """
    task = Task(_prepare)
    task.succeeded.connect(lambda _: show_names(viewer) if cube_layers(viewer) else None)  # it may be closed by now
    task.start()


def _redraw(viewer: ViewerModel) -> bool:
    """Draw the outlines anew, if they are shown; they go with the last cube."""
    if not cube_layers(viewer):
        hide_names(viewer)
    elif are_shown(viewer):
        show_names(viewer)
    return are_shown(viewer)


@once_a_viewer
def _follower_of(viewer: ViewerModel) -> Follower:
    """Return what has the drawing follow the cubes of a viewer."""
    return Follower(viewer, _redraw)


def _prepare(*, progress: Progress = silent) -> None:
    """Let napari compile how to draw shapes."""
    progress(0, 1, "outlines")
    _make(np.array([[[0, 0], [0, 1], [1, 1.0]]]), [""], 0.1, DARK.text)


def outline_layer(viewer: ViewerModel) -> Shapes | None:
    """Return the layer of the outlines and names, if they are shown."""
    return next((layer for layer in viewer.layers if KEY in layer.metadata), None)


def _outlines(viewer: ViewerModel) -> tuple[np.ndarray, list[str], float]:
    """Corners of the fields, shape (n, 4, 2); the name of each target, once; and how wide lines are."""
    corners: list[np.ndarray] = []
    names: list[str] = []
    for layer in (layer for layer in cube_layers(viewer) if layer.visible):
        east, north = offset_of(layer)
        for part in kmos_of(layer).parts:
            scale, matrix = part.home()
            n_y, n_x = part.shape
            edges = np.array([[0, 0], [0, n_x], [n_y, n_x], [n_y, 0]]) - 0.5
            corners.append(scale * edges @ matrix[:2, :2].T + matrix[:2, 2] - (north, east))
            name = _target(part.product)
            names.append("" if name in names else name)
    found = np.array(corners).reshape(-1, 4, 2)
    span = float(np.ptp(found.reshape(-1, 2), axis=0).max()) if len(found) else 0.0
    return found, names, max(_WIDTH_ARCSEC, _WIDTH_SHARE * span)


def _target(cube: Cube) -> str:
    """Return the number of the IFU and the name of its target: there is room for no more over a field."""
    return " ".join(part for part in ("" if cube.ifu is None else str(cube.ifu), cube.name) if part) or cube.label


def _size_text(layer: Shapes, layout: str) -> None:
    """Let names grow with the zoom on the sheet, where fields stand close; on the sky they would be too small."""
    longest = max((len(name) for name in layer.features["name"]), default=1)
    size = min(_LARGEST_ARCSEC, _NAME_ARCSEC / _LETTER_WIDTH / max(longest, 1))
    layer.text.scaling, layer.text.size = (True, size) if layout == SHEET else (False, _FONT_SIZE)


def _features(names: list[str]) -> dict[str, np.ndarray]:
    return {"name": np.array(names, dtype=object)}


def _make(corners: np.ndarray, names: list[str], width: float, colour: str) -> Shapes:
    """Make the layer; nothing in it is to be picked by mistake."""
    layer = Shapes(
        list(corners),
        ndim=2,
        shape_type="polygon",
        name="IFU outlines",
        features=_features(names),
        text={"string": "{name}", "color": colour, "anchor": "upper_left"},
        edge_width=width,
        edge_color=colour,
        face_color="transparent",
        units=UNITS[1:],
        axis_labels=AXIS_LABELS[1:],
        metadata={KEY: colour},
    )
    layer.editable = False
    return layer
