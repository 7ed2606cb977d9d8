"""The spectrum with the windows of the maps on it: dragged whole or by an edge."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal

from napari_kmos._napari.plot_windows import PlotWindows
from napari_kmos._napari.plots import pg
from napari_kmos._napari.schemes import BLUE, PINK
from napari_kmos._napari.widgets.live_plot import LivePlot
from napari_kmos.spectral.windows import Window

_EVERYTHING = (1e-6, 1e6)


class WindowPlot(LivePlot):
    """A live spectrum with one line window and any number of continuum windows."""

    #: The windows while they are dragged: the line's and the tuple of the others.
    dragged = Signal(object, object)
    #: A drag has ended.
    dropped = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.line, self.continuum = PlotWindows(self, PINK), PlotWindows(self, BLUE)
        for windows in (self.line, self.continuum):
            windows.dragged.connect(self._on_dragged)
            windows.dropped.connect(self.dropped)

    @property
    def regions(self) -> list:
        """What is drawn: the line's window first."""
        return [*self.line.regions, *self.continuum.regions]

    def show_windows(self, line: Window | None, continuum: Sequence[Window]) -> None:
        """Show these windows; does not tell."""
        self.line.show_windows(() if line is None else (line,))
        self.continuum.show_windows(() if line is None else continuum)

    def zoom_to_windows(self) -> None:
        """Show the windows with as much room on either side; the button in the corner shows all again."""
        if self.regions:
            edges = [edge for window in (*self.line.windows(), *self.continuum.windows()) for edge in window]
            self.plot.setXRange(min(edges), max(edges), padding=0.5)
            self.keep_range()

    def range_um(self) -> Window:
        """Return the range of wavelengths in view, which is all of them where there is no plot."""
        if pg is None:
            return _EVERYTHING
        low, high = self.plot.viewRange()[0]
        return max(low, _EVERYTHING[0]), high

    def _on_dragged(self) -> None:
        (line,) = self.line.windows()
        self.dragged.emit(line, self.continuum.windows())
