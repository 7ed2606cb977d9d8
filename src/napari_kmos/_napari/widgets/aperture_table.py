"""Stars and sky areas as a table; ids are edited here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qtpy.QtCore import QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_kmos._napari.widgets.tables import filling
from napari_kmos.aperture import Aperture
from napari_kmos.words import counted, tip_text

_HEADINGS = ("id", "kind", "SNR", "change", "remark", "side", "radius ″", "RA °", "Dec °")
_TIPS = {
    "side": "Side of the ring from which the sky comes",
    "SNR": "Of the live spectrum, else as extracted the last time",
    "change": "SNR as extracted the last time over that of the time before",
    "remark": "What is missing of the aperture or its sky; blended stars",
}
_ID, _REMARK = 0, _HEADINGS.index("remark")
_REMARK_WIDTH = 130


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of the spectra of apertures, by id."""

    snr: Mapping[str, float] = field(default_factory=dict)
    change: Mapping[str, float] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)


class ApertureTable(QTableWidget):
    """Apertures, read only but for their id."""

    renamed = Signal(str, str)
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(_HEADINGS))
        self._rows: list[tuple[str, ...]] = []
        self.setHorizontalHeaderLabels(_HEADINGS)
        for column, name in enumerate(_HEADINGS):
            self.horizontalHeaderItem(column).setToolTip(_TIPS.get(name, ""))
        self.verticalHeader().hide()
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(100)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setSectionResizeMode(_REMARK, QHeaderView.ResizeMode.Interactive)
        self.setColumnWidth(_REMARK, _REMARK_WIDTH)
        self.itemChanged.connect(self._on_edited)
        self.itemSelectionChanged.connect(self._on_chosen)
        self.clicked.connect(self._on_chosen)  # on a row that is selected already, too

    def show_apertures(self, apertures: Sequence[Aperture], selected: Sequence[str], known: Known) -> None:
        """Show apertures, those selected, and what is known of their spectra; does not tell."""
        rows = [_texts(aperture, known) for aperture in apertures]
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
            if item is None:
                item = QTableWidgetItem()
                if column != _ID:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.setItem(row, column, item)
            item.setText(text)
            item.setToolTip("Double-click to give it another id" if column == _ID else tip_text(text))

    def _show_selected(self, rows: set[int]) -> None:
        if rows == {index.row() for index in self.selectionModel().selectedRows()}:
            return
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        with QSignalBlocker(self):
            self.clearSelection()
            for row in rows:
                self.selectionModel().select(self.model().index(row, _ID), flags)
        if rows:
            self.scrollToItem(self.item(min(rows), _ID))

    def _on_edited(self, item: QTableWidgetItem) -> None:
        before, wanted = self._rows[item.row()][_ID], item.text().strip()
        if wanted and wanted != before:
            self.renamed.emit(before, wanted)
        else:
            item.setText(before)

    def _on_chosen(self) -> None:
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        self.chosen.emit(tuple(self._rows[row][_ID] for row in rows))


def _texts(aperture: Aperture, known: Known) -> tuple[str, ...]:
    """Return what a row says."""
    snr, change = known.snr.get(aperture.id), known.change.get(aperture.id)
    remark = known.remarks.get(aperture.id, "")
    hidden = len(aperture.excluded_spaxels)
    return (
        aperture.id,
        aperture.kind,
        "" if snr is None else f"{snr:.1f}",
        "" if change is None else f"x {change:.2f}",
        "; ".join(part for part in (remark, f"{counted(hidden, 'spaxel')} excluded" if hidden else "") if part),
        aperture.sky_side,
        f"{aperture.radius_arcsec:.2f}",
        f"{aperture.ra:.6f}",
        f"{aperture.dec:+.6f}",
    )
