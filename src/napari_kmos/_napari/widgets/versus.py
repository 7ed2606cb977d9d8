"""Choosing two subsets of exposures by check marks, and what comes of their comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from napari_kmos._napari.widgets.parts import Message, button, row_of
from napari_kmos._napari.widgets.tables import ResultTable
from napari_kmos.recipes.subsets import ALL, WITHOUT
from napari_kmos.recipes.versus_work import Compared
from napari_kmos.report.versus import difference_line, verdict, versus_rows

_ROW_MARGIN, _N_ROWS = 8, 6
_NAME = 2
_COLUMNS = {"": "What", "A": "Subset A", "B": "Subset B", "union": "All that is in A or B"}
_HALVES, _EPOCHS = "half1:half2", "epoch1:epoch2"


class SubsetTable(QTableWidget):
    """A row an exposure, with a check mark for each of two subsets."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels(["A", "B", "exposure"])
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        height = self.fontMetrics().height() + _ROW_MARGIN
        self.verticalHeader().setDefaultSectionSize(height)
        self.setFixedHeight((_N_ROWS + 1) * height + _ROW_MARGIN)

    def paths(self) -> tuple[Path, ...]:
        """Return the exposures."""
        return tuple(Path(self.item(row, _NAME).toolTip()) for row in range(self.rowCount()))

    def show_paths(self, paths: Sequence[Path]) -> None:
        """Show these exposures; those that were shown keep their marks, new ones are in both subsets."""
        if tuple(paths) == self.paths():
            return
        marks = {path: self._marks(row) for row, path in enumerate(self.paths())}
        with QSignalBlocker(self):
            self.setRowCount(len(paths))
            for row, path in enumerate(paths):
                for column, is_in in enumerate(marks.get(path, (True, True))):
                    self.setItem(row, column, _mark(is_in))
                name = QTableWidgetItem(f"{row + 1}  {path.name}")
                name.setToolTip(str(path))
                self.setItem(row, _NAME, name)

    def choose(self, a: Iterable[int], b: Iterable[int]) -> None:
        """Mark the exposures of both subsets, by number."""
        for column, chosen in enumerate((set(a), set(b))):
            for row in range(self.rowCount()):
                self.item(row, column).setCheckState(_state(row in chosen))

    def subsets(self) -> str:
        """Return the two subsets as the command line takes them."""
        sides = []
        for column in (0, 1):
            marked = [str(row + 1) for row in range(self.rowCount()) if self._marks(row)[column]]
            sides.append(ALL if len(marked) == self.rowCount() else ",".join(marked))
        return ":".join(sides)

    def selected(self) -> list[int]:
        """Return the rows that are selected."""
        return sorted({index.row() for index in self.selectionModel().selectedRows()})

    def _marks(self, row: int) -> tuple[bool, bool]:
        a, b = (self.item(row, column).checkState() == Qt.CheckState.Checked for column in (0, 1))
        return a, b


class VersusEdit(QWidget):
    """The subsets, buttons for usual ones, and the result."""

    #: Two subsets are to be compared: as the command line takes them.
    requested = Signal(str)
    write_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.table = SubsetTable()
        self.rows = ResultTable(list(_COLUMNS), list(_COLUMNS.values()))
        self.line = Message()
        ask = self.requested.emit
        self.halves = button("Halves", "What was taken before against after the sky of its OB", lambda: ask(_HALVES))
        self.epochs = button("Epochs", "The first epoch against the second", lambda: ask(_EPOCHS))
        self.drop = button("Without selected", "All but the selected exposures against all", self._on_drop)
        self.compare = button("Compare A and B", "Run in the background; the difference comes as a layer", self._on_ask)
        self.write = button("Write", "Write table, figure and images of the comparison", self.write_requested.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(row_of(self.halves, self.epochs, self.drop))
        layout.addLayout(row_of(self.compare, self.write))
        layout.addWidget(self.line)
        layout.addWidget(self.rows)

    def show_answer(self, found: Sequence[Compared]) -> None:
        """Show the numbers of the products that were compared."""
        every = [one.told() for one in found]
        self.line.say("\n".join(f"{told['target']}: {verdict(told)}; {difference_line(told)}" for told in every))
        rows = []
        for told in every:
            rows += [(told["target"], "", "", "")] if len(every) > 1 else []
            rows += versus_rows(told)
        self.rows.show_rows(rows)

    def _on_ask(self) -> None:
        self.requested.emit(self.table.subsets())

    def _on_drop(self) -> None:
        chosen = ",".join(str(row + 1) for row in self.table.selected())
        if not chosen:
            self.line.say("Select the exposures to leave out in the table above")
            return
        self.requested.emit(f"{WITHOUT}{chosen}")


def _mark(is_in: bool) -> QTableWidgetItem:
    item = QTableWidgetItem()
    item.setFlags(Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
    item.setCheckState(_state(is_in))
    return item


def _state(is_in: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if is_in else Qt.CheckState.Unchecked
