"""Live spectrum plots, and what stands in their place where pyqtgraph is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget
from scipy.ndimage import median_filter

try:
    import pyqtgraph as pg
except ImportError:  # an optional part of the plugin, said in its place
    pg = None

NO_PLOT = "No plot: pyqtgraph is not installed. Install it with: pip install pyqtgraph"
HINT = "The spectra of the selected apertures appear here"
COLOURS = ("#35e0e8", "#ffb454", "#c3e88d", "#ff79c6", "#82aaff", "#f5f5f5")
_UNUSUAL = 2.5
_HEADROOM = 0.08
_SIZE = (300, 180)
#: About the axes: pyqtgraph draws the names of axes a little outside of what it keeps free for them.
_MARGIN = 5
DARK, TEXT = "#14181d", "#d6d9de"
_LEGEND = (20, 24, 29, 210)


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """A line to plot.

    Parameters
    ----------
    name : str
        For the legend.
    x, y : ndarray, shape (n,)
        NaN is a gap.
    err : ndarray, same shape, optional
        1 sigma, drawn as a band.
    colour : str
        Of the line; empty is that of its place in the list.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    err: NDArray[np.float64] | None = None
    colour: str = ""


class SpectrumPlot(QWidget):
    """Spectra over wavelength, and a marker at the wavelength the slider shows; dark, as the canvas is.

    Parameters
    ----------
    hint : str
        What stands over it while it is empty.
    least_height : int
        Of the plot, in pixels.
    """

    marker_moved = Signal(float)

    def __init__(self, *, hint: str = HINT, least_height: int = _SIZE[1]) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.names: tuple[str, ...] = ()
        self.curves: list = []
        self._shown: Sequence[Curve] = ()
        self._is_zoomed = False
        if pg is None:
            self.message = QLabel(NO_PLOT)
            self.message.setWordWrap(True)
            self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(self.message)
            return
        self.plot, self.legend = make_plot(least_height)
        self.plot.setLabel("bottom", "wavelength (µm)")
        self.marker = pg.InfiniteLine(movable=True, pen=pg.mkPen("#ff5c57", width=1.5))
        self.marker.setZValue(10)
        self.marker.sigDragged.connect(self._on_marker_dragged)
        self.plot.addItem(self.marker, ignoreBounds=True)
        self.plot.getViewBox().sigRangeChangedManually.connect(self.keep_range)
        self.plot.getPlotItem().autoBtn.clicked.connect(self.show_all)
        self.hint = QLabel(hint)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setWordWrap(True)
        self.hint.setVisible(bool(hint))
        layout.addWidget(self.hint)
        layout.addWidget(self.plot)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for little: what there is is taken."""
        return QSize(*_SIZE)

    def show_curves(self, curves: Sequence[Curve], *, unit: str) -> None:
        """Draw curves in place of those before; the range along y is kept clear of spikes."""
        self.names, self._shown = tuple(curve.name for curve in curves), curves
        if pg is None:
            return
        for old in self.curves:
            self.plot.removeItem(old)
        self.curves = []
        for number, curve in enumerate(curves):
            self._draw(curve, curve.colour or COLOURS[number % len(COLOURS)])
        self.hint.setVisible(not curves and bool(self.hint.text()))
        self.plot.setLabel("left", f"flux ({unit})" if unit else "flux (unit unknown)" if curves else "flux")
        self._show_range(curves)

    def keep_range(self) -> None:
        """Keep the range there is, as the user chose it, until the button in the corner of the plot is pressed."""
        self._is_zoomed = True

    def show_all(self) -> None:
        """Show the whole range again."""
        self._is_zoomed = False
        self._show_range(self._shown)

    def show_marker(self, wavelength_um: float, span_um: tuple[float, float] | None) -> None:
        """Put the marker at a wavelength, or hide it if that is NaN; an empty plot shows the span. Does not tell."""
        if pg is None:
            return
        self.marker.setVisible(bool(np.isfinite(wavelength_um)))
        self.marker.setValue(np.nan_to_num(wavelength_um))
        if span_um is not None and not self._shown and not self._is_zoomed:
            self.plot.setXRange(*span_um, padding=0.01)

    def limits(self, curves: Sequence[Curve]) -> tuple[float, float] | None:
        """Return the range along y that is shown until the user zooms; None without data."""
        return shown_range(curves)

    def _draw(self, curve: Curve, colour: str) -> None:
        known = np.zeros(curve.x.shape, dtype=bool) if curve.err is None else np.isfinite(curve.y + curve.err)
        if known.any():
            x, y, err = curve.x[known], curve.y[known], curve.err[known]
            edges = [pg.PlotCurveItem(x, y + sign * err, pen=pg.mkPen(None)) for sign in (-1, 1)]
            faint = pg.mkColor(colour)
            faint.setAlpha(70)
            for item in (*edges, pg.FillBetweenItem(*edges, brush=faint)):
                self._add(item)
        line = pg.PlotDataItem(curve.x, curve.y, pen=pg.mkPen(colour, width=1), name=curve.name, connect="finite")
        self._add(line)

    def _add(self, item: object) -> None:
        self.plot.addItem(item)
        self.curves.append(item)

    def _show_range(self, curves: Sequence[Curve]) -> None:
        limits = self.limits(curves)
        if limits is None or self._is_zoomed:
            return
        self.plot.setYRange(*limits, padding=_HEADROOM)
        first, last = min(curve.x[0] for curve in curves), max(curve.x[-1] for curve in curves)
        self.plot.setXRange(first, last, padding=0.01)

    def _on_marker_dragged(self) -> None:
        self.marker_moved.emit(float(self.marker.value()))


def make_plot(least_height: int):
    """Return an empty plot, dark as the canvas is, and its legend."""
    plot = pg.PlotWidget(background=DARK)
    plot.setMinimumHeight(least_height)
    plot.getPlotItem().layout.setContentsMargins(*4 * [_MARGIN])
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(TEXT)
        axis.setTextPen(TEXT)
        axis.enableAutoSIPrefix(False)
    plot.showGrid(x=True, y=True, alpha=0.15)
    return plot, plot.addLegend(offset=(-10, 5), labelTextColor=TEXT, brush=_LEGEND)


def shown_range(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return the range along y that shows the lines of the source but not the noise under bright sky lines.

    Where the error is much larger than usual, values do not count, nor do spikes of a single pixel.
    """
    values = [median_filter(curve.y[np.isfinite(curve.y) & _is_usual(curve)], size=3) for curve in curves]
    together = np.concatenate(values) if values else np.empty(0)
    if not together.size:
        return None
    low, high = float(together.min()), float(together.max())
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _is_usual(curve: Curve) -> NDArray[np.bool_]:
    """Where the error of a curve is not far above its median; everywhere if it is not known."""
    if curve.err is None or not np.isfinite(curve.err).any():
        return np.ones(curve.y.shape, dtype=bool)
    return ~(curve.err > _UNUSUAL * np.nanmedian(curve.err))
