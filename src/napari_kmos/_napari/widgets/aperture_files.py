"""Buttons that ask from which file apertures are read, and to which they are written."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_kmos._napari.widgets.files import APERTURES, STARS, ask_open, ask_save
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos.session import Session


class ApertureFiles(QWidget):
    """Two buttons; the last file of the session is offered for writing."""

    read_requested = Signal(object)
    save_requested = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        read = button(
            "Read apertures…",
            "Add the apertures of an ECSV or ds9 region file, or the stars of a catalogue",
            self._on_read,
        )
        save = button("Save apertures…", "Write the apertures to an ECSV or ds9 region file", self._on_save)
        row = row_of(read, save)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)

    def _on_read(self) -> None:
        if path := ask_open(self, "Read apertures", STARS):
            self.read_requested.emit(path)

    def _on_save(self) -> None:
        if path := ask_save(self, "Save apertures", self.session.apertures_file or Path("apertures.ecsv"), APERTURES):
            self.save_requested.emit(path)
