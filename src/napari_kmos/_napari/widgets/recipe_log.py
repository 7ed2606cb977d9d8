"""What recipes of ESO's pipeline say, line by line, while they run."""

from __future__ import annotations

import functools
import logging

from qtpy.QtCore import QObject, Signal
from qtpy.QtGui import QFontDatabase
from qtpy.QtWidgets import QPlainTextEdit

from napari_kmos._napari.workers import tell
from napari_kmos.esorex import running

_MOST_LINES = 5000
_N_ROWS = 8


class RecipeLog(QPlainTextEdit):
    """Lines as they are said by any recipe that runs here; the whole log is a file beside the product."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setMaximumBlockCount(_MOST_LINES)
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setPlaceholderText("What the recipe says while it runs")
        self.setToolTip("All of it is kept as <product>_esorex.log")
        self.setFixedHeight(_N_ROWS * self.fontMetrics().lineSpacing() + 14)
        _speaker().said.connect(self.appendPlainText)


class _Speaker(QObject):
    """Hands lines on to the windows; it outlives these, so that no thread ever speaks to one that is gone."""

    said = Signal(str)


class _Listener(logging.Handler):
    """Takes lines from the threads that read them."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line on."""
        tell(_speaker().said, record.getMessage())


@functools.cache
def _speaker() -> _Speaker:
    """Return the one there is, which listens from the first time it is asked for."""
    running.said_log.setLevel(logging.INFO)
    running.said_log.addHandler(_Listener())
    return _Speaker()
