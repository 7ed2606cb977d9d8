"""The accepted offsets as a table; whether a row may be used is ticked here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_kmos._napari.widgets.tables import filling
from napari_kmos.offset import Offset

_HEADINGS = ("use", "exp", "IFU", "dRA ″", "dDec ″", "± ″", "method", "file")
_TIPS = (
    "Whether the row may be used",
    "Number of the exposure, from 0",
    "IFU",
    "Correction to add to the header, east positive",
    "Correction to add to the header, north positive",
    "1 sigma",
    "How it was found",
    "File of the exposure",
)
_USE, _FILE = 0, len(_HEADINGS) - 1


class OffsetTable(QTableWidget):
    """Offset rows, read only but for their tick."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADINGS))
        self._offsets: tuple[Offset, ...] = ()
        self.setHorizontalHeaderLabels(_HEADINGS)
        for column, tip in enumerate(_TIPS):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setMinimumHeight(120)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(_FILE, QHeaderView.ResizeMode.Stretch)
        self.itemChanged.connect(self._on_ticked)

    def show_offsets(self, offsets: Sequence[Offset]) -> None:
        """Show rows; does not tell."""
        self._offsets = tuple(offsets)
        with filling(self):
            self.setRowCount(len(self._offsets))
            for row, offset in enumerate(self._offsets):
                self._show_row(row, offset)

    def _show_row(self, row: int, offset: Offset) -> None:
        texts = (
            "",
            str(offset.exposure),
            "" if offset.ifu is None else str(offset.ifu),
            f"{offset.dra_arcsec:+.3f}",
            f"{offset.ddec_arcsec:+.3f}",
            f"{offset.err_arcsec:.3f}",
            offset.method,
            offset.file,
        )
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(offset.note or text)
            if column == _USE:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if offset.accepted else Qt.CheckState.Unchecked)
            self.setItem(row, column, item)

    def _on_ticked(self, item: QTableWidgetItem) -> None:
        if item.column() == _USE:
            accepted = item.checkState() == Qt.CheckState.Checked
            rows = list(self._offsets)
            rows[item.row()] = dataclasses.replace(rows[item.row()], accepted=accepted)
            self._offsets = tuple(rows)
            self.changed.emit(self._offsets)
