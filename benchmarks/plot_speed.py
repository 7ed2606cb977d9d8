"""Twenty spectra of 3072 points drawn anew, with marks of lines and the error bands of two, until they are painted.

Run it by `python benchmarks/plot_speed.py [--repeats 40]`, where a window can be opened. Every time all curves have
other data, and the widget is painted as a whole by `QWidget.grab`. Beside it the same by items of pyqtgraph's own for
each curve, band and line, and by matplotlib, in turn.

Then the panel *Plot* in a viewer: a window of the continuum of all the stars is dragged by the mouse, from each move
until the plot has been painted with spectra divided anew. How long the window takes to come to the screen after that
depends on the graphics card, as there is a canvas of OpenGL in it: it is printed beside, and has no limit.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from astropy import units as u
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.figure import Figure
from napari import Viewer
from qtpy.QtCore import QEvent, QEventLoop, QPointF, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_kmos._napari.curves import Curve
from napari_kmos._napari.plots import SpectrumPlot
from napari_kmos._napari.widgets.plot import PlotDock
from napari_kmos.aperture import Aperture
from napari_kmos.io import read_line_list
from napari_kmos.measure import CONTINUUM_METHODS, ContinuumParameters
from napari_kmos.report.traces import Continuum, Look
from napari_kmos.spectrum import StarSpectrum

if TYPE_CHECKING:
    from napari_kmos.spectrum import SpectralLine

N_SPECTRA, N_PLANES, N_BANDS = 20, 3072, 2
SPAN_UM = (1.925, 2.500)
SIZE = (1100, 500)
LIMIT_MS = 30.0
SEED = 7
OURS = "napari-kmos"
WINDOWS_UM = ((2.00, 2.10), (2.20, 2.30))
#: Milliseconds: a hand moves on while the window comes to the screen; what was asked for comes within the other.
PAUSE_MS, SETTLED_MS = 60, 1500
GEOMETRY = (0, 0, 1400, 950)

Draw = Callable[[Sequence[Curve]], object]


def main() -> None:
    """Print a line a way of drawing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=40)
    repeats = parser.parse_args().repeats
    application = QApplication.instance() or QApplication([])
    marks = [line for line in read_line_list() if SPAN_UM[0] < line.wavelength_um < SPAN_UM[1]]
    ways = {OURS: _ours(marks), "pyqtgraph, an item for each": _items(marks), "matplotlib": _matplotlib(marks)}
    for widget, _ in ways.values():
        widget.resize(*SIZE)
        widget.show()
    taken = _measured(application, ways, repeats)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    print(
        f"{N_SPECTRA} spectra of {N_PLANES} points, {N_BANDS} bands, {len(marks)} marks; {SIZE[0]} x {SIZE[1]} pixels"
    )
    for name, times in taken.items():
        slow, ratio = np.percentile(times, 90), medians[name] / medians[OURS]
        print(f"{name:28} {medians[name]:7.1f} ms  (one in ten slower than {slow:6.1f})  {ratio:5.1f} times ours")
    print(f"limit {LIMIT_MS:.0f} ms: {'held' if medians[OURS] < LIMIT_MS else 'not held'}")
    for widget, _ in ways.values():
        widget.close()
    _print_dragged(repeats)


def _print_dragged(repeats: int) -> None:
    """Print a line a method of the continuum."""
    viewer = Viewer()
    viewer.window.set_geometry(*GEOMETRY)
    dock = PlotDock(viewer)
    viewer.window.add_dock_widget(dock, area="bottom")
    dock.session.spectra, dock.session.plots_list = tuple(_stars(np.random.default_rng(SEED))), True
    dock.session.look = Look(normalised=True, telluric=True, airglow=True)
    dock.controls.setCurrentIndex(2)
    print(f"a window of the continuum of {N_SPECTRA} stars dragged, each move until it is painted, and on the screen")
    for method in CONTINUUM_METHODS:
        continuum = Continuum(windows=WINDOWS_UM, parameters=ContinuumParameters(method=method))
        dock.session.continua = {one.aperture.id: continuum for one in dock.session.spectra}
        _wait(SETTLED_MS)
        painted, worked, shown = np.array(_dragged(dock, repeats)).T
        middle, slow = np.percentile(painted, [50, 90])
        held = "held" if max(middle, slow) <= LIMIT_MS else "not held"
        print(
            f"{method:28} {middle:7.1f} ms  (one in ten slower than {slow:6.1f})  limit {LIMIT_MS:.0f} ms: {held}; "
            f"time of the processor {np.median(worked):.1f} ({np.percentile(worked, 90):.1f}), "
            f"on the screen {np.median(shown):.1f}"
        )
    viewer.close()


def _dragged(dock: PlotDock, repeats: int) -> list[tuple[float, ...]]:
    """Return milliseconds of each move: until the plot is painted, of the processor until then, until it is shown."""
    plot, loop, times = dock.canvas.spectra.plot, QEventLoop(), []
    paint, ready = plot.paintEvent, []

    def painted(event: object) -> None:
        paint(event)
        if ready:
            times.append((time.perf_counter(), time.thread_time()))
            loop.quit()

    plot.paintEvent = painted
    dock.plotted.ready.connect(ready.append)
    box = plot.getViewBox()
    middle = QPointF(float(np.mean(WINDOWS_UM[1])), float(np.mean(box.viewRange()[1])))
    start = QPointF(plot.mapFromScene(box.mapViewToScene(middle)))
    _mouse(plot, QEvent.Type.MouseButtonPress, start)
    taken = []
    for number in range(repeats + 1):
        _wait(PAUSE_MS)
        ready.clear()
        times.clear()
        begin, busy = time.perf_counter(), time.thread_time()
        _mouse(plot, QEvent.Type.MouseMove, start + QPointF(10 + 2 * number, 0))
        loop.exec()
        spans = times[0][0] - begin, times[0][1] - busy, time.perf_counter() - begin
        taken.append(tuple(1e3 * span for span in spans))
    _mouse(plot, QEvent.Type.MouseButtonRelease, start + QPointF(10 + 2 * repeats, 0))
    dock.plotted.ready.disconnect(ready.append)
    plot.paintEvent = paint
    return taken[1:]


def _mouse(plot: pg.PlotWidget, kind: QEvent.Type, place: QPointF) -> None:
    """Press, move or release the left button over a plot."""
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    button = none if kind == QEvent.Type.MouseMove else left
    held = none if kind == QEvent.Type.MouseButtonRelease else left
    event = QMouseEvent(kind, place, plot.viewport().mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(plot.viewport(), event)


def _wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def _stars(rng: np.random.Generator) -> list[StarSpectrum]:
    """Return the spectra of stars, of slope and noise, some planes of each without data."""
    stars = []
    for curve in _curves(rng):
        flux = curve.y * (1 + 0.5 * (curve.x - SPAN_UM[0]))
        star = StarSpectrum(
            aperture=Aperture(id=curve.name, kind="star", ra=266.4, dec=-29.0, radius_arcsec=0.3),
            wavelength=curve.x * u.um,
            flux=flux,
            noise=np.full(N_PLANES, 0.03),
            sky=np.zeros(N_PLANES),
            mask=~np.isfinite(flux),
            area_pix=7.0,
            coverage=np.ones(N_PLANES),
        )
        stars.append(star)
    return stars


def _measured(application: QApplication, ways: dict[str, tuple[QWidget, Draw]], repeats: int) -> dict[str, list[float]]:
    """Return the milliseconds of each way, in turn; the first time does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    rng = np.random.default_rng(SEED)
    for number in range(repeats + 1):
        curves = _curves(rng)
        for name, (widget, draw) in ways.items():
            application.processEvents()
            start = time.perf_counter()
            draw(curves)
            widget.grab()
            if number:
                taken[name].append(1e3 * (time.perf_counter() - start))
    return taken


def _curves(rng: np.random.Generator) -> list[Curve]:
    """Return spectra with noise and lines, one above the other, some planes of each without data."""
    x = np.linspace(*SPAN_UM, N_PLANES)
    curves = []
    for number in range(N_SPECTRA):
        y = 1 + 0.2 * number + 0.03 * rng.standard_normal(N_PLANES)
        y[rng.integers(0, N_PLANES, 30)] = np.nan
        err = np.full(N_PLANES, 0.03) if number < N_BANDS else None
        curves.append(Curve(name=f"star {number}", x=x, y=y, err=err))
    return curves


def _ours(marks: Sequence[SpectralLine]) -> tuple[QWidget, Draw]:
    plot = SpectrumPlot()

    def draw(curves: Sequence[Curve]) -> None:
        plot.marks.show_lines(marks)
        plot.show_curves(curves, unit="")

    return plot, draw


def _items(marks: Sequence[SpectralLine]) -> tuple[QWidget, Draw]:
    plot = pg.PlotWidget()

    def draw(curves: Sequence[Curve]) -> None:
        plot.clear()
        for curve in curves:
            plot.plot(curve.x, curve.y, connect="finite")
            if curve.err is not None:
                edges = [pg.PlotCurveItem(curve.x, curve.y + sign * curve.err, pen=None) for sign in (-1, 1)]
                plot.addItem(pg.FillBetweenItem(*edges, brush=(53, 224, 232, 70)))
        for mark in marks:
            plot.addItem(pg.InfiniteLine(mark.wavelength_um, label=mark.name))

    return plot, draw


def _matplotlib(marks: Sequence[SpectralLine]) -> tuple[QWidget, Draw]:
    canvas = FigureCanvasQTAgg(Figure())
    axes = canvas.figure.subplots()

    def draw(curves: Sequence[Curve]) -> None:
        axes.clear()
        for curve in curves:
            axes.plot(curve.x, curve.y, linewidth=0.6)
            if curve.err is not None:
                axes.fill_between(curve.x, curve.y - curve.err, curve.y + curve.err, alpha=0.3)
        for mark in marks:
            axes.axvline(mark.wavelength_um, linewidth=0.5)
            axes.annotate(mark.name, (mark.wavelength_um, 1), xycoords=("data", "axes fraction"), rotation=90)
        canvas.draw()

    return canvas, draw


if __name__ == "__main__":
    main()
