"""Live spectrum plots, and what stands in their place where pyqtgraph is not installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QLabel, QVBoxLayout

from napari_kmos._napari.curves import Curve, colour_in, names_in_colours, shown_range
from napari_kmos._napari.schemes import Scheme, ThemedWidget

try:
    import pyqtgraph as pg

    from napari_kmos._napari.plot_items import DrawBox, EdgeNames, ErrorBand, Grid, LineMarks, Marker, Shades
except ImportError:  # an optional part of the plugin, said in its place
    pg = None

NO_PLOT = "No plot: pyqtgraph is not installed. Install it with: pip install pyqtgraph"
HINT = "The spectra of the selected apertures appear here"
_HEADROOM, _SIDES = 0.08, 0.01
_SIZE = (300, 180)
#: About the axes: pyqtgraph draws the names of axes a little outside of what it keeps free for them.
_MARGIN = 5
#: Opacity of error bands, and of curves that are there for comparison.
_BAND, _FAINT, _OPAQUE = 70, 110, 255
#: Of more curves those that step back are not named, and none if there are still more.
_MOST_NAMED = 16
#: Pixels before the names of the curves, which stand above the plot, so that they cover none.
_BEFORE_NAMES = 62
_LOWEST, _BEHIND, _MARKS, _NAMES, _MARKER = -100, -1, 5, 6, 10


class SpectrumPlot(ThemedWidget):
    """Spectra over wavelength, and a marker at the wavelength the slider shows; in the theme of the window.

    Parameters
    ----------
    hint : str
        What stands over it while it is empty.
    least_height : int
        Of the plot, in pixels.
    """

    #: Whether the curves are named above.
    has_legend = True

    marker_moved = Signal(float)
    #: A window is drawn by the mouse: its ends in micron, and whether it is done.
    window_drawn = Signal(float, float, bool)

    def __init__(self, *, hint: str = HINT, least_height: int = _SIZE[1]) -> None:
        super().__init__()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.names: tuple[str, ...] = ()
        self.curves: list = []
        self._bands: list = []
        self._shown: Sequence[Curve] = ()
        self._is_zoomed = False
        if pg is None:
            self.message = QLabel(NO_PLOT)
            self.message.setWordWrap(True)
            self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(self.message)
            return
        self.plot = make_plot(least_height)
        self.legend = QLabel()
        self.legend.setWordWrap(True)
        self.plot.setLabel("bottom", "wavelength (µm)")
        self.marker = Marker(movable=True)
        self.marker.sigDragged.connect(self._on_marker_dragged)
        self.shades, self.marks, self.edge_names = Shades(), LineMarks(), EdgeNames()
        overlays = ((self.shades, _LOWEST), (self.marks, _MARKS), (self.edge_names, _NAMES), (self.marker, _MARKER))
        for item, depth in overlays:
            item.setZValue(depth)
            self.plot.addItem(item, ignoreBounds=True)
        self.plot.getViewBox().drawn.connect(self.window_drawn)
        self.plot.getViewBox().sigRangeChangedManually.connect(self.keep_range)
        self.plot.getPlotItem().autoBtn.clicked.connect(self.show_all)
        self.hint = QLabel(hint)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setWordWrap(True)
        self.hint.setVisible(bool(hint))
        layout.setSpacing(0)
        for widget in (self.hint, self.legend, self.plot):
            layout.addWidget(widget)
        self._dress()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for little: what there is is taken."""
        return QSize(*_SIZE)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Keep room for names, which are as large as before."""
        super().resizeEvent(event)
        if pg is not None:
            self._show_range(self._shown)

    def show_curves(self, curves: Sequence[Curve], *, unit: str | None, label: str = "flux") -> None:
        """Draw curves in place of those before; the range along y is kept clear of spikes. Of None no unit is told."""
        self.names, self._shown = tuple(curve.name for curve in curves), curves
        if pg is None:
            return
        self._draw()
        self.hint.setVisible(not curves and bool(self.hint.text()))
        is_told = bool(curves) and unit is not None
        self.plot.setLabel("left", f"{label} ({unit or 'unit unknown'})" if is_told else label)
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
            self.plot.setXRange(*span_um, padding=_SIDES)

    def limits(self, curves: Sequence[Curve]) -> tuple[float, float] | None:
        """Return the range along y that is shown until the user zooms; None without data."""
        return shown_range(curves)

    def colour_of(self, number: int) -> str:
        """Return the colour of a curve that is shown."""
        return colour_in(self.scheme, self._shown, number)

    def _draw(self) -> None:
        """Give the lines and bands there are new data, and make or remove what is too few or too many."""
        curves = self._shown
        bands = [number for number, curve in enumerate(curves) if curve.err is not None and curve.has_band]
        for items, make, n_wanted in (
            (self._bands, ErrorBand, len(bands)),
            (self.curves, pg.PlotCurveItem, len(curves)),
        ):
            while len(items) > n_wanted:
                self.plot.removeItem(items.pop())
            while len(items) < n_wanted:
                items.append(make())
                self.plot.addItem(items[-1])
        for band, number in zip(self._bands, bands, strict=True):
            curve = curves[number]
            band.show_band(curve.x, curve.y, curve.err, _through(self.colour_of(number), _BAND))
        for number, (line, curve) in enumerate(zip(self.curves, curves, strict=True)):
            colour = self.colour_of(number)
            line.setPen(pg.mkPen(_through(colour, _FAINT if curve.is_faint else _OPAQUE), width=1))
            line.setData(curve.x, curve.y, connect="finite")
            line.setZValue(_BEHIND if curve.is_faint else 0)
        self._show_legend()

    def _show_legend(self) -> None:
        """Name the curves, each in its colour."""
        curves = self._shown
        if len(curves) > _MOST_NAMED:
            curves = [curve for curve in curves if not curve.is_faint]
        text = names_in_colours(self.scheme, curves) if self.has_legend and len(curves) <= _MOST_NAMED else ""
        if text != self.legend.text():
            self.legend.setText(text)
        self.legend.setVisible(bool(text))

    def _show_range(self, curves: Sequence[Curve]) -> None:
        limits = self.limits(curves)
        if limits is None or self._is_zoomed:
            return
        box = self.plot.getViewBox()
        width, height = max(self.plot.width(), 1), max(self.plot.height(), 1)
        box.setYRange(*_with_room(limits, _HEADROOM, _HEADROOM + self.marks.room / height), padding=0)
        if box.linkedView(box.XAxis) is None:  # else it would take from the other the room for its names
            span = min(curve.x[0] for curve in curves), max(curve.x[-1] for curve in curves)
            box.setXRange(*_with_room(span, _SIDES + self.edge_names.room / width, _SIDES), padding=0)
        box.prepareForPaint()  # else it is done while all is painted, which then is painted twice

    def _dress(self) -> None:
        """Draw in the colours of the scheme."""
        if pg is None:
            return
        dress(self.plot, self.scheme)
        self.legend.setStyleSheet(f"background: {self.scheme.ground}; padding: 2px 6px 0 {_BEFORE_NAMES}px")
        for item in (self.shades, self.marks, self.edge_names):
            item.dress(self.scheme)
        self.marker.setPen(pg.mkPen(self.scheme.marker, width=1.5))
        self._draw()

    def _on_marker_dragged(self) -> None:
        self.marker_moved.emit(float(self.marker.value()))


def make_plot(least_height: int):
    """Return an empty plot."""
    plot = pg.PlotWidget(viewBox=DrawBox())
    plot.setMinimumHeight(least_height)
    plot.getPlotItem().layout.setContentsMargins(*4 * [_MARGIN])
    for side in ("left", "bottom"):
        plot.getAxis(side).enableAutoSIPrefix(False)
    plot.grid = Grid([plot.getAxis(side) for side in ("bottom", "left")])
    plot.grid.setZValue(_LOWEST - 1)
    plot.addItem(plot.grid, ignoreBounds=True)
    return plot


def dress(plot: Any, scheme: Scheme) -> None:
    """Give a plot of `make_plot` the colours of a scheme."""
    plot.setBackground(scheme.ground)
    for side in ("left", "bottom"):
        plot.getAxis(side).setPen(scheme.text)
        plot.getAxis(side).setTextPen(scheme.text)
    plot.grid.dress(scheme)


def _with_room(limits: tuple[float, float], before: float, after: float) -> tuple[float, float]:
    """Return a range with room at its ends, as shares of the whole; at most a half is room."""
    scale = (limits[1] - limits[0]) / max(1 - before - after, 0.5)
    return limits[0] - before * scale, limits[1] + after * scale


def _through(colour: str, opacity: int) -> QColor:
    """Return a colour that lets through what lies behind it."""
    made = QColor(colour)
    made.setAlpha(opacity)
    return made
