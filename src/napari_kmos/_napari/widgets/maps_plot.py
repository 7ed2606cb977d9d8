"""The spectrum with the windows of the maps on it: dragged whole or by an edge."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Signal

from napari_kmos._napari.plots import pg
from napari_kmos._napari.widgets.live_plot import LivePlot
from napari_kmos.spectral.windows import Window

_LINE, _CONTINUUM = (255, 92, 87), (130, 170, 255)
_ALPHA, _ALPHA_HOVER = 60, 95
_BELOW_MARKER = 5
_EVERYTHING = (1e-6, 1e6)


class WindowPlot(LivePlot):
    """A live spectrum with one line window and any number of continuum windows."""

    #: The windows while they are dragged: the line's and the tuple of the others.
    dragged = Signal(object, object)
    #: A drag has ended.
    dropped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.regions: list = []

    def show_windows(self, line: Window | None, continuum: Sequence[Window]) -> None:
        """Show these windows; does not tell."""
        windows = [] if line is None else [line, *continuum]
        if pg is None:
            return
        for region in self.regions[len(windows) :]:
            self.plot.removeItem(region)
        del self.regions[len(windows) :]
        for number, window in enumerate(windows):
            if number == len(self.regions):
                self.regions.append(self._made(_CONTINUUM if number else _LINE))
            with QSignalBlocker(self.regions[number]):
                self.regions[number].setRegion(window)

    def zoom_to_windows(self) -> None:
        """Show the windows with as much room on either side; the button in the corner shows all again."""
        if self.regions:
            edges = [edge for region in self.regions for edge in region.getRegion()]
            self.plot.setXRange(min(edges), max(edges), padding=0.5)
            self.keep_range()

    def range_um(self) -> Window:
        """Return the range of wavelengths in view, which is all of them where there is no plot."""
        if pg is None:
            return _EVERYTHING
        low, high = self.plot.viewRange()[0]
        return max(low, _EVERYTHING[0]), high

    def _made(self, colour: tuple[int, int, int]):
        region = pg.LinearRegionItem(
            brush=(*colour, _ALPHA), hoverBrush=(*colour, _ALPHA_HOVER), pen=pg.mkPen(colour, width=1.5)
        )
        region.setZValue(_BELOW_MARKER)
        region.sigRegionChanged.connect(self._on_dragged)
        region.sigRegionChangeFinished.connect(self._on_dropped)
        self.plot.addItem(region, ignoreBounds=True)
        return region

    def _on_dragged(self) -> None:
        line, *continuum = (tuple(float(edge) for edge in region.getRegion()) for region in self.regions)
        self.dragged.emit(line, tuple(continuum))

    def _on_dropped(self) -> None:
        self.dropped.emit()
