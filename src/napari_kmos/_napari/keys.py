"""Keys of the canvas: taken for a while, by several at once if need be, and given back in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QLineEdit, QPlainTextEdit, QTextEdit, QWidget

#: Steps (east, north): east is left on the screen.
_STEPS = {"Left": (1, 0), "Right": (-1, 0), "Up": (0, 1), "Down": (0, -1)}
_MODIFIERS = {"": 1.0, "Shift-": 0.1, "Control-": 10.0}

_TYPED = (QLineEdit, QPlainTextEdit, QTextEdit)


@dataclass(eq=False)
class _Taken:
    """A key that was taken: what it does, and what it did before."""

    call: Callable[[], object]
    before: Any = None
    __name__ = "taken"  # napari asks for it

    def __call__(self, _viewer: ViewerModel | Layer) -> None:
        self.call()


class Keys:
    """Binds keys of a viewer to functions.

    The last to take a key has it; when that one gives it back, the one before has it again.

    Parameters
    ----------
    viewer : ViewerModel, or Layer
        Its own bindings of these keys come back with the last `release`. A layer's keys go before those of the viewer.
    functions : mapping of str to callable
        What is called without arguments, by the key as napari names it: ``"A"``, ``"Control-Z"``, ``"Left"``.
    """

    def __init__(self, viewer: ViewerModel | Layer, functions: Mapping[str, Callable[[], object]]) -> None:
        self._viewer, self._functions = viewer, functions
        self._taken: dict[str, _Taken] = {}

    def take(self) -> None:
        """Bind; what was taken already is taken back from those who took it since."""
        self.release()
        self._taken = {key: _Taken(function) for key, function in self._functions.items()}
        for key, taken in self._taken.items():
            taken.before = self._viewer.bind_key(key, taken, overwrite=True)

    def release(self) -> None:
        """Bind what was bound before."""
        for key, taken in self._taken.items():
            last = self._viewer.bind_key(key, taken.before, overwrite=True)
            if last is not taken:  # somebody else took it since, and keeps it
                self._viewer.bind_key(key, last, overwrite=True)
                while isinstance(last, _Taken) and last.before is not taken:
                    last = last.before
                if isinstance(last, _Taken):
                    last.before = taken.before
        self._taken = {}


def bind(widget: QWidget, keys: str, do: Callable[[], object]) -> None:
    """Let keys do something while a widget, or what is in it, has the focus."""
    shortcut = QShortcut(QKeySequence(keys), widget)
    shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    shortcut.activated.connect(do)


def focus_canvas(viewer: ViewerModel) -> None:
    """Let keys go to the canvas: a table or list that was clicked would take arrows for itself."""
    window = getattr(viewer, "window", None)
    if window is not None:
        window._qt_viewer.canvas.native.setFocus()  # napari gives no other way to its canvas


def focus_canvas_unless_typing(viewer: ViewerModel) -> None:
    """Let keys go to the canvas if they go to a table, a button or a choice; text that is being typed goes on."""
    window = getattr(viewer, "window", None)
    if window is not None and not isinstance(window._qt_window.focusWidget(), _TYPED):
        focus_canvas(viewer)


def arrow_keys(nudge: Callable[[float, float], None]) -> dict[str, Callable[[], None]]:
    """Return the arrow keys, each a step of (east, north); with Control ten steps, with Shift a tenth."""
    return {
        prefix + key: partial(nudge, factor * east, factor * north)
        for prefix, factor in _MODIFIERS.items()
        for key, (east, north) in _STEPS.items()
    }
