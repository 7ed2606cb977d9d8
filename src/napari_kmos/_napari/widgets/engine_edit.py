"""Which engine does a step: ours, or a recipe of ESO's pipeline, where that is, and what it is told."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QTableWidgetItem, QVBoxLayout, QWidget

from napari_kmos._napari.errors import notify
from napari_kmos._napari.widgets.files import PathField
from napari_kmos._napari.widgets.parts import Message, scrolled_past
from napari_kmos._napari.widgets.recipe_log import RecipeLog
from napari_kmos._napari.widgets.tables import Cell, ResultTable, filling
from napari_kmos._napari.workers import Latest
from napari_kmos.errors import KmosError
from napari_kmos.esorex import ENGINES, ESOREX, Esorex, EsorexOptions, RecipeManual, RecipeParameter, find_esorex
from napari_kmos.progress import Progress

_COLUMNS = {
    "parameter": "Name that the recipe has for it",
    "value": "Double click to change it; the recipe checks it",
    "meaning": "What the recipe says of it, and its default",
}
_VALUE = 1
_MOST_JOBS = 64
_WAIT = "Looking for esorex and its recipe…"


class EngineEdit(QWidget):
    """A choice of the engine; of esorex it shows the version that is found, or why there is none, and parameters.

    Parameters
    ----------
    recipe : str
        Recipe that does the step.
    elsewhere : collection of str
        Its parameters that the dock has fields for.
    tip : str
        What is different with the recipe.
    """

    #: The engine was chosen.
    changed = Signal()

    def __init__(self, recipe: str, *, elsewhere: Collection[str], tip: str) -> None:
        super().__init__()
        self._recipe, self._elsewhere = recipe, frozenset(elsewhere)
        self.engine = QComboBox()
        self.engine.addItems(list(ENGINES))
        self.engine.setToolTip(tip)
        scrolled_past(self.engine)
        self.found = Message()
        self.program = PathField("The program esorex", pattern="Programs (*)", placeholder="esorex on PATH")
        self.recipe_dir = PathField("Folder with recipes", placeholder="folders of esorex's configuration")
        self.jobs = QSpinBox(minimum=1, maximum=_MOST_JOBS)
        self.jobs.setToolTip("Recipes that run at once; each holds all cubes of its set in memory")
        scrolled_past(self.jobs)
        self.dry_run = QCheckBox("Only write the commands")
        self.dry_run.setToolTip(
            "Writes sets of frames and command.txt into the folder for the products, for a cluster or a colleague, and "
            "runs nothing; esorex need not be there"
        )
        self.table, self.log = RecipeTable(), RecipeLog()
        self.latest = Latest()
        self._build()

    @property
    def is_esorex(self) -> bool:
        """True if the recipe is to do it."""
        return self.engine.currentText() == ESOREX

    @property
    def writes_only(self) -> bool:
        """True if the commands of the recipe are to be written, and nothing is run."""
        return self.is_esorex and self.dry_run.isChecked()

    def chosen(self) -> dict[str, Any]:
        """Return what the step is told."""
        return {"engine": self.engine.currentText(), "esorex": self._options() if self.is_esorex else None}

    def _build(self) -> None:
        self.details = QWidget()
        form = QFormLayout(self.details)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(self.found)
        form.addRow("Program", self.program)
        form.addRow("Recipes", self.recipe_dir)
        form.addRow("At once", self.jobs)
        form.addRow("", self.dry_run)
        form.addRow(self.table)
        form.addRow(self.log)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.engine)
        column.addWidget(self.details)
        self.details.setVisible(False)
        self.engine.currentTextChanged.connect(self._on_chosen)
        for field in (self.program, self.recipe_dir):
            field.changed.connect(self._look)
        self.latest.ready.connect(self._on_found)
        self.latest.failed.connect(self._on_missing)

    def _options(self) -> EsorexOptions:
        folder = self.recipe_dir.path()
        return EsorexOptions(
            program=self.program.path(),
            recipe_dirs=() if folder is None else (folder,),
            recipe_options=self.table.changed_values(),
            jobs=self.jobs.value(),
            dry_run=self.dry_run.isChecked(),
        )

    def _on_chosen(self) -> None:
        self.details.setVisible(self.is_esorex)
        if self.is_esorex:
            self._look()
        self.changed.emit()

    def _look(self) -> None:
        """Ask esorex, in a thread, for its version and the parameters of the recipe."""
        self.found.say(_WAIT)
        self.table.show_parameters(())
        self.latest.request(partial(_find, self._options(), self._recipe))

    def _on_found(self, answer: tuple[Esorex, RecipeManual]) -> None:
        esorex, manual = answer
        self.found.say(f"{esorex.label}, {manual.recipe} {manual.version}")
        self.table.show_parameters(tuple(one for name, one in manual.parameters.items() if name not in self._elsewhere))

    def _on_missing(self, problem: BaseException) -> None:
        self.found.say(str(problem) if isinstance(problem, KmosError) else notify(problem))


class RecipeTable(ResultTable):
    """Parameters of a recipe; their values can be changed."""

    def __init__(self) -> None:
        super().__init__(list(_COLUMNS), list(_COLUMNS.values()))
        self.setEditTriggers(self.EditTrigger.DoubleClicked | self.EditTrigger.EditKeyPressed)
        self._defaults: dict[str, str] = {}

    def show_parameters(self, parameters: tuple[RecipeParameter, ...]) -> None:
        """Show parameters, at their defaults; without any it is hidden."""
        self.setVisible(bool(parameters))
        self._defaults = {one.name: one.default for one in parameters}
        with filling(self):
            self.setRowCount(len(parameters))
            for row, one in enumerate(parameters):
                choices = f"; one of {', '.join(one.choices)}" if one.choices else ""
                cells = (one.name, one.default, f"{one.text}{choices} [{one.default}]")
                for column, text in enumerate(cells):
                    self.setItem(row, column, _cell(text, editable=column == _VALUE))

    def changed_values(self) -> dict[str, str]:
        """Return the values that are not the default, by name."""
        rows = [(self.item(row, 0).text(), self.item(row, _VALUE).text().strip()) for row in range(self.rowCount())]
        return {name: value for name, value in rows if value != self._defaults[name]}


def _cell(text: str, *, editable: bool) -> QTableWidgetItem:
    made = Cell(text)
    if not editable:
        made.setFlags(made.flags() & ~Qt.ItemFlag.ItemIsEditable)
    return made


def _find(options: EsorexOptions, recipe: str, progress: Progress) -> tuple[Esorex, RecipeManual]:
    """Return the program and what its recipe says of itself."""
    progress(0, 1, _WAIT)
    esorex = find_esorex(options)
    return esorex, esorex.manual(recipe)
