"""Small parts the docks are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QTextOption
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSplitter,
    QWidget,
)
from superqt import QCollapsible

_FIELD_WIDTH = 100
_WIDE = 1.3
_NARROW = 500
_MOST_LINES = 6


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


class Message(QPlainTextEdit):
    """Says what happened: names of files are wrapped too, and it is as high as it must be, so that nothing is cut.

    Parameters
    ----------
    most_lines : int
        It grows no higher; all of the text is in the tip.
    """

    def __init__(self, *, most_lines: int = _MOST_LINES) -> None:
        super().__init__()
        self._most_lines = most_lines
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("background: transparent; border: none; padding: 0")
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.document().setDocumentMargin(1)
        self._fit()

    def text(self) -> str:
        """Return what is said."""
        return self.toPlainText()

    def say(self, text: str) -> None:
        """Show a text; the room of a line stays when it is empty."""
        self.setPlainText(text)
        self.setToolTip(text)
        self._fit()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Take the height that the text needs at this width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        n_lines = min(max(round(self.document().size().height()), 1), self._most_lines)
        self.setFixedHeight(n_lines * self.fontMetrics().lineSpacing() + 4)


class SideBySide(QSplitter):
    """Two widgets beside each other where there is room, else one below the other; the second gets what is left."""

    def __init__(self, first: QWidget, second: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
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
        """Need the width of one of the two, and the height of both where one lies below the other."""
        first, second = self._needed()
        below = second.height() + self.handleWidth() if self.orientation() == Qt.Orientation.Vertical else 0
        return QSize(max(first.width(), second.width()), max(first.height() + below, second.height()))

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Choose the way they lie."""
        super().resizeEvent(event)
        wide = self.width() > max(_WIDE * self.height(), _NARROW)
        self.setOrientation(Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical)
        self.updateGeometry()

    def _needed(self) -> tuple[QSize, QSize]:
        return self.widget(0).minimumSizeHint(), self.widget(1).minimumSizeHint()
