"""The dock *Check*: how the file of the active layer was made, and whether that suits what is done with it here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QLabel

from napari_kmos._napari.errors import notify
from napari_kmos._napari.layers import active_layer, kmos_of
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.tables import ResultTable, fold_texts
from napari_kmos._napari.workers import Latest
from napari_kmos.errors import KmosError
from napari_kmos.progress import Progress
from napari_kmos.recipes.check import Checked, check_file
from napari_kmos.recipes.info import recipe_facts, told_calibrations, told_changes

_HISTORY = {
    "recipe": "Recipe or step, the first on top",
    "version": "Pipeline and version",
    "files": "How many files it was given",
    "parameters": "Those that are not at their defaults",
    "calibrations": "Category and name of the calibrations it used",
}
_VERDICTS = {
    "verdict": "good: as it should be; doubt: mind it; bad: do something first; unknown: the header does not tell",
    "topic": "What it is about",
    "found": "What the file is like",
    "to do": "What to do, if anything",
    "reason": "Where that is known from, and what it means",
}
_NO_FILE = "Open a cube: how its file was made appears here"


class CheckDock(Dock):
    """History and verdicts of a file, read from its headers.

    Parameters
    ----------
    napari_viewer : Viewer
        Its active layer is looked at, else the topmost visible one.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.history, self.verdicts = (ResultTable(list(of), list(of.values())) for of in (_HISTORY, _VERDICTS))
        self.latest = Latest()
        self._path: Path | None = None
        for table, texts in ((self.verdicts, 2), (self.history, 3)):
            fold_texts(table, texts)
        for title, table, stretch in (("Whether it suits", self.verdicts, 3), ("How it was made", self.history, 1)):
            self.body.addWidget(QLabel(title))
            self.body.addWidget(table, stretch=stretch)
        self.latest.ready.connect(self._on_ready)
        self.latest.failed.connect(self._on_no_answer)
        self.latest.progressed.connect(self.say)

    def links(self) -> Iterable[Link]:
        """Which layer is looked at."""
        layers = self.viewer.layers
        slots = (layers.selection.events.active, layers.events.inserted, layers.events.removed)
        return tuple((event, self._show_state) for event in slots)

    def _show_state(self) -> None:
        """Ask for the verdicts on the file that is looked at, if it is another."""
        layer = active_layer(self.viewer)
        path = None if layer is None else kmos_of(layer).path
        if path is not None and path == self._path:
            return
        self._path = path
        self.history.show_rows([])
        self.verdicts.show_rows([])
        self.say(_NO_FILE if path is None else f"Reading {path.name}…")
        if path is not None:
            self.latest.request(partial(_checked, path))

    def _on_ready(self, checked: Checked) -> None:
        if checked.path != self._path:
            return
        steps = [recipe_facts(block) for block in checked.blocks]
        self.history.show_rows(
            [
                (step["recipe"], step["version"], step["inputs"] or "", told_changes(step), told_calibrations(step))
                for step in steps
            ]
        )
        self.verdicts.show_rows(
            [(line.verdict, line.topic, line.found, line.todo, line.reason) for line in checked.lines]
        )
        self.say(f"{checked.path.name}: {'no recipe in its header' if not steps else 'read from its header'}")

    def _on_no_answer(self, problem: BaseException) -> None:
        """Say why there is nothing; what is no fault of the file is told as loudly as any bug."""
        self._path = None
        self.say(str(problem) if isinstance(problem, KmosError) else notify(problem))


def _checked(path: Path, progress: Progress) -> Checked:
    return check_file(path, progress=progress)
