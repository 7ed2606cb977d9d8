"""A napari window that is asked what to show and how long it took until it was drawn; see `measuring.Child`.

The arguments are what it shows, ``ours`` or ``memmap`` (what napari shows by itself of a memory map), the file, and
``docks`` to have the dock *Spectra* beside it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from astropy.io import fits
from measuring import anon_mb, serve
from qtpy.QtCore import QEventLoop, QTimer
from qtpy.QtWidgets import QApplication
from vispy.gloo.gl import glFinish

from napari_kmos import read_cube
from napari_kmos._napari.layers import cube_layers
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.white_light import white_light_of
from napari_kmos._napari.widgets.spectra import SpectraDock
from napari_kmos.aperture import Aperture
from napari_kmos.io.source import read_spaxels
from napari_kmos.spatial.wcs import pixel_scale_arcsec, pixel_to_sky

#: The same for both: finding limits is not what is compared.
LIMITS = (-10.0, 60.0)
RADIUS_PIX = 3.0
#: Between two steps of a mouse that is dragged.
STEP_S = 0.016
_PATIENCE_S = 30.0


class Window:
    """A viewer, shown and at rest.

    Parameters
    ----------
    kind : str
        ``ours`` or ``memmap``.
    path : Path
        What to show.
    docks : bool
        Whether the dock *Spectra* is there.
    """

    def __init__(self, kind: str, path: Path, *, docks: bool) -> None:
        self.kind, self.path = kind, path
        self.viewer = napari.Viewer()
        if docks:
            self.viewer.window.add_plugin_dock_widget("napari-kmos", "Spectra")
        self._canvas = self.viewer.window._qt_viewer.canvas._scene_canvas
        self._n_drawn = 0
        self._canvas.events.draw.connect(self._on_drawn, position="last")
        self.rest()

    def first_plane(self) -> dict[str, float]:
        """Show the file's first plane; seconds, and memory that is no file's."""
        before = anon_mb()
        taken = self._until_drawn(self._show_cube if self.kind == "ours" else self._show_plane)
        return {"s": taken, "MB": anon_mb() - before}

    def cube(self) -> float:
        """Show the whole cube, behind the slider."""
        return self._until_drawn(self._show_cube)

    def step(self, plane: int) -> float:
        """Move the slider."""
        return self._until_drawn(lambda: self.viewer.dims.set_current_step(0, plane))

    def medians(self) -> float:
        """Show all IFUs of an exposure, with median images; or arrays of that size."""
        return self._until_drawn(self._show_medians if self.kind == "ours" else self._ready_arrays())

    def place(self, places: Sequence[tuple[float, float]]) -> None:
        """Put apertures at rows and columns, and select the first."""
        wcs = read_cube(self.path).wcs
        sky = [pixel_to_sky(wcs, *place) for place in places]
        radius = RADIUS_PIX * pixel_scale_arcsec(wcs)
        stars = [
            Aperture(id=str(number), kind="star", ra=float(ra), dec=float(dec), radius_arcsec=radius)
            for number, (ra, dec) in enumerate(sky)
        ]
        dock = self._spectra()
        self.targets = [self._on_canvas(dock, star) for star in stars]
        dock.sync.show(stars[:1])
        dock.sync.select(("0",))
        self.rest()
        while dock.plot.ahead._running or dock.plot.latest._running:  # what a hand does on the way to a star
            self.rest(0.05)

    def drag(self, number: int) -> tuple[float, float]:
        """Drag the aperture to a place; seconds from napari's move to the data of the plot, nothing drawn counted.

        And the time of the processor of them: the rest was waited, for one of its cores most of it where others work.
        """
        plot, layer = self._spectra().plot, self._points()
        self._wait(lambda: not plot.latest._running)
        self._press(layer)
        arrived: list[tuple[float, float]] = []
        draw = plot.show_curves

        def show_curves(*args: Any, **arguments: Any) -> None:
            arrived.append((time.perf_counter(), time.process_time()))
            draw(*args, **arguments)

        plot.show_curves = show_curves
        # Nothing is drawn meanwhile: OpenGL in software takes all cores for longer than the spectrum does.
        self.viewer.window._qt_window.setUpdatesEnabled(False)
        start, busy = time.perf_counter(), time.process_time()
        with layer.events.data.blocker():  # as while the mouse is down
            layer._move([0], np.asarray(self.targets[number]))
        self._wait(lambda: bool(arrived))
        self.viewer.window._qt_window.setUpdatesEnabled(True)
        plot.show_curves = draw
        self.rest()
        return arrived[0][0] - start, arrived[0][1] - busy

    def sweep(self) -> list[float]:
        """Drag the aperture through all places, one a step of the mouse.

        Returns seconds from when each was due to the plot of it or of a newer one.
        """
        plot, layer, stars = self._spectra().plot, self._points(), self._spectra().sync.selected
        draw, arrived, moved = plot.show_curves, [], []

        def show_curves(*args: Any, **arguments: Any) -> None:
            shown = [one.aperture for one in plot.spectra]
            arrived.append((time.perf_counter(), moved.index(shown[0]) if shown and shown[0] in moved else -1))
            draw(*args, **arguments)

        plot.show_curves = show_curves
        self._press(layer)
        start = time.perf_counter()
        for number, target in enumerate(self.targets[1:]):
            self.rest(max(start + (number + 1) * STEP_S - time.perf_counter(), 0.0))
            with layer.events.data.blocker():
                layer._move([0], np.asarray(target))
            moved += stars()
        self._wait(lambda: bool(arrived) and arrived[-1][1] == len(moved) - 1)
        plot.show_curves = draw
        return [
            next(when for when, which in arrived if which >= number) - start - (number + 1) * STEP_S
            for number in range(len(moved))
        ]

    def spaxel(self, place: tuple[float, float]) -> float:
        """Read a spaxel, flux and noise, all wavelengths; seconds."""
        cube = read_cube(self.path)
        rows, columns = (slice(round(one), round(one) + 1) for one in place)
        start = time.perf_counter()
        for array in (cube.flux, cube.noise):
            read_spaxels(array, rows, columns)
        return time.perf_counter() - start

    def rest(self, seconds: float = 0.3) -> None:
        """Let everything that was begun come to an end."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            QApplication.processEvents()

    def _show_cube(self) -> None:
        if self.kind == "ours":
            add_file(self.viewer, self.path)
        else:
            self.viewer.add_image(fits.open(self.path, memmap=True)[1].data, contrast_limits=LIMITS)

    def _show_plane(self) -> None:
        self.viewer.add_image(fits.open(self.path, memmap=True)[1].data[0], contrast_limits=LIMITS)

    def _show_medians(self) -> None:
        add_file(self.viewer, self.path)
        white_light_of(self.viewer).show(cube_layers(self.viewer))

    def _ready_arrays(self) -> Callable[[], None]:
        with fits.open(self.path) as hdus:
            names = [hdu.name for hdu in hdus if hdu.name.endswith("DATA") and hdu.header["NAXIS"] == 3]
            cubes = [np.array(hdus[name].data, dtype=np.float32) for name in names]

        def show() -> None:
            for name, cube in zip(names, cubes, strict=True):
                self.viewer.add_image(cube, name=name, contrast_limits=LIMITS)

        return show

    def _spectra(self) -> SpectraDock:
        return self.viewer.window._qt_window.findChild(SpectraDock)

    def _points(self) -> Any:
        return next(layer for layer in self.viewer.layers if isinstance(layer, napari.layers.Points))

    def _press(self, layer: Any) -> None:
        """Begin a drag: napari takes the first position for where the mouse went down."""
        layer._drag_start = None
        with layer.events.data.blocker():
            layer._move([0], layer.data[0])

    def _on_canvas(self, dock: SpectraDock, star: Aperture) -> list[float]:
        dock.sync.show([star])
        return self._points().data[0].tolist()

    def _until_drawn(self, change: Callable[[], object]) -> float:
        """Seconds from a change until it was drawn."""
        self.rest(0.05)
        start, drawn = time.perf_counter(), self._n_drawn
        change()
        self._canvas.update()
        self._wait(lambda: self._n_drawn > drawn)
        return time.perf_counter() - start

    def _wait(self, is_done: Callable[[], bool]) -> None:
        until = time.perf_counter() + _PATIENCE_S
        QTimer.singleShot(int(1000 * _PATIENCE_S) + 1, lambda: None)  # wakes the loop if nothing else does
        while not is_done():
            # Asleep between events, as the window of a person is: a loop that spins would keep threads from working.
            QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
            if time.perf_counter() > until:
                msg = f"nothing came within {_PATIENCE_S} s"
                raise TimeoutError(msg)

    def _on_drawn(self, _event: object) -> None:
        glFinish()  # what was asked of OpenGL is on the screen, not on its way
        self._n_drawn += 1


def main(kind: str, path: str, *words: str) -> None:
    """Answer the parent."""
    window = Window(kind, Path(path), docks="docks" in words)
    tasks = ("first_plane", "cube", "step", "medians", "place", "drag", "sweep", "spaxel", "rest")
    serve({"anon": anon_mb, **{name: getattr(window, name) for name in tasks}})


if __name__ == "__main__":
    main(*sys.argv[1:])
