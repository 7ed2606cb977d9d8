"""Keys of the canvas: taken from the viewer for a while, and given back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from napari.components import ViewerModel

#: Steps (east, north): east is left on the screen.
_STEPS = {"Left": (1, 0), "Right": (-1, 0), "Up": (0, 1), "Down": (0, -1)}
_MODIFIERS = {"": 1.0, "Shift-": 0.1, "Control-": 10.0}


class Keys:
    """Binds keys of a viewer to functions.

    Parameters
    ----------
    viewer : ViewerModel
        Its own bindings of these keys come back with `release`.
    functions : mapping of str to callable
        What is called without arguments, by the key as napari names it: ``"A"``, ``"Control-Z"``, ``"Left"``.
    """

    def __init__(self, viewer: ViewerModel, functions: Mapping[str, Callable[[], object]]) -> None:
        self._viewer, self._functions = viewer, functions
        self._before: dict[str, Any] = {}

    def take(self) -> None:
        """Bind."""
        if not self._before:
            for key, function in self._functions.items():
                self._before[key] = self._viewer.bind_key(key, _without_viewer(function), overwrite=True)

    def release(self) -> None:
        """Bind what was bound before."""
        for key, function in self._before.items():
            self._viewer.bind_key(key, function, overwrite=True)
        self._before = {}


def focus_canvas(viewer: ViewerModel) -> None:
    """Let keys go to the canvas: a table or list that was clicked would take arrows for itself."""
    window = getattr(viewer, "window", None)
    if window is not None:
        window._qt_viewer.canvas.native.setFocus()  # napari gives no other way to its canvas


def arrow_keys(nudge: Callable[[float, float], None]) -> dict[str, Callable[[], None]]:
    """Return the arrow keys, each a step of (east, north); with Control ten steps, with Shift a tenth."""
    return {
        prefix + key: partial(nudge, factor * east, factor * north)
        for prefix, factor in _MODIFIERS.items()
        for key, (east, north) in _STEPS.items()
    }


def _without_viewer(function: Callable[[], object]) -> Callable[[ViewerModel], None]:
    def call(_viewer: ViewerModel) -> None:
        function()

    return call
