"""The rows of the alignment as a table: an exposure and IFU each, where it stands and what was decided."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QEvent, QItemSelectionModel, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from napari_kmos._napari.align_rows import BY_CLICKS, BY_HAND, HEADER, REFERENCE, AlignRow, Identity
from napari_kmos._napari.widgets.tables import filling
from napari_kmos.words import tip_text

_COLUMNS = {
    "decision": "What was decided; else: moved by hand, measured, or doubtful, which is measured without success",
    "IFU": "Number of the IFU; empty for a mosaic",
    "exp": "Number of the exposure, from 0, in the order of the files",
    "epoch": "Night, or group of exposures",
    "half": "1 before, 2 after the interruption of the OB for its sky",
    "dRA ″": "Correction of right ascension on the sky in arcsec, east positive",
    "dDec ″": "Correction of declination in arcsec, north positive",
    "± ″": "1 sigma of each of the two, in arcsec",
    "x": "The correction in spaxels, along the rows of the cube",
    "y": "The correction in spaxels, along the columns of the cube",
    "score": "Evidence for what was measured: logarithm of odds",
    "method": "How the offset was found",
    "turn °": "Rotation added to the position angle, in degrees; shown where a row has one",
    "against": "What it is counted from: an exposure that keeps to its header, an image or a catalogue; "
    "rows against different things do not fit together",
}
#: On the ground of a dark theme, and of a light one.
_COLOURS = {
    "accepted": ("#5fd38d", "#14703b"),
    "rejected": ("#ff7b72", "#b3261e"),
    "skipped": ("#9a9a9a", "#5f5f5f"),
    "measured": ("#9ecbff", "#1259b0"),
    "doubtful": ("#ffd166", "#7f5300"),
}
_LIGHT = 128
_NUMBERS_FROM, _NUMBERS_TO = 5, 10
_ROW_MARGIN = 6
_N_ROWS = 7


class RowTable(QTableWidget):
    """Rows to choose from; tells the identity of the one chosen."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(0, len(_COLUMNS))
        self._identities: list[Identity] = []
        self.setHorizontalHeaderLabels(list(_COLUMNS))
        for column, tip in enumerate(_COLUMNS.values()):
            self.horizontalHeaderItem(column).setToolTip(tip)
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setWordWrap(False)
        self.horizontalHeader().setMinimumSectionSize(20)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        height = self.fontMetrics().height() + _ROW_MARGIN
        self.verticalHeader().setDefaultSectionSize(height)
        self.setMinimumHeight((_N_ROWS + 1) * height + 2 * _ROW_MARGIN)
        self.itemSelectionChanged.connect(self._on_chosen)

    def show_rows(self, rows: Sequence[AlignRow], chosen: Identity | None) -> None:
        """Show rows, one of them chosen; does not tell."""
        self._identities = [row.identity for row in rows]
        exposures = _exposures(rows)
        with filling(self):
            self.setRowCount(len(rows))
            self.setColumnHidden(list(_COLUMNS).index("turn °"), not any(row.offset.rotation_deg for row in rows))
            for number, row in enumerate(rows):
                self._show_row(number, row, exposures.get(row.offset.against, row.offset.against))
        self.show_chosen(chosen)

    def show_chosen(self, identity: Identity | None) -> None:
        """Show that a row is chosen; does not tell."""
        with QSignalBlocker(self):
            if identity not in self._identities:
                self.clearSelection()
                return
            place = self.model().index(self._identities.index(identity), 0)
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            self.selectionModel().setCurrentIndex(place, flags)
            self.scrollTo(place)

    def changeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            for number in range(self.rowCount()):
                self._colour(number)

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Tell of a click on the row that is chosen already, too: it may have been left."""
        before = self.selectionModel().selectedRows()
        super().mousePressEvent(event)
        if before and before == self.selectionModel().selectedRows():
            self._on_chosen()

    def _show_row(self, number: int, row: AlignRow, short: str) -> None:
        word = decision_of(row)
        against = f"against {row.offset.against}" if row.offset.against else ""
        tip = "\n".join(
            part for part in (str(row.path), row.cube.label, against, row.offset.note, proposal_text(row)) if part
        )
        turn = f"{row.offset.rotation_deg:+.3f}" if row.offset.rotation_deg else ""
        for column, text in enumerate((word, *_texts(row), turn, short)):
            item = QTableWidgetItem(text)
            item.setToolTip(tip_text(tip))
            if _NUMBERS_FROM <= column <= _NUMBERS_TO:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.setItem(number, column, item)
        self._colour(number)

    def _colour(self, number: int) -> None:
        """Give what was decided the colour that is read in the theme."""
        item = self.item(number, 0)
        if item is not None and item.text() in _COLOURS:
            is_light = self.palette().base().color().lightness() > _LIGHT
            item.setForeground(QColor(_COLOURS[item.text()][is_light]))

    def _on_chosen(self) -> None:
        chosen = self.selectionModel().selectedRows()
        if chosen:
            self.chosen.emit(self._identities[chosen[0].row()])


def decision_of(row: AlignRow) -> str:
    """Return in a word what was decided of a row, or what is known without a decision."""
    if row.offset.decision:
        return row.offset.decision
    if row.offset.method == REFERENCE:
        return "reference"
    if row.offset.accepted:
        return "measured"
    if row.offset.method in (BY_HAND, BY_CLICKS):
        return "moved"
    return "doubtful" if row.proposal is not None and not row.proposal.accepted else ""


def proposal_text(row: AlignRow) -> str:
    """Return what was measured of a row, where that is not how it stands."""
    one = row.proposal
    if one is None or (one.method == row.offset.method and one.dra_arcsec == row.offset.dra_arcsec):
        return ""
    place = f"{one.dra_arcsec:+.3f}″ {one.ddec_arcsec:+.3f}″ ±{one.err_arcsec:.3f}″"
    second = "" if one.runner_up is None else "; runner-up {:+.2f}″ {:+.2f}″".format(*one.runner_up)
    margin = "" if one.margin is None else f", margin {one.margin:.1f}"
    return f"Proposal ({one.method}): {place}{second}{margin}. {one.note}".rstrip()


def _texts(row: AlignRow) -> tuple[str, ...]:
    offset = row.offset
    is_known = offset.method != HEADER or offset.decision
    x, y = row.spaxels()
    numbers = (f"{offset.dra_arcsec:+z.3f}", f"{offset.ddec_arcsec:+z.3f}", _number(offset.err_arcsec, ".3f"))
    return (
        "" if row.cube.ifu is None else str(row.cube.ifu),
        str(row.exposure),
        row.epoch,
        "" if row.half is None else str(row.half),
        *(numbers if is_known else ("", "", "")),
        *((f"{x:+z.2f}", f"{y:+z.2f}") if is_known else ("", "")),
        "" if offset.score is None else _number(offset.score, ".1f"),
        offset.method if row.kind == "exposure" or is_known else row.kind,
    )


def _exposures(rows: Sequence[AlignRow]) -> dict[str, str]:
    """Return numbers for the names of exposures, which are long and much alike; of those that share a name, none."""
    names = {row.path: (row.path.name, f"exp {row.exposure}") for row in rows}
    several = Counter(name for name, _ in names.values())
    return {name: number for name, number in names.values() if several[name] == 1}


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else f"{value:{form}}"
