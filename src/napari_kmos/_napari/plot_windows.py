"""Windows of wavelength on a plot: dragged whole or by an edge."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QObject, QSignalBlocker, Signal
from qtpy.QtGui import QColor

from napari_kmos._napari import plots
from napari_kmos.spectral.windows import Window

_ALPHA, _ALPHA_HOVER = 60, 95
_BELOW_MARKER = 4


class PlotWindows(QObject):
    """Windows of one kind on a plot.

    Parameters
    ----------
    plot : SpectrumPlot
        Where they are drawn.
    place : int
        Of their colour in the scheme of the plot.
    """

    #: The windows while one of them is dragged.
    dragged = Signal(object)
    #: A drag has ended.
    dropped = Signal()

    def __init__(self, plot: plots.SpectrumPlot, place: int) -> None:
        super().__init__(plot)
        self._plot, self._place = plot, place
        self.regions: list = []

    def show_windows(self, windows: Sequence[Window]) -> None:
        """Show these windows; does not tell."""
        if plots.pg is None:
            return
        while len(self.regions) > len(windows):
            self._plot.plot.removeItem(self.regions.pop())
        while len(self.regions) < len(windows):
            self.regions.append(self._made())
        for region, window in zip(self.regions, windows, strict=True):
            with QSignalBlocker(region):
                region.setRegion(window)

    def windows(self) -> tuple[Window, ...]:
        """Return the windows as they are drawn."""
        return tuple((float(first), float(last)) for first, last in (region.getRegion() for region in self.regions))

    def _made(self):
        brush, hover = QColor(self._plot.scheme.curves[self._place]), QColor(self._plot.scheme.curves[self._place])
        pen = plots.pg.mkPen(brush, width=1.5)
        brush.setAlpha(_ALPHA)
        hover.setAlpha(_ALPHA_HOVER)
        region = plots.pg.LinearRegionItem(brush=brush, hoverBrush=hover, pen=pen)
        region.setZValue(_BELOW_MARKER)
        region.sigRegionChanged.connect(self._on_dragged)
        region.sigRegionChangeFinished.connect(self.dropped)
        self._plot.plot.addItem(region, ignoreBounds=True)
        return region

    def _on_dragged(self) -> None:
        self.dragged.emit(self.windows())
