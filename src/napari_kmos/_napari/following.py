"""Drawings that lie over the cubes, drawn anew when these are moved, hidden, laid out otherwise, added or removed.

And when the theme of the window changes, with which the ground does.
"""

from __future__ import annotations

from collections.abc import Callable
from weakref import ref

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QObject, QTimer

from napari_kmos._napari.layers import cube_layers

#: Many changes that come together, as those of layout or many drags a second, are followed once.
_PATIENCE_MS = 40
_EVENTS = ("affine", "translate", "scale", "visible", "data")


class Follower(QObject):
    """Draws something anew after the cube layers of a viewer, or its theme, changed.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.
    redraw : callable
        Called with the viewer; returns False if there is nothing left to draw: then nothing is followed any more.
    """

    def __init__(self, viewer: ViewerModel, redraw: Callable[[ViewerModel], bool]) -> None:
        super().__init__()
        self._viewer, self._redraw = ref(viewer), redraw
        self._layers: list[Layer] = []
        self._is_following = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PATIENCE_MS)
        self._timer.timeout.connect(self._on_time)

    def follow(self, *, on: bool = True) -> None:
        """Listen to the layers there are, and to those that come and go; or stop."""
        viewer = self._viewer()
        if viewer is None:
            return
        listed = [viewer.layers.events.inserted, viewer.layers.events.removed, viewer.events.theme]
        for event in [*listed, *_events(self._layers)] if self._is_following else []:
            event.disconnect(self._on_changed)
        self._is_following = on
        self._layers = cube_layers(viewer) if on else []
        for event in [*listed, *_events(self._layers)] if on else []:
            event.connect(self._on_changed)

    def _on_changed(self, _event: object) -> None:
        self._timer.start()

    def _on_time(self) -> None:
        viewer = self._viewer()
        if viewer is not None and self._is_following:
            self.follow(on=self._redraw(viewer))


def _events(layers: list[Layer]) -> list:
    return [getattr(layer.events, name) for layer in layers for name in _EVENTS]


def keep_on_top(viewer: ViewerModel, layer: Layer) -> None:
    """Put a layer above all cubes, if it is not there already."""
    index = viewer.layers.index(layer)
    if any(viewer.layers.index(other) > index for other in cube_layers(viewer)):
        viewer.layers.move(index, len(viewer.layers))
