"""Stars and sky areas as a table; ids are edited here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QItemSelectionModel, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_kmos._napari.widgets.parts import filling
from napari_kmos.aperture import Aperture

_HEADINGS = ("id", "kind", "RA °", "Dec °", "radius ″", "SNR")
_ID = 0


class ApertureTable(QTableWidget):
    """Apertures, read only but for their id."""

    renamed = Signal(str, str)
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADINGS))
        self._ids: list[str] = []
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
        with filling(self):
            self._ids = [aperture.id for aperture in apertures]
            self.setRowCount(len(apertures))
            for row, aperture in enumerate(apertures):
                self._show_row(row, aperture, snr.get(aperture.id))
            self.clearSelection()
            for row in (self._ids.index(id_) for id_ in selected if id_ in self._ids):
                flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
                self.selectionModel().select(self.model().index(row, _ID), flags)

    def _show_row(self, row: int, aperture: Aperture, snr: float | None) -> None:
        texts = (
            aperture.id,
            aperture.kind,
            f"{aperture.ra:.6f}",
            f"{aperture.dec:+.6f}",
            f"{aperture.radius_arcsec:.2f}",
            "" if snr is None else f"{snr:.1f}",
        )
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

    def _on_edited(self, item: QTableWidgetItem) -> None:
        before, wanted = self._ids[item.row()], item.text().strip()
        if wanted and wanted != before:
            self.renamed.emit(before, wanted)
        else:
            item.setText(before)

    def _on_chosen(self) -> None:
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        self.chosen.emit(tuple(self._ids[row] for row in rows))
