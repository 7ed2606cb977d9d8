"""What napari's own window tells of our layers, with or without a dock: at the slider and in the status bar."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from weakref import ref

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.commands import WHITE, current_plane, is_white, label_slider, thickness
from napari_kmos._napari.frames import frame_at
from napari_kmos._napari.layers import cube_layers, kmos_layers, kmos_of, planes_of
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.readout import Readout, seen_text, sky_text
from napari_kmos._napari.shown import KmosLayer
from napari_kmos._napari.under import frames_of

_OURS = "kmos"


class _Watcher:
    """Keeps the label of the slider true, and gives our layers their line for the status bar.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly, as napari holds the methods connected here.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        for layer in viewer.layers:
            self._adopt(layer)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._label)
        viewer.layers.selection.events.active.connect(self._label)
        viewer.dims.events.current_step.connect(self._label)
        viewer.dims.events.axis_labels.connect(self._label)  # napari puts the layers' own labels back
        self._label()

    def _label(self) -> None:
        if (viewer := self._viewer()) is not None:
            label_slider(viewer)

    def _on_inserted(self, event: object) -> None:
        self._adopt(event.value)
        self._label()

    def _adopt(self, layer: Layer) -> None:
        """Let a layer of ours speak for the cube that is under the mouse, and tell its data how napari projects."""
        if not any(str(key).startswith(_OURS) for key in layer.metadata):
            return
        layer.get_status = partial(self._status, layer)
        viewer = self._viewer()
        if viewer is not None and layer in cube_layers(viewer):
            layer.events.projection_mode.connect(_on_projection_changed)
            _tell_projection(layer)

    def _status(self, layer: Layer, position: Any = None, **how: Any) -> dict[str, str]:
        """Return what napari asks a layer for; in its own thread, whenever the mouse moves."""
        viewer = self._viewer()
        if viewer is None or position is None or not how.get("world") or viewer.dims.ndisplay != 2:
            return type(layer).get_status(layer, position, **how)
        place, value, line = _under(viewer, layer, position)
        names = dict.fromkeys(("layer_base", "source_type", "plugin"), "")
        return {"layer_name": layer.name, **names, "coordinates": line, "coords": place, "value": value}


def _on_projection_changed(event: object) -> None:
    _tell_projection(event.source)


def _tell_projection(layer: Layer) -> None:
    """Tell the planes of a layer how napari puts them together."""
    for _, part in planes_of(layer):
        part.projection = str(layer.projection_mode)


def _under(viewer: ViewerModel, first: Layer, position: Sequence[float]) -> tuple[str, str, str]:
    """Return place, value and the whole line for what is under a position: of one layer if it is there, else on top."""
    others = [layer for layer in reversed(kmos_layers(viewer)) if layer.visible and layer is not first]
    for layer in [first, *others] if kmos_of(first) is not None and first.visible else others:
        if (found := _read(viewer, layer, position)) is not None:
            return found.place, found.flux, str(found)
    y, x = position[-2:]
    drawn = frames_of(viewer)
    sky = sky_text(*frame_at(drawn, y, x).to_sky(y, x)) if drawn else ""
    return sky, "", sky


def _read(viewer: ViewerModel, layer: Layer, position: Sequence[float]) -> Readout | None:
    """Read a layer at a position in arcsec; None where it shows nothing."""
    y, x = (int(index) for index in np.round(layer.world_to_data(position)[-2:]))
    whole = kmos_of(layer)
    found = whole.part_at(y, x)
    if found is None:
        return None
    shown, *spaxel = found
    ra, dec = shown.frame.to_sky(*position[-2:])
    value = layer.get_value(position, world=True)
    value = np.nan if value is None else float(value)
    seen = _seen(viewer, layer, shown)
    return Readout(shown.product, tuple(spaxel), (float(ra), float(dec)), seen, value, note=whole.note)


def _seen(viewer: ViewerModel, layer: Layer, shown: KmosLayer) -> str:
    """Which wavelengths of a layer are on the screen."""
    if shown.cube is None or is_white(layer):
        return "" if shown.cube is None else WHITE
    return seen_text(shown.cube, current_plane(viewer), n_planes=thickness(viewer))


@once_a_viewer
def watch(viewer: ViewerModel) -> _Watcher:
    """Tell, from now on, wavelength, position and flux of what a viewer shows; once for each viewer."""
    return _Watcher(viewer)
