"""A click on a star selects it while the mouse moves the view, whatever layer is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from napari.components import ViewerModel

from napari_kmos._napari.points import points_layer
from napari_kmos.aperture import KINDS

_PAN = "pan_zoom"


class Picker:
    """Listens to clicks.

    Parameters
    ----------
    viewer : ViewerModel
        Where stars and sky areas are drawn.
    choose : callable
        Gets the id of what was clicked, as a tuple.
    """

    def __init__(self, viewer: ViewerModel, choose: Callable[[tuple[str, ...]], None]) -> None:
        self._viewer, self._choose = viewer, choose

    def begin(self) -> None:
        """Listen."""
        if self._on_press not in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.append(self._on_press)

    def end(self) -> None:
        """Listen no more."""
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def _on_press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        """Choose what is beneath the mouse if it is let go where it was pressed."""
        layer = viewer.layers.selection.active
        if event.button != 1 or (layer is not None and layer.mode != _PAN):
            return
        place = event.position
        yield
        while event.type == "mouse_move":
            if event.is_dragging and tuple(event.position) != tuple(place):
                return
            yield
        if found := self._at(place):
            self._choose((found,))

    def _at(self, place: Any) -> str:
        """Return the id of the star or sky area at a place; empty if there is none."""
        for kind in KINDS:
            layer = points_layer(self._viewer, kind)
            if layer is not None and layer.visible and (index := layer.get_value(place, world=True)) is not None:
                return str(layer.features["id"].iloc[index])
        return ""
