"""Small parts the docks are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)
from superqt import QCollapsible

_FIELD_WIDTH = 100
_WIDE = 1.3


def button(text: str, tip: str, on_clicked: Callable[[], None]) -> QPushButton:
    """Make a button; it takes no focus, so that keys go where they went before."""
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.clicked.connect(lambda _=False: on_clicked())
    return made


def number(lowest: float, highest: float, value: float, *, unit: str = "", step: float, tip: str) -> QDoubleSpinBox:
    """Make a field for a number; it tells when typing has ended."""
    field = QDoubleSpinBox()
    field.setRange(lowest, highest)
    field.setDecimals(3 if step < 0.1 else 2)
    field.setSingleStep(step)
    field.setValue(value)
    field.setSuffix(unit)
    field.setKeyboardTracking(False)
    field.setToolTip(tip)
    field.setMinimumWidth(_FIELD_WIDTH)
    return field


def row_of(*widgets: QWidget) -> QHBoxLayout:
    """Return a row of widgets that share its width; texts take what they need."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, stretch=0 if isinstance(widget, QLabel | QCheckBox) else 1)
    return row


def scrolled(content: QWidget) -> QScrollArea:
    """Return a frameless scroll area, up and down only."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    return area


def folded(title: str, content: QWidget) -> QCollapsible:
    """Return a widget that is shown when its title is clicked."""
    fold = QCollapsible(title)
    fold.layout().setContentsMargins(0, 0, 0, 0)
    fold.addWidget(content)
    return fold


class SideBySide(QSplitter):
    """Two widgets beside each other where there is room, else one below the other; the second gets what is left."""

    def __init__(self, first: QWidget, second: QWidget) -> None:
        super().__init__(Qt.Orientation.Vertical)
        self.addWidget(first)
        self.addWidget(second)
        self.setStretchFactor(0, 0)
        self.setStretchFactor(1, 1)
        self.setChildrenCollapsible(False)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for the room of one of the two, so that neither way of lying is forced."""
        first, second = (self.widget(index).sizeHint() for index in range(2))
        return first.expandedTo(second)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Need the room of one of the two."""
        first, second = (self.widget(index).minimumSizeHint() for index in range(2))
        return first.expandedTo(second)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Choose the way they lie."""
        super().resizeEvent(event)
        wide = self.width() > _WIDE * self.height()
        self.setOrientation(Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical)


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
        self.setMinimumHeight(140)

    def show_rows(self, rows: Sequence[Sequence[str | float | int]]) -> None:
        """Show rows of texts and numbers."""
        self.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                text = _text(cell)
                item = QTableWidgetItem(text)
                if not isinstance(cell, str):
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(text)
                self.setItem(row, column, item)


def _text(cell: str | float) -> str:
    """Return what a cell says; nothing for a number that is not known."""
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.4g}"
    return str(cell)
