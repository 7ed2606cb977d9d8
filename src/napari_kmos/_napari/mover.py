"""Moving an IFU over the others: by dragging, by arrow keys, by numbers; never turned and never stretched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from napari.components import ViewerModel
from napari.layers import Layer
from psygnal import Signal

from napari_kmos._napari import alignment
from napari_kmos._napari.keys import Keys, arrow_keys
from napari_kmos._napari.positions import companions, is_only_moved, offset_of

_POSITION_EVENTS = ("affine", "translate", "scale", "rotate", "shear")
REFUSED = "Layers are moved only: the turn or stretch was undone"


class Mover:
    """Moves the layers of one IFU of one file, and tells their offset from the header, however they were moved.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.

    Attributes
    ----------
    moved : Signal
        ``(east, north)`` in arcsec, after every change of position.
    settled : Signal
        After each move as a whole: a drag is one, however many changes of position it makes.
    refused : Signal
        Text, after a change that was not a move was undone.
    """

    moved = Signal(float, float)
    settled = Signal()
    refused = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.step_arcsec = 0.05
        self.layer: Layer | None = None
        self.is_active = False
        self._followed: list[Layer] = []
        self._last = (0.0, 0.0)
        self._busy = False
        self._dragged: Layer | None = None
        self._is_dragging = False
        self._keys = Keys(viewer, arrow_keys(self.nudge))

    def choose(self, layer: Layer | None) -> None:
        """Follow this layer and those that show the same IFU of the same file; None follows nothing."""
        self.end()
        for one in self._followed:
            for name in _POSITION_EVENTS:
                getattr(one.events, name).disconnect(self._on_position_changed)
        self.layer = layer
        self._followed = [] if layer is None else companions(self.viewer, layer)
        for one in self._followed:
            for name in _POSITION_EVENTS:
                getattr(one.events, name).connect(self._on_position_changed)
        if self._on_drag in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._on_drag)
        if layer is not None:
            self._last = offset_of(layer)
            self.viewer.mouse_drag_callbacks.append(self._on_drag)

    def begin(self) -> None:
        """Let the mouse drag the layer and the arrow keys nudge it."""
        if self.layer is None or self.is_active:
            return
        self.is_active = True
        visible = [one for one in self._followed if one.visible]
        self._dragged = visible[-1] if visible else self.layer
        self.viewer.layers.selection.active = self._dragged
        self._dragged.mode = "transform"
        self._keys.take()

    def end(self) -> None:
        """Give mouse and keys back."""
        if not self.is_active:
            return
        self.is_active = False
        self._keys.release()
        if self._dragged in self.viewer.layers:
            self._dragged.mode = "pan_zoom"

    def offset(self) -> tuple[float, float]:
        """Return the offset (east, north) in arcsec."""
        return self._last

    def move_to(self, east: float, north: float) -> None:
        """Move to an offset (east, north) in arcsec from the header's position."""
        if self.layer is None:
            return
        with self._own_change():
            alignment.move_all(self.viewer, self.layer, east, north)
        self._last = (east, north)
        self.moved.emit(east, north)
        if not self._is_dragging:
            self.settled.emit()

    def set_step(self, step_arcsec: float) -> None:
        """Choose how far a nudge goes."""
        self.step_arcsec = step_arcsec

    def nudge(self, east: float, north: float) -> None:
        """Move by steps."""
        self.move_to(self._last[0] + east * self.step_arcsec, self._last[1] + north * self.step_arcsec)

    def _on_drag(self, _viewer: ViewerModel, event: object) -> Iterator[None]:
        """Take all that happens while a mouse button is held as one move."""
        self._is_dragging = True
        yield
        while event.type == "mouse_move":
            yield
        self._is_dragging = False
        self.settled.emit()

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _on_position_changed(self, event: object) -> None:
        """Take over where somebody else put a layer, if it was only moved."""
        if self._busy:
            return
        if is_only_moved(event.source):
            self.move_to(*offset_of(event.source))
        else:
            self.move_to(*self._last)
            self.refused.emit(REFUSED)
