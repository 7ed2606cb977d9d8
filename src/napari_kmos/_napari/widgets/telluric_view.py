"""The fits of a correction: a table of the windows, and what the chosen one looks like."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QComboBox, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from napari_kmos._napari.plots import SpectrumPlot
from napari_kmos._napari.telluric import FittedStar
from napari_kmos._napari.widgets.tables import ResultTable

HINT = "What the correction does to the star, window by window, appears here"
_COLUMNS = {
    "window": "From, to (micron); click it to see its fit",
    "airmass": "Power of the standard's transmission for what is well mixed, 1 sigma",
    "water": "That for water",
    "shift": "By how many planes the target's absorption lies to the red of the standard's",
    "before %": "rms over the continuum where the atmosphere absorbs, by the airmasses of the headers",
    "after %": "The same by the fit",
    "planes": "Planes fitted",
    "note": "Why it was not fitted",
}
_LEAST = (300, 90)
_SHARES = (3, 1)


class TelluricView(QWidget):
    """Fits that were made, one of them shown."""

    def __init__(self) -> None:
        super().__init__()
        self.fits: tuple[FittedStar, ...] = ()
        self.which = QComboBox()
        self.which.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.which.setToolTip("Product and, of several, the IFU")
        self.plot = SpectrumPlot(hint=HINT, least_height=_LEAST[1])
        self.table = ResultTable(list(_COLUMNS), list(_COLUMNS.values()))
        self.table.setMinimumHeight(_LEAST[1])
        self.table.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        halves = QSplitter(Qt.Orientation.Vertical)
        for number, part in enumerate((self.plot, self.table)):
            halves.addWidget(part)
            halves.setStretchFactor(number, _SHARES[number])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.which)
        column.addWidget(halves, stretch=1)
        self.which.currentIndexChanged.connect(self._show_fit)
        self.table.itemSelectionChanged.connect(self._show_window)
        self.show_fits(())

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for little: what there is is taken."""
        return QSize(*_LEAST)

    def show_fits(self, fits: Sequence[FittedStar]) -> None:
        """Offer these fits, and show the first."""
        self.fits = tuple(fits)
        self.which.clear()
        self.which.addItems([fit.name for fit in fits])
        self.which.setVisible(len(fits) > 1)
        self._show_fit()

    def _show_fit(self) -> None:
        fit = self._fit()
        self.table.show_rows(() if fit is None else fit.rows)
        self.table.clearSelection()
        if fit is None:
            self.plot.show_curves((), unit=None)
        else:
            self.table.selectRow(0)

    def _show_window(self) -> None:
        fit, row = self._fit(), self.table.currentRow()
        if fit is not None and 0 <= row < len(fit.curves):
            self.plot.show_all()
            self.plot.show_curves(fit.curves[row], unit=None, label="flux / median")

    def _fit(self) -> FittedStar | None:
        return self.fits[self.which.currentIndex()] if self.which.currentIndex() >= 0 else None
