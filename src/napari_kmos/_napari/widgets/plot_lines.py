"""The list of lines: which are marked, where, and the velocity that moves the marks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_kmos._napari.errors import notified
from napari_kmos._napari.plotted import lines_of
from napari_kmos._napari.widgets.files import LINES, ask_open, ask_save
from napari_kmos._napari.widgets.parts import button, number, row_of
from napari_kmos._napari.widgets.tables import filling
from napari_kmos.io import read_line_list, write_line_list
from napari_kmos.session import Session
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.windows import Window
from napari_kmos.spectrum import SpectralLine
from napari_kmos.words import tip_text

_COLUMNS = {"line": "Marked or not, and its name", "µm": "Vacuum wavelength at rest", "kind": "Line, blend or head"}
_NAME, _WAVE, _KIND = range(3)
_FASTEST_KMS, _STEP_KMS = 20000.0, 10.0
_LEAST_HEIGHT = 90


class LinesEdit(QWidget):
    """A table of lines to edit, and what reads and writes it; all is kept in the session.

    Parameters
    ----------
    session : Session
        Its ``lines`` and ``velocity_kms`` are shown and set.
    span : callable
        Returns the range of what is plotted in micron; lines beyond are not listed.
    here : callable
        Returns where the wavelength cursor is, in micron.
    """

    told = Signal(str)

    def __init__(self, session: Session, span: Callable[[], Window], here: Callable[[], float]) -> None:
        super().__init__()
        self._session, self._span, self._here = session, span, here
        self._rows: list[int] = []
        tip = "Velocity by which the marks are moved, positive away from us"
        self.velocity = number(-_FASTEST_KMS, _FASTEST_KMS, 0.0, unit=" km/s", step=_STEP_KMS, tip=tip)
        self.only_marked = QCheckBox("marked only")
        self.table = QTableWidget(0, len(_COLUMNS))
        self.table.setHorizontalHeaderLabels(list(_COLUMNS))
        for column, text in enumerate(_COLUMNS.values()):
            self.table.horizontalHeaderItem(column).setToolTip(text)
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setMinimumHeight(_LEAST_HEIGHT)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        edits = (
            button("Add", "Add a line that is seen at the wavelength cursor, at the velocity above", self._on_add),
            button("Remove", "Remove the selected lines", self._on_remove),
            button("Read…", "Take the lines of an ECSV file", self._on_read),
            button("Save…", "Write the lines to an ECSV file", self._on_save),
            button("Packaged", "Take the packaged list of all bands again", self._on_packaged),
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row_of(self.velocity, self.only_marked))
        column.addWidget(self.table, stretch=1)
        column.addLayout(row_of(*edits))
        self.velocity.valueChanged.connect(self._on_velocity)
        self.only_marked.toggled.connect(self.show_state)
        self.table.itemChanged.connect(self._on_edited)

    def show_state(self) -> None:
        """Show the lines of the session that lie in what is plotted; does not tell."""
        with QSignalBlocker(self.velocity):
            self.velocity.setValue(self._session.velocity_kms)
        first, last = self._span()
        lines = lines_of(self._session)
        is_listed = [
            first <= line.wavelength_um <= last and (line.marked or not self.only_marked.isChecked()) for line in lines
        ]
        self._rows = sorted((n for n, is_in in enumerate(is_listed) if is_in), key=lambda n: lines[n].wavelength_um)
        with filling(self.table):
            self.table.setRowCount(len(self._rows))
            for row, place in enumerate(self._rows):
                self._show_row(row, lines[place])

    def read(self, path: Path) -> None:
        """Take the lines of a file."""
        with notified(self.told.emit):
            self._session.lines = read_line_list(path)
            self._session.lines_file = path
            self.told.emit(f"{path.name}: {len(self._session.lines)} lines")

    def save(self, path: Path) -> None:
        """Write the lines; the dialog has asked whether to replace a file."""
        with notified(self.told.emit):
            write_line_list(lines_of(self._session), path, overwrite=True)
            self._session.lines_file = path
            self.told.emit(f"Written: {path}")

    def _show_row(self, row: int, line: SpectralLine) -> None:
        texts = (line.name, f"{line.wavelength_um:.6f}", line.kind)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(tip_text(f"{line.species} {line.source}".strip()))
            if column == _NAME:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if line.marked else Qt.CheckState.Unchecked)
            elif column == _KIND:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
            self.table.setItem(row, column, item)

    def _on_edited(self, item: QTableWidgetItem) -> None:
        """Take over what was typed or ticked, if it is a line."""
        lines = list(lines_of(self._session))
        place = self._rows[item.row()]
        name, wave = self.table.item(item.row(), _NAME), self.table.item(item.row(), _WAVE)
        try:
            wavelength_um = float(wave.text())
        except ValueError:
            wavelength_um = math.nan
        others = {line.name for number, line in enumerate(lines) if number != place}
        wanted = name.text().strip()
        if not (0 < wavelength_um < math.inf and wanted and wanted not in others):
            self.told.emit(f"{name.text()!r} at {wave.text()!r}: expected a name of its own, and micron in vacuum")
            self.show_state()
            return
        is_marked = name.checkState() == Qt.CheckState.Checked
        lines[place] = dataclasses.replace(lines[place], name=wanted, wavelength_um=wavelength_um, marked=is_marked)
        self._session.lines = tuple(lines)

    def _on_velocity(self, velocity_kms: float) -> None:
        self._session.velocity_kms = velocity_kms

    def _on_add(self) -> None:
        wavelength_um = self._here()
        lines = lines_of(self._session)
        if not math.isfinite(wavelength_um):
            self.told.emit("There is no wavelength cursor; open a cube, or put the cursor on the plot")
            return
        names = {line.name for line in lines}
        name = next(f"line {n}" for n in range(1, len(lines) + 2) if f"line {n}" not in names)
        at_rest_um = wavelength_um / (1 + self._session.velocity_kms / LIGHT_KMS)
        self._session.lines = (*lines, SpectralLine(name=name, wavelength_um=at_rest_um, source="user"))

    def _on_remove(self) -> None:
        gone = {self._rows[index.row()] for index in self.table.selectionModel().selectedRows()}
        lines = lines_of(self._session)
        self._session.lines = tuple(line for place, line in enumerate(lines) if place not in gone)

    def _on_read(self) -> None:
        if path := ask_open(self, "Read lines", LINES):
            self.read(path)

    def _on_save(self) -> None:
        if path := ask_save(self, "Save lines", self._session.lines_file or Path("lines.ecsv"), LINES):
            self.save(path)

    def _on_packaged(self) -> None:
        self._session.lines = None
