"""Stars and sky areas as a table; ids are edited here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_kmos._napari.widgets.tables import filling
from napari_kmos.aperture import Aperture

_HEADINGS = ("id", "kind", "RA °", "Dec °", "radius ″", "SNR")
_ID = 0


class ApertureTable(QTableWidget):
    """Apertures, read only but for their id."""

    renamed = Signal(str, str)
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADINGS))
        self._rows: list[tuple[str, ...]] = []
        self.setHorizontalHeaderLabels(_HEADINGS)
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(100)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(_ID, QHeaderView.ResizeMode.Stretch)
        self.itemChanged.connect(self._on_edited)
        self.itemSelectionChanged.connect(self._on_chosen)

    def show_apertures(self, apertures: Sequence[Aperture], selected: Sequence[str], snr: Mapping[str, float]) -> None:
        """Show apertures, those selected, and the SNR of those it is known of; does not tell."""
        rows = [_texts(aperture, snr.get(aperture.id)) for aperture in apertures]
        if rows != self._rows:
            with filling(self):
                self.setRowCount(len(rows))
                for number, texts in enumerate(rows):
                    if self._rows[number : number + 1] != [texts]:
                        self._show_row(number, texts)
            self._rows = rows
        self._show_selected({row for row, texts in enumerate(rows) if texts[_ID] in selected})

    def _show_row(self, row: int, texts: Sequence[str]) -> None:
        for column, text in enumerate(texts):
            item = self.item(row, column)
            if item is not None:
                item.setText(text)
                continue
            item = QTableWidgetItem(text)
            if column != _ID:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
            else:
                item.setToolTip("Double-click to give it another id")
            self.setItem(row, column, item)

    def _show_selected(self, rows: set[int]) -> None:
        if rows == {index.row() for index in self.selectionModel().selectedRows()}:
            return
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        with QSignalBlocker(self):
            self.clearSelection()
            for row in rows:
                self.selectionModel().select(self.model().index(row, _ID), flags)

    def _on_edited(self, item: QTableWidgetItem) -> None:
        before, wanted = self._rows[item.row()][_ID], item.text().strip()
        if wanted and wanted != before:
            self.renamed.emit(before, wanted)
        else:
            item.setText(before)

    def _on_chosen(self) -> None:
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        self.chosen.emit(tuple(self._rows[row][_ID] for row in rows))


def _texts(aperture: Aperture, snr: float | None) -> tuple[str, ...]:
    """Return what a row says."""
    return (
        aperture.id,
        aperture.kind,
        f"{aperture.ra:.6f}",
        f"{aperture.dec:+.6f}",
        f"{aperture.radius_arcsec:.2f}",
        "" if snr is None else f"{snr:.1f}",
    )
