"""What all docks have: the wavelength on top, messages, progress and cancel below, and clean coming and going."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QBoxLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from napari_kmos._napari.commands import sheet_if_scattered
from napari_kmos._napari.errors import notified, notify
from napari_kmos._napari.keeper import keeper_of
from napari_kmos._napari.keys import bind
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import log_of, session_of
from napari_kmos._napari.watch import watch
from napari_kmos._napari.white_light import white_light_of
from napari_kmos._napari.widgets.open_docks import open_docks
from napari_kmos._napari.widgets.parts import Message, Scrolled, button, keep_room, row_of
from napari_kmos._napari.widgets.seen import Seen
from napari_kmos._napari.widgets.view_bar import ViewBar
from napari_kmos._napari.workers import Task
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.session import Session
from napari_kmos.words import counted

Link = tuple[Any, Callable[..., Any]]

_MARGIN = 8
_WIDTH = 400


class Dock(Seen):
    """Base of the docks.

    A subclass fills ``self.body``, returns from `links` what it listens to, and refreshes itself in `_show_state`. It
    listens only while it is seen; what happened meanwhile is in the session and the layers.

    Parameters
    ----------
    napari_viewer : Viewer
        The viewer it belongs to.
    """

    scrolls = True
    least_lines = 1  # of the message, for which there is always room

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__()
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)  # napari hands out a proxy
        self.session = session_of(self.viewer)
        watch(self.viewer)
        keeper_of(self.viewer)
        self.log = log_of(self.viewer)
        bind(self, "Ctrl+Z", self.undo)
        bind(self, "Ctrl+Shift+Z", self.redo)
        open_docks.add(self)
        self._linked: list[Link] = []
        self._task: Task | None = None
        self.view_bar = ViewBar(self.viewer)
        content = QWidget()
        self.body = QVBoxLayout(content)
        self.body.setContentsMargins(0, 0, 0, 0)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(_MARGIN, _MARGIN, _MARGIN, _MARGIN)
        outer.addWidget(self.view_bar)
        outer.addWidget(Scrolled(content) if self.scrolls else content, stretch=1)
        outer.addLayout(self._make_footer())

    def links(self) -> Iterable[Link]:
        """Return the signals to listen to and their slots; bound methods only."""
        return ()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Need the width of what is in it, whatever the theme and the fields that are shown make of that."""
        return super().minimumSizeHint().expandedTo(QSize(_WIDTH, 0))

    def give_back(self) -> None:
        """Leave the canvas to a dock that is opened beside this one; for subclasses."""

    def start(self, function: Callable[..., Any], *args: Any, done: Callable[[Any], None], **arguments: Any) -> None:
        """Run a step in a thread; ``done`` gets what it returns. One step a dock at a time."""
        if self._task is not None:
            self.say("Wait for the step that runs, or cancel it")
            return
        self._task = Task(function, *args, **arguments)
        self._task.progressed.connect(self._on_progressed)
        self._task.succeeded.connect(done)
        self._task.failed.connect(self._on_failed)
        self._task.ended.connect(self._on_ended)
        self._show_running(True)
        self._task.start()

    def show_products(self, outcome: Outcome) -> None:
        """Add the cubes that a step wrote as layers."""
        with notified(self.say):
            cubes = [path for path in outcome.products if path.suffix == ".fits"]
            added = [layer for path in cubes for layer in add_file(self.viewer, path)]
            if added:
                sheet_if_scattered(self.viewer, added)
            self.say(f"Done: {counted(len(outcome.products), 'file')} in {outcome.products[0].parent}")

    @property
    def is_running(self) -> bool:
        """True while a step runs."""
        return self._task is not None

    def choose_folder(self, path: Path | None) -> None:
        """Take another folder for products, for all docks; None takes that of a new session."""
        self.session.out_dir = path or Session().out_dir

    def undo(self) -> None:
        """Take the last action back, whichever dock it was done in."""
        self.say(f"Undone: {what}" if (what := self.log.undo()) else "Nothing to undo")

    def redo(self) -> None:
        """Do the action again that was taken back last."""
        self.say(f"Redone: {what}" if (what := self.log.redo()) else "Nothing to redo")

    def say(self, text: str) -> None:
        """Show a line at the foot of the dock."""
        self.message.say(text)

    def _on_seen(self) -> None:
        """Listen, and show what is now."""
        events = self.viewer.layers.events
        self._linked = [
            (self.viewer.dims.events.current_step, self.view_bar.show_state),
            (self.viewer.layers.selection.events.active, self.view_bar.show_state),
            (events.inserted, self.view_bar.show_state),
            (events.removed, self.view_bar.show_state),
            (white_light_of(self.viewer).changed, self.view_bar.show_white),
            *self.links(),
        ]
        for signal, slot in self._linked:
            signal.connect(slot)
        for other in tuple(open_docks):
            if other is not self and other.is_seen and other.viewer is self.viewer:
                other.give_back()
        self.view_bar.show_state()
        self._show_state()

    def _on_unseen(self) -> None:
        """Stop listening."""
        for signal, slot in self._linked:
            signal.disconnect(slot)
        self._linked = []
        self._on_hidden()

    def _make_footer(self) -> QBoxLayout:
        """Message, progress and cancel: below each other, or in a wide dock, whose height is dear, in a row."""
        self.message = Message(least_lines=self.least_lines)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.cancel = button("Cancel", "Stop after the piece that is being computed", self._on_cancel)
        row = row_of(self.bar, self.cancel)
        row.setStretch(1, 0)
        if self.least_lines > 1:
            keep_room(self.bar, self.cancel)
        footer = QVBoxLayout() if self.scrolls else QHBoxLayout()
        footer.addLayout(row, stretch=0 if self.scrolls else 1)
        footer.insertWidget(1 if self.scrolls else 0, self.message, stretch=0 if self.scrolls else 3)
        self._show_running(False)
        self.say("")
        return footer

    def _show_running(self, running: bool) -> None:
        self.bar.setRange(0, 0)
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
        self.cancel.setEnabled(True)

    def _show_state(self) -> None:
        """Show what the session and the layers hold; for subclasses."""

    def _on_hidden(self) -> None:
        """Put the viewer back as it was; for subclasses."""

    def _on_cancel(self) -> None:
        if self._task is not None:
            self.cancel.setEnabled(False)
            self.say("Cancelling…")
            self._task.cancel()

    def _on_progressed(self, done: int, total: int, text: str) -> None:
        if self.cancel.isEnabled():
            self.bar.setRange(0, max(total, 0))
            self.bar.setValue(done)
            self.say(text)

    def _on_failed(self, problem: BaseException) -> None:
        self.say(notify(problem))

    def _on_ended(self) -> None:
        self._task = None
        self._show_running(False)
