"""Tables of the docks: filled in one go, and rows of results."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_kmos.words import tip_text

_ROW_MARGIN = 8


@contextmanager
def filling(table: QTableWidget) -> Iterator[None]:
    """Fill a table in silence, its columns measured once at the end and not after every cell: that takes seconds."""
    header = table.horizontalHeader()
    modes = [header.sectionResizeMode(column) for column in range(table.columnCount())]
    header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    is_sorted = table.isSortingEnabled()
    table.setSortingEnabled(False)  # rows would move while they are filled
    try:
        with QSignalBlocker(table):
            yield
    finally:
        table.setSortingEnabled(is_sorted)
        for column, mode in enumerate(modes):
            header.setSectionResizeMode(column, mode)


class Cell(QTableWidgetItem):
    """What a cell says; numbers are to the right, and sorted as numbers, those that are not known at the end."""

    def __init__(self, value: str | float) -> None:
        super().__init__(_text(value))
        self.value = value
        self.setToolTip(tip_text(self.text()))
        if not isinstance(value, str):
            self.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return _order(self) < _order(other)


class ResultTable(QTableWidget):
    """A table to read: numbers to the right, columns as wide as needed."""

    def __init__(self, headings: Sequence[str], tips: Sequence[str]) -> None:
        super().__init__(0, len(headings))
        self.setHorizontalHeaderLabels(list(headings))
        for column, tip in enumerate(tips):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(len(headings) - 1, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + _ROW_MARGIN)
        self.setMinimumHeight(140)

    def show_rows(self, rows: Sequence[Sequence[str | float | int]]) -> None:
        """Show rows of texts and numbers."""
        with filling(self):
            self.setRowCount(len(rows))
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    self.setItem(row, column, Cell(cell))


def fold_texts(table: ResultTable, first: int) -> None:
    """Show all of the texts from a column on: these share the width, and rows are as high as they need."""
    for column in range(first, table.columnCount()):
        table.horizontalHeader().setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
    table.setWordWrap(True)
    table.setTextElideMode(Qt.TextElideMode.ElideNone)
    table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)


def _order(item: QTableWidgetItem) -> tuple[bool, float, str]:
    """Return by what a cell is sorted: numbers, in texts too, before words, and what is not known last."""
    try:
        value = float(item.text() if isinstance(item.value, str) else item.value)
    except ValueError:
        value = math.inf
    return not item.text(), math.inf if math.isnan(value) else value, item.text()


def _text(cell: str | float) -> str:
    """Return what a cell says; nothing for a number that is not known."""
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.4g}"
    return str(cell)
