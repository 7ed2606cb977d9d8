"""Spectra of a sky subtraction: object and model, and below them what is left, with the sky lines marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QLabel, QSizePolicy, QSplitter, QVBoxLayout

from napari_kmos._napari import commands
from napari_kmos._napari.curves import Curve, names_in_colours
from napari_kmos._napari.plots import SpectrumPlot, pg
from napari_kmos._napari.schemes import BLUE, CYAN, GREEN, ORANGE, PINK, PLAIN, ThemedWidget
from napari_kmos.sky import SkyResult
from napari_kmos.sky.views import LineMarks

HINT = "What the subtraction does in one IFU appears here"
OBJECT, MODEL, BEFORE, AFTER, NOISE = PLAIN, CYAN, ORANGE, GREEN, BLUE
_MARKS = (PINK, BLUE, ORANGE, CYAN, GREEN, PLAIN)
_TICKS = (0.93, 1.0)
_NAME_PLACE = 0.86
#: Bands with no line brighter than this times the brightest are marked but not named.
_NAMED = 0.2
_LEAST_HEIGHT, _AXIS_WIDTH = 80, 58
_SHARES = (2, 3)  # below there is the axis, and what is judged
#: The residual is shown to so many times its typical error, and further where more than this share lies beyond.
_SIGMAS, _BEYOND_PERCENT = 5.0, 0.5
_NAMES_TIP = (
    "Means of the sky spaxels. Below, what is left of the lines, without continuum and starlight: with the sky as it "
    "is, with the model, and the expected error. Ticks: bright lines, a colour a vibrational band."
)


class MarkedPlot(SpectrumPlot):
    """A plot with ticks at the sky lines, a colour a vibrational band.

    Parameters
    ----------
    named : bool
        Whether the bands are named.
    """

    def __init__(self, *, named: bool, hint: str = HINT) -> None:
        self._named = named
        self.ticks: list = []
        self._ticked: Sequence[LineMarks] = ()
        self.has_legend = False  # a plot so low has no room for it: `SkyPlots` names the curves above
        super().__init__(hint=hint, least_height=_LEAST_HEIGHT)

    def show_ticks(self, marks: Sequence[LineMarks]) -> None:
        """Mark sky lines in place of those before."""
        self._ticked = marks
        if pg is None:
            return
        for item in self.ticks:
            self.plot.removeItem(item)
        self.ticks = []
        for number, mark in enumerate(marks):
            colour = self.scheme.curves[_MARKS[number % len(_MARKS)]]
            self._mark(pg.VTickGroup(mark.wavelength_um, yrange=_TICKS, pen=pg.mkPen(colour)))
            if self._named and mark.strength.max() > _NAMED:
                label = {"position": _NAME_PLACE, "color": colour}
                self._mark(pg.InfiniteLine(mark.centre_um, pen=pg.mkPen(None), label=mark.name, labelOpts=label))

    def _mark(self, item: object) -> None:
        self.plot.addItem(item, ignoreBounds=True)
        self.ticks.append(item)

    def _dress(self) -> None:
        super()._dress()
        if pg is not None and self._ticked:
            self.show_ticks(self._ticked)


class ResidualPlot(MarkedPlot):
    """What is left, on a scale set by its error: what was left before is cut off."""

    def limits(self, curves: Sequence[Curve]) -> tuple[float, float] | None:
        """Return the range of the residual, the first curve, about zero."""
        left = next((curve.y for curve in curves if curve.colour == AFTER), np.empty(0))
        left = left[np.isfinite(left)]
        if not left.size:
            return None
        error = next((curve.err for curve in curves if curve.err is not None), None)
        noise = float(np.nanmedian(error)) if error is not None and np.isfinite(error).any() else 0.0
        reach = (_SIGMAS * noise, -np.percentile(left, _BEYOND_PERCENT), np.percentile(left, 100 - _BEYOND_PERCENT))
        height = float(max(reach)) or 1.0
        return -height, height


class SkyPlots(ThemedWidget):
    """Object and model above, the residual without continuum and starlight below; zoomed and scrolled together.

    The handle between them gives one more room.
    """

    marker_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._named: tuple[Sequence[Curve], ...] = ()
        self.spectra, self.residual = MarkedPlot(named=True), ResidualPlot(named=False, hint="")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self.names = QLabel()
        self.names.setToolTip(_NAMES_TIP)
        self.names.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        column.addWidget(self.names)
        halves = QSplitter(Qt.Orientation.Vertical)
        column.addWidget(halves, stretch=1)
        for number, plot in enumerate((self.spectra, self.residual)):
            halves.addWidget(plot)
            halves.setStretchFactor(number, _SHARES[number])
            plot.marker_moved.connect(self.marker_moved)
        if pg is not None:
            self.spectra.plot.setLabel("bottom", None)
            self.spectra.plot.getAxis("bottom").setStyle(showValues=False)  # they stand below the residual
            self.residual.plot.setXLink(self.spectra.plot)
            self.spectra.plot.getViewBox().sigRangeChangedManually.connect(self.residual.keep_range)
            self.residual.plot.getViewBox().sigRangeChangedManually.connect(self.spectra.keep_range)
            self.spectra.plot.getPlotItem().autoBtn.clicked.connect(self.residual.show_all)
            self.residual.plot.getPlotItem().autoBtn.clicked.connect(self.spectra.show_all)
            for plot in (self.spectra, self.residual):
                plot.plot.getAxis("left").setWidth(_AXIS_WIDTH)
        self._dress()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for little: what there is is taken."""
        return QSize(300, 2 * _LEAST_HEIGHT)

    def show_result(self, result: SkyResult, marks: Sequence[LineMarks]) -> None:
        """Draw the spectra of a result."""
        unit = "unit unknown" if result.cube.unit is None else result.cube.unit.to_string("unicode")
        wave, zero = result.wavelength_um, np.zeros(result.wavelength_um.size)
        spectra = (
            Curve(name="object", x=wave, y=result.object_spectrum, colour=OBJECT),
            Curve(name="sky model", x=wave, y=result.model_spectrum, colour=MODEL),
        )
        residuals = (
            Curve(name="before", x=wave, y=result.left_spectrum_before, colour=BEFORE, is_faint=True),
            Curve(name="error", x=wave, y=zero, err=result.error_spectrum, colour=NOISE),
            Curve(name="after", x=wave, y=result.left_spectrum, colour=AFTER),
        )
        self._named = spectra, residuals
        self._show_names()
        self.spectra.show_curves(spectra, unit=unit)
        self.residual.show_curves(residuals, unit=unit)
        if pg is not None:
            self.spectra.plot.setLabel("left", "spectra")
            self.residual.plot.setLabel("left", "residual")
            self.residual.plot.setLabel("bottom", f"wavelength (µm), flux in {unit}")
        for plot in (self.spectra, self.residual):
            plot.show_ticks(marks)

    def clear(self) -> None:
        """Show nothing."""
        self._named = ()
        self._show_names()
        for plot in (self.spectra, self.residual):
            plot.show_curves((), unit="")
            plot.show_ticks(())

    def show_slider(self, viewer: ViewerModel) -> None:
        """Put the markers at the wavelength that the slider of a viewer shows."""
        grid = commands.wavelengths_um(viewer)
        span = None if grid is None else (grid[0], grid[-1])
        for plot in (self.spectra, self.residual):
            plot.show_marker(commands.current_wavelength(viewer), span)

    def _show_names(self) -> None:
        """Name the curves, each in its colour."""
        self.names.setText(" &nbsp; residual ".join(names_in_colours(self.scheme, curves) for curves in self._named))

    def _dress(self) -> None:
        """Draw in the colours of the scheme: those of the names are the curves', so their ground is the plot's."""
        scheme = self.scheme
        self.names.setStyleSheet(f"background: {scheme.ground}; color: {scheme.text}; padding-left: {_AXIS_WIDTH}px")
        self._show_names()
