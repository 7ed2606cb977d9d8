"""What is measured: windows of the SNR and of a line, how, and the table of the results."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from qtpy.QtCore import QItemSelectionModel, QSignalBlocker, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QLabel, QVBoxLayout, QWidget

from napari_kmos._napari.measuring import fit_text
from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.parts import Message, button, folded, row_of
from napari_kmos._napari.widgets.plot_windows import WindowsEdit
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.tables import ResultTable
from napari_kmos.measure import PROFILES, LineFit, MeasureParameters, StarMeasurement
from napari_kmos.measure.indices import BR_GAMMA, CO, Index
from napari_kmos.session import Session
from napari_kmos.spectral.windows import Window

_WINDOWS_TIP = "Continuum in which the SNR is measured."
_LINE_TIP = "About the line that is fitted, with continuum on both sides."
_AA_PER_UM = 1e4
_NONE = Index(name="")
_COLUMNS = {
    "id": "Of the star",
    "from": "Where the spectrum comes from: it tells the epochs or reductions of a star apart",
    "SNR": "By the continuum: median over standard deviation in the windows, after a polynomial of degree 2 or less in "
    "each",
    "noise": "SNR by the propagated noise: median of flux over 1 sigma in the same windows",
    "DER": "DER_SNR (Stoehr et al. 2008): median over 1.482602 / √6 times the median of |2 f[k] - f[k-2] - f[k+2]|; "
    "like the first too large where neighbouring planes are correlated",
    "v": "Radial velocity in km/s",
    "± v": "1 sigma, those of zero point and rest wavelength included",
    "CO": "CO 2.29 µm: equivalent width in Å (Frogel et al. 2001), positive in absorption",
    "± CO": "1 sigma",
    "Br g": "Br gamma: equivalent width in Å, positive in absorption",
    "± Br g": "1 sigma",
    "class": "late, early or unknown, by CO and Br gamma",
    "line": "The line in the chosen window",
    "EW": "Its equivalent width in Å, positive in absorption",
    "± EW": "1 sigma, the continuum's included",
    "note": "What could not be measured, and why",
}
_ID = 0


class MeasureEdit(QWidget):
    """Windows, parameters, and the buttons; windows and profile are kept in the session.

    Parameters
    ----------
    session : Session
        Its ``snr_um``, ``fit_um`` and ``fit_profile`` are shown and set.
    view : callable
        Returns the range in view in micron.
    """

    measure_requested = Signal()
    write_requested = Signal()
    refused = Signal(str)

    def __init__(self, session: Session, view: Callable[[], Window]) -> None:
        super().__init__()
        self._session = session
        self.snr = WindowsEdit("SNR", _WINDOWS_TIP, view, placeholder="continuum windows of the band")
        self.line = WindowsEdit("Line", _LINE_TIP, view, most=1, placeholder="none: Shift and drag over one")
        self.profile = QComboBox()
        self.profile.addItems(list(PROFILES))
        self.fit = Message()
        self.form = ParameterForm(MeasureParameters, exclude=("profile",))
        self.remembered = Remembered(session, "measure", {}, self.form)
        self.overwrite = QCheckBox("replace")
        self.overwrite.setToolTip("Replace files that exist")
        measure = button("Measure all", "Measure every spectrum that is plotted", self.measure_requested.emit)
        write = button("Write results", "The table as ECSV and LaTeX, and ds9 regions", self.write_requested.emit)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.snr)
        column.addWidget(self.line)
        column.addLayout(row_of(QLabel("Profile"), self.profile))
        column.addWidget(self.fit)
        column.addLayout(row_of(measure, write, self.overwrite))
        column.addWidget(folded("Parameters", self.form))
        column.addStretch()
        self.snr.changed.connect(self._on_snr)
        self.line.changed.connect(self._on_line)
        self.snr.refused.connect(self.refused)
        self.line.refused.connect(self.refused)
        self.profile.currentTextChanged.connect(self._on_profile)

    def show_state(self) -> None:
        """Show what the session says; does not tell."""
        self.snr.show_windows(self._session.snr_um)
        self.line.show_windows(() if self._session.fit_um is None else (self._session.fit_um,))
        with QSignalBlocker(self.profile):
            self.profile.setCurrentText(self._session.fit_profile)

    def show_fit(self, fit: LineFit | None) -> None:
        """Tell what the fit in the window gave."""
        self.fit.say("" if fit is None else fit_text(fit))

    def _on_snr(self, windows: tuple[Window, ...]) -> None:
        self._session.snr_um = windows

    def _on_line(self, windows: tuple[Window, ...]) -> None:
        self._session.fit_um = windows[-1] if windows else None

    def _on_profile(self, profile: str) -> None:
        self._session.fit_profile = profile


class ResultsTable(ResultTable):
    """A row a spectrum, sorted by a click on a heading; the rows selected are the stars selected."""

    #: Ids of the selected rows.
    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__(list(_COLUMNS), list(_COLUMNS.values()))
        self.setSortingEnabled(True)
        self.sortByColumn(-1, self.horizontalHeader().sortIndicatorOrder())
        self.itemSelectionChanged.connect(self._on_selected)

    def show_measured(self, stars: Sequence[StarMeasurement], selected: Sequence[str]) -> None:
        """Show what was measured; does not tell."""
        self.show_rows([_cells(star) for star in stars])
        self.show_selected(selected)

    def show_selected(self, ids: Sequence[str]) -> None:
        """Show that stars are selected; does not tell."""
        rows = [row for row in range(self.rowCount()) if self.item(row, _ID).text() in ids]
        if set(rows) == set(self._selected()):
            return
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        with QSignalBlocker(self):
            self.clearSelection()
            for row in rows:
                self.selectionModel().select(self.model().index(row, _ID), flags)
            if rows:
                self.scrollToItem(self.item(rows[0], _ID))

    def _selected(self) -> list[int]:
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def _on_selected(self) -> None:
        self.chosen.emit(tuple(dict.fromkeys(self.item(row, _ID).text() for row in self._selected())))


def _cells(star: StarMeasurement) -> tuple[str | float, ...]:
    """Return what a row says."""
    snr = (math.nan,) * 3 if star.snr is None else (star.snr.value, star.snr.propagated, star.snr.der)
    co, br_gamma = (star.indices.get(name, _NONE) for name in (CO, BR_GAMMA))
    fit = star.lines[0] if star.lines else None
    line = ("", math.nan, math.nan)
    if fit is not None:
        widths = (math.nan, math.nan) if fit.reason else (_AA_PER_UM * fit.width_um, _AA_PER_UM * fit.width_err_um)
        line = (fit.line.name, *widths)
    reasons = (*star.notes, star.velocity.reason, co.reason, br_gamma.reason, "" if fit is None else fit.reason)
    return (
        star.id,
        star.file,
        *snr,
        star.velocity.kms,
        star.velocity.err_kms,
        co.width_aa,
        co.err_aa,
        br_gamma.width_aa,
        br_gamma.err_aa,
        star.category,
        *line,
        "; ".join(dict.fromkeys(reason for reason in reasons if reason)),
    )
