"""Arrow keys that nudge: taken from the viewer for a while, and given back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.components import ViewerModel

#: Steps (east, north): east is left on the screen.
_STEPS = {"Left": (1, 0), "Right": (-1, 0), "Up": (0, 1), "Down": (0, -1)}
_MODIFIERS = {"": 1.0, "Control-": 10.0}


class ArrowKeys:
    """Binds the arrow keys of a viewer to a function of (east, north) steps; with Control, ten steps.

    Parameters
    ----------
    viewer : ViewerModel
        Its own bindings of these keys come back with `release`.
    nudge : callable
        Called with the number of steps east and north.
    """

    def __init__(self, viewer: ViewerModel, nudge: Callable[[float, float], None]) -> None:
        self._viewer, self._nudge = viewer, nudge
        self._before: dict[str, Any] = {}

    def take(self) -> None:
        """Bind."""
        if not self._before:
            for prefix, factor in _MODIFIERS.items():
                for key, (east, north) in _STEPS.items():
                    step = self._step(factor * east, factor * north)
                    self._before[prefix + key] = self._viewer.bind_key(prefix + key, step, overwrite=True)

    def release(self) -> None:
        """Bind what was bound before."""
        for key, function in self._before.items():
            self._viewer.bind_key(key, function, overwrite=True)
        self._before = {}

    def _step(self, east: float, north: float) -> Callable[[ViewerModel], None]:
        def step(_viewer: ViewerModel) -> None:
            self._nudge(east, north)

        return step
