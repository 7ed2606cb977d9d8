"""Small parts the docks are made of."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt
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

from napari_kmos._napari.errors import in_docks

_FIELD_WIDTH, _WIDE, _MOST_LINES, _TEXT_MARGIN = 100, 1.3, 6, 1


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


class _PastUnlessChosen(QObject):
    """Hands the wheel on to what lies below a field that was not chosen."""

    def eventFilter(self, field: Any, event: Any) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Wheel and not field.hasFocus():
            event.ignore()
            return True
        return False


def scrolled_past(field: QWidget) -> None:
    """Let the wheel over a field scroll the page, and not change the value, unless the field was clicked."""
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    field.installEventFilter(_PastUnlessChosen(field))


def row_of(*widgets: QWidget) -> QHBoxLayout:
    """Return a row of widgets that share its width; texts take what they need."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, stretch=0 if isinstance(widget, QLabel | QCheckBox) else 1)
    return row


def keep_room(*widgets: QWidget) -> None:
    """Keep the room of widgets while they are hidden, so that others do not jump."""
    for widget in widgets:
        policy = widget.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        widget.setSizePolicy(policy)


class Scrolled(QScrollArea):
    """A frameless scroll area, up and down only, and as wide as its content needs.

    Parameters
    ----------
    content : QWidget
        What is scrolled.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def eventFilter(self, content: Any, event: Any) -> bool:  # noqa: N802 - Qt's name
        """Take note that the content needs another width."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(content, event)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Need the width of the content, so that nothing is cut, and little height."""
        width = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(width, super().minimumSizeHint().height())


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
    least_lines, most_lines : int
        It keeps the room of so many, and grows no higher than so many, but scrolls; all of the text is in the tip.
    """

    def __init__(self, *, least_lines: int = 1, most_lines: int = _MOST_LINES) -> None:
        super().__init__()
        self._least_lines, self._most_lines = least_lines, most_lines
        self.setReadOnly(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet("background: transparent; border: none; padding: 0")
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.document().setDocumentMargin(_TEXT_MARGIN)
        self._fit()

    def text(self) -> str:
        """Return what is said."""
        return self.toPlainText()

    def say(self, text: str) -> None:
        """Show a text, options by the names they have in docks; some room stays when it is empty."""
        self.setPlainText(in_docks(text))
        self.setToolTip(self.text())
        self._fit()

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Take the height that the text needs at this width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        needed = max(round(self.document().size().height()), self._least_lines)
        has_more = needed > self._most_lines
        policy = Qt.ScrollBarPolicy.ScrollBarAsNeeded if has_more else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(policy)
        self.setFixedHeight(min(needed, self._most_lines) * self.fontMetrics().lineSpacing() + 2 * _TEXT_MARGIN)


class SideBySide(QSplitter):
    """Two widgets beside each other where there is room, else one below the other; the second gets what is left.

    One of them can be put away by dragging the handle between them to its end.
    """

    def __init__(self, first: QWidget, second: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.addWidget(first)
        self.addWidget(second)
        self.setStretchFactor(0, 0)
        self.setStretchFactor(1, 1)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for the room of one of the two, so that neither way of lying is forced."""
        return _largest([self.widget(index).sizeHint() for index in range(self.count())])

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Need the room of one of the two: no window grows for that of both, which a narrow dock has at the side."""
        return _largest(self._needed())

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Choose the way they lie."""
        super().resizeEvent(event)
        needed = self._needed()
        is_low = self.width() > _WIDE * self.height() or self.height() < sum(size.height() for size in needed)
        beside = is_low and self.width() >= sum(size.width() for size in needed)
        self.setOrientation(Qt.Orientation.Horizontal if beside else Qt.Orientation.Vertical)
        self.updateGeometry()

    def _needed(self) -> list[QSize]:
        return [self.widget(index).minimumSizeHint() for index in range(self.count())]


def _largest(sizes: Iterable[QSize]) -> QSize:
    return functools.reduce(QSize.expandedTo, sizes)
