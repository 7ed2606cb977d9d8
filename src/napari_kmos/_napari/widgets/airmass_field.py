"""A field for an airmass, which the headers of files tell, or the user."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QLineEdit

from napari_kmos._napari.errors import notify
from napari_kmos._napari.telluric import told_airmass, typed_number
from napari_kmos._napari.workers import Latest
from napari_kmos.errors import KmosError

_BY_HEADER = "by the header"


class AirmassField(QLineEdit):
    """A number to type in; while it is empty it tells what the headers of some files say."""

    #: Why a header cannot be read.
    told = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setPlaceholderText(_BY_HEADER)
        self.latest = Latest()
        self.latest.ready.connect(self._on_ready)
        self.latest.failed.connect(self._on_failed)

    def look(self, files: Sequence[Path]) -> None:
        """Ask the headers of files, in a thread."""
        self.latest.request(partial(told_airmass, tuple(files)))

    def number(self) -> float | None:
        """Return what is typed; None leaves it to the headers."""
        return typed_number(self.text(), "airmass")

    def _on_ready(self, text: str) -> None:
        self.setPlaceholderText(text or _BY_HEADER)

    def _on_failed(self, problem: BaseException) -> None:
        self.setPlaceholderText(_BY_HEADER)
        self.told.emit(str(problem) if isinstance(problem, KmosError) else notify(problem))
