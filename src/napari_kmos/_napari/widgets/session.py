"""The dock *Session*: what was done, to be gone back to; where it is kept, and what is made of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QLabel, QListWidget, QListWidgetItem, QWidget

from napari_kmos._napari.errors import notified
from napari_kmos._napari.keeper import keeper_of
from napari_kmos._napari.restoring import restore
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import PLANS, SCRIPTS, SESSIONS, ask_open, ask_save
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos.io.session_file import ENDING, close_session
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.session import decisions
from napari_kmos.session.plan_export import export_plan
from napari_kmos.session.saved import data_files, save
from napari_kmos.session.script_export import export_script
from napari_kmos.words import counted

_BEGINNING = "as it was at first"
_NOT_KEPT = "Nothing was decided yet; it is kept within a second of the first decision"


class SessionDock(Dock):
    """The log of actions, and the file it all is kept in.

    Parameters
    ----------
    napari_viewer : Viewer
        Whose session it is.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.keeper = keeper_of(self.viewer)
        self.list = QListWidget()
        self.list.setToolTip("Click on an action to go back to it, or forth; those in grey are taken back")
        self.place, self.offered = QLabel(), QLabel()
        for label in (self.place, self.offered):
            label.setWordWrap(True)
        self.restore_button = button("Restore", "Have everything as it was", self._on_restore)
        self.leave_button = button("Leave", "Leave it; its file stays and can be opened later", self._on_leave)
        self.undo_button = button("Undo", "Take the last action back (Ctrl+Z)", self.undo)
        self.redo_button = button("Redo", "Do it again (Ctrl+Shift+Z)", self.redo)
        self.offer = QWidget()
        self._build()

    def links(self) -> Iterable[Link]:
        """Listen to the log, and to where the session is kept."""
        return (
            (self.log.changed, self._show_log),
            (self.keeper.saved, self._show_place),
            (self.keeper.offered, self._show_offer),
        )

    def take_up(self, path: Path) -> None:
        """Have everything be as a session file says."""
        with notified(self.say):
            problems = restore(self.viewer, path, ask=self._ask)
            self.say("; ".join((f"Restored {path.name}", *problems)))
            self.keeper.leave()
            self._show_state()

    def save_copy(self, path: Path) -> None:
        """Write the session to another file, too."""
        with notified(self.say):
            values = decisions(self.session)
            files = self.keeper.known_files(data_files(values))
            self.say(f"Written: {save(values, [path], files=files, is_closed=True)}")

    def write_plan(self, path: Path) -> None:
        """Write a plan for `run`, in a thread; the dialog has asked about the file itself."""
        self.start(export_plan, decisions(self.session), path, overwrite=True, done=self._on_plan)

    def write_script(self, path: Path) -> None:
        """Write a Python script; the dialog has asked whether to replace a file."""
        with notified(self.say):
            self.say(f"Written: {export_script(decisions(self.session), path, overwrite=True)}")

    def _build(self) -> None:
        self.offer.setLayout(row_of(self.offered, self.restore_button, self.leave_button))
        for one in (self.offer, self.list, self.place):
            self.body.addWidget(one, stretch=int(one is self.list))
        self.body.addLayout(row_of(self.undo_button, self.redo_button))
        self.body.addLayout(
            row_of(
                button("Open…", "Open a session file", self._on_open),
                button("Copy…", "Write the session to another file, too", self._on_copy),
                button("Plan…", "Write a plan for napari-kmos run, with tables beside it", self._on_plan_asked),
                button("Script…", "Write a Python script that does what was decided", self._on_script_asked),
            )
        )
        self.list.itemClicked.connect(lambda item: self.log.go_to(self.list.row(item)))

    def _show_state(self) -> None:
        self._show_log()
        self._show_place()
        self._show_offer()

    def _show_log(self) -> None:
        with QSignalBlocker(self.list):
            self.list.clear()
            for number, what in enumerate((_BEGINNING, *(one.what for one in self.log.actions))):
                item = QListWidgetItem(what)
                if number > self.log.n_done:
                    item.setForeground(Qt.GlobalColor.gray)
                self.list.addItem(item)
            self.list.setCurrentRow(self.log.n_done)
        for one, what in ((self.undo_button, self.log.undoable), (self.redo_button, self.log.redoable)):
            one.setEnabled(bool(what))

    def _show_place(self) -> None:
        place = self.keeper.place
        self.place.setText(_NOT_KEPT if place is None else f"Kept in {place.name}")
        self.place.setToolTip("" if place is None else str(place))

    def _show_offer(self) -> None:
        self.offer.setVisible(self.keeper.offer is not None)
        if self.keeper.offer is not None:
            self.offered.setText(f"{self.keeper.offer.name} was not closed: restore what was decided there?")

    def _ask(self, path: Path) -> Path | None:
        """Ask where a data file is."""
        return ask_open(self, f"Where is {path.name}?", f"{path.name} (*{path.suffix});;All files (*)")

    def _on_restore(self) -> None:
        self.take_up(self.keeper.offer)

    def _on_leave(self) -> None:
        with notified(self.say):
            close_session(self.keeper.offer)
            self.say(f"{self.keeper.offer.name} stays where it is")
        self.keeper.leave()
        self._show_offer()

    def _on_plan(self, outcome: Outcome) -> None:
        objects = counted(outcome.measured["objects"], "object exposure")
        self.say(f"Written: {outcome.products[0]} ({objects}); napari-kmos run does it")

    def _on_open(self) -> None:
        if path := ask_open(self, "Open a session", SESSIONS):
            self.take_up(path)

    def _on_copy(self) -> None:
        if path := ask_save(self, "Copy the session", Path(f"copy{ENDING}"), SESSIONS):
            self.save_copy(path)

    def _on_plan_asked(self) -> None:
        if path := ask_save(self, "Write a plan", Path("night.toml"), PLANS):
            self.write_plan(path)

    def _on_script_asked(self) -> None:
        if path := ask_save(self, "Write a script", Path("night.py"), SCRIPTS):
            self.write_script(path)
