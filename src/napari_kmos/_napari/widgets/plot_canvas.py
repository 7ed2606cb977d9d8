"""The plot of many spectra, their differences below, and the windows that are dragged on it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QSplitter, QVBoxLayout, QWidget

from napari_kmos._napari import commands
from napari_kmos._napari.curves import Curve
from napari_kmos._napari.plot_items import Name
from napari_kmos._napari.plot_windows import PlotWindows
from napari_kmos._napari.plots import SpectrumPlot, pg
from napari_kmos._napari.plotted import Drawn
from napari_kmos._napari.schemes import BLUE, GREEN, PINK, PLAIN
from napari_kmos.report.traces import STACK, Look, Trace
from napari_kmos.report.traces_figure import banded, sky_shades
from napari_kmos.spectral.windows import Window
from napari_kmos.spectrum import SpectralLine

HINT = "Add files of spectra, or select stars: they appear here"
CONTINUUM, SNR, LINE = "continuum", "snr", "line"
_PLACES = {CONTINUUM: GREEN, SNR: BLUE, LINE: PINK}
_SHARES = (2, 1)
_LEAST_HEIGHT, _LEAST_BELOW, _AXIS_WIDTH = 150, 100, 62
_EVERYTHING = (0.7, 2.6)


class PlotCanvas(QWidget):
    """Spectra above, differences below where there are some; zoomed and scrolled together."""

    marker_moved = Signal(float)
    #: A kind of windows, and these, while they are dragged.
    windows_dragged = Signal(str, object)
    #: A window is drawn by the mouse: its ends, and whether it is done.
    window_drawn = Signal(float, float, bool)

    def __init__(self) -> None:
        super().__init__()
        self.spectra = SpectrumPlot(hint=HINT, least_height=_LEAST_HEIGHT)
        self.differences = SpectrumPlot(hint="", least_height=_LEAST_BELOW)
        self.windows = {kind: PlotWindows(self.spectra, place) for kind, place in _PLACES.items()}
        halves = QSplitter(Qt.Orientation.Vertical)
        for number, plot in enumerate((self.spectra, self.differences)):
            halves.addWidget(plot)
            halves.setStretchFactor(number, _SHARES[number])
            plot.marker_moved.connect(self.marker_moved)
        self.differences.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(halves)
        self.spectra.window_drawn.connect(self.window_drawn)
        for kind, windows in self.windows.items():
            windows.dragged.connect(partial(self.windows_dragged.emit, kind))
        if pg is not None:
            self.differences.plot.setXLink(self.spectra.plot)
            for plot in (self.spectra, self.differences):
                plot.plot.getAxis("left").setWidth(_AXIS_WIDTH)

    def show_drawn(self, drawn: Drawn, look: Look, selected: Sequence[str]) -> None:
        """Draw spectra, shades, and the fit of a line."""
        traces = drawn.traces
        is_stack = look.arrangement == STACK
        curves = _curves(traces.spectra, selected, has_bands=look.errors)
        if drawn.fitted is not None:
            fit = drawn.fitted
            curves.append(Curve(name=f"fit of {fit.name}", x=fit.wavelength_um, y=fit.flux, colour=PLAIN))
        if pg is not None:
            self.spectra.shades.show_ranges(sky_shades(traces.spectra, look))
            ids = [trace.id for trace in traces.spectra]
            texts = [trace.id if ids.count(trace.id) == 1 else trace.name for trace in traces.spectra]
            names = [
                Name(level=float(np.nanmedian(trace.flux)), text=text, place=trace.place)
                for trace, text in zip(traces.spectra, texts, strict=True)
                if is_stack and np.isfinite(trace.flux).any()
            ]
            self.spectra.edge_names.show_names(names)
        self.spectra.has_legend = not is_stack
        unit = None if look.normalised else traces.unit
        self.spectra.show_curves(curves, unit=unit, label=traces.label)
        self._show_below(bool(traces.differences))
        if traces.differences:
            below = _curves(traces.differences, selected, has_bands=look.errors)
            self.differences.show_curves(below, unit=None, label="Δ")

    def show_lines(self, lines: Sequence[SpectralLine]) -> None:
        """Mark lines, where they are seen."""
        if pg is not None:
            self.spectra.marks.show_lines(lines)

    def show_windows(self, kinds: dict[str, Sequence[Window]]) -> None:
        """Show the windows of some kinds, and none of the others; does not tell."""
        for kind, windows in self.windows.items():
            windows.show_windows(kinds.get(kind, ()))

    def show_slider(self, viewer: ViewerModel) -> None:
        """Put the markers at the wavelength that the slider of a viewer shows."""
        grid = commands.wavelengths_um(viewer)
        span = None if grid is None else (grid[0], grid[-1])
        for plot in (self.spectra, self.differences):
            plot.show_marker(commands.current_wavelength(viewer), span)

    def view_um(self) -> Window:
        """Return the wavelengths in view; those of all bands where there is no plot."""
        return self._view()[0]

    def view(self) -> tuple[Window, Window] | None:
        """Return the ranges of both axes; None where there is no plot."""
        return None if pg is None else self._view()

    def _show_below(self, is_shown: bool) -> None:
        """Show the differences, or not; the wavelengths stand below the lower plot."""
        self.differences.setVisible(is_shown)
        if pg is not None:
            self.spectra.plot.setLabel("bottom", None if is_shown else "wavelength (µm)")
            self.spectra.plot.getAxis("bottom").setStyle(showValues=not is_shown)

    def _view(self) -> tuple[Window, Window]:
        if pg is None:
            return _EVERYTHING, _EVERYTHING
        (left, right), (low, high) = self.spectra.plot.viewRange()
        return (max(left, _EVERYTHING[0]), right), (low, high)


def _curves(traces: Sequence[Trace], selected: Sequence[str], *, has_bands: bool) -> list[Curve]:
    """Return what to draw: the stars that are not selected step back, if some are."""
    bands = banded(traces, selected) if has_bands else ()
    some = {trace.id for trace in traces} & set(selected)
    return [
        Curve(
            name=trace.name,
            x=trace.wavelength_um,
            y=trace.flux,
            err=trace.noise,
            has_band=number in bands,
            colour=trace.place,
            is_faint=bool(some) and trace.id not in some,
        )
        for number, trace in enumerate(traces)
    ]
