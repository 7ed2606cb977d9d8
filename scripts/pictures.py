"""Make the pictures of the docks *Align IFUs*, *Telluric*, *Spectra* and *Plot* in docs/images anew, in a window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/pictures.py [FOLDER]

They show simulated nights, and are written into FOLDER, docs/images if none is given. Look at them before they are
committed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from astropy.table import Table

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
IMAGES = HERE.parent / "docs" / "images"
SIZE = (1600, 1000)
PATIENCE_S = 120.0
REST_MS = 2000


def main(folder: Path) -> None:
    """Simulate, open, measure, and keep what is seen."""
    with tempfile.TemporaryDirectory() as made:
        os.environ["NAPARI_CONFIG"] = f"{made}/napari.yaml"  # the windows of whoever runs this are left alone
        os.environ["XDG_STATE_HOME"] = made
        align(Path(made), folder)
        correct(Path(made), folder)
        point(Path(made), folder)


def align(made: Path, folder: Path) -> None:
    """Measure offsets, against each other and against a catalogue."""
    paths, stars = night(made)
    bench = AlignBench(paths)
    bench.propose()
    bench.choose(5)
    bench.keep(folder / "aligning.png")
    bench.choose(5, against=stars)
    bench.propose()
    bench.keep(folder / "aligning-catalogue.png")
    bench.viewer.close()


def correct(made: Path, folder: Path) -> None:
    """Take the atmosphere out of an exposure."""
    cube, standard = observation(made / "telluric")
    bench = TelluricBench(cube, made / "corrected")
    bench.correct(standard, magnitude="8.31")
    bench.keep(folder / "telluric.png")
    bench.viewer.close()


def point(made: Path, folder: Path) -> None:
    """Find stars, extract them, and look at their spectra together."""
    bench = SpectraBench(exposure(made / "crowd", seed=5, ifus=2, density=40.0))
    bench.extract()
    bench.choose(0)
    bench.keep(folder / "pointing.png")
    bench.plot()
    bench.keep(folder / "plot.png")
    bench.viewer.close()


def night(folder: Path) -> tuple[list[Path], Path]:
    """Simulate a night of two halves, and the catalogue of its stars."""
    from napari_kmos.recipes.simulate import simulate
    from napari_kmos.simulate import SimulationParameters

    parameters = SimulationParameters(seed=8, ifus=3, exposures=4, epochs=1, nz=512, density=25.0)
    written = simulate(folder, parameters=parameters).products
    truth = Table.read(folder / "truth.ecsv")
    survey = truth[truth["kind"] == "star"]["ra", "dec", "magnitude"]
    survey.write(folder / "survey.ecsv")
    return [path for path in written if "Half" in path.name], folder / "survey.ecsv"


def exposure(folder: Path, **facts: object) -> Path:
    """Simulate an exposure, and subtract its sky."""
    from napari_kmos.recipes.simulate import simulate
    from napari_kmos.recipes.sky_tweak import sky_tweak
    from napari_kmos.simulate import SimulationParameters

    parameters = SimulationParameters(exposures=1, epochs=1, **facts)
    written = simulate(folder, parameters=parameters)
    n_objects = written.measured["n_objects"]
    targets, skies = written.products[:n_objects], written.products[n_objects:]
    return sky_tweak(targets[:1], skies, folder).products[0]


def observation(folder: Path) -> tuple[Path, Path]:
    """Simulate an exposure of a star whose sky is subtracted, and a standard, seen through other air."""
    import numpy as np
    import observed_stars as stars

    from napari_kmos.io import write_spectrum

    cube = exposure(folder, seed=8, ifus=2, density=4.0, telluric=True)
    seen = stars.see(stars.hot_star, airmass=1.0, water=1.6, snr=300.0, rng=np.random.default_rng(8))
    return cube, write_spectrum(stars.star_spectrum(seen), folder / "STAR_SPEC.fits")


class Bench:
    """A window with files open, used by mouse.

    Parameters
    ----------
    paths : list of Path
        Exposures to open.
    """

    def __init__(self, paths: list[Path]) -> None:
        from napari_kmos._napari.app import make_viewer

        self.viewer = make_viewer(paths)
        self.window = self.viewer.window._qt_window
        self.window.resize(*SIZE)

    def keep(self, path: Path) -> None:
        """Write what is seen."""
        self.viewer.screenshot(path, canvas_only=False, flash=False)
        print(path)

    def rest(self) -> None:
        """Wait for the step that runs, and for what follows of it."""
        from qtpy.QtTest import QTest

        self.wait(lambda: not self.dock.is_running)
        QTest.qWait(REST_MS)

    def wait(self, is_done: Callable[[], bool]) -> None:
        """Let the window work until something is done."""
        from qtpy.QtTest import QTest

        until = time.monotonic() + PATIENCE_S
        while not is_done():
            QTest.qWait(50)
            if time.monotonic() > until:
                msg = f"nothing came within {PATIENCE_S} s: {self.dock.message.text()}"
                raise TimeoutError(msg)


class AlignBench(Bench):
    """The dock *Align IFUs*; see `Bench`."""

    def __init__(self, paths: list[Path]) -> None:
        from napari_kmos._napari.widgets.align import AlignDock

        super().__init__(paths)
        self.dock = self.window.findChild(AlignDock)
        self.rest()

    def propose(self) -> None:
        """Measure all rows."""
        self.dock.parts.measure.all.click()
        self.rest()

    def choose(self, row: int, *, against: Path | None = None) -> None:
        """Click a row, and open what it is compared with."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        table = self.dock.table
        place = table.visualItemRect(table.item(row, 2)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        if against is not None:
            self.dock.parts.files.open_reference(against)
        self.rest()
        self.wait(lambda: self.dock.parts.pair.view.images is not None)
        self.rest()


class TelluricBench(Bench):
    """The dock *Telluric*, where the menu *Plugins* opens it.

    Parameters
    ----------
    cube : Path
        Exposure to open.
    out_dir : Path
        Folder of the products.
    """

    def __init__(self, cube: Path, out_dir: Path) -> None:
        from napari_kmos._napari.widgets.telluric import TelluricDock

        super().__init__([cube])
        self.dock = TelluricDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Telluric (KMOS)", area="right", tabify=True)
        self.dock.session.out_dir = out_dir
        self.rest()

    def correct(self, standard: Path, *, magnitude: str) -> None:
        """Choose the files, type in what their headers lack, and look at the window that is absorbed most."""
        page = self.dock.correct_page
        page.files.add_open.click()
        page.standard.show_path(standard)
        for field, text in ((page.airmass, "1.2"), (page.standard_airmass, "1.0"), (page.magnitude, magnitude)):
            field.setText(text)
        page.run_button.click()
        self.rest()
        self.dock.view.table.selectRow(0)
        self.viewer.fit_to_view()
        self.rest()


class SpectraBench(Bench):
    """The docks *Spectra* and *Plot*, without those at the side.

    Parameters
    ----------
    cube : Path
        Exposure to open.
    """

    def __init__(self, cube: Path) -> None:
        from napari_kmos._napari.widgets.align import AlignDock
        from napari_kmos._napari.widgets.combine import CombineDock
        from napari_kmos._napari.widgets.plot import PlotDock
        from napari_kmos._napari.widgets.session import SessionDock
        from napari_kmos._napari.widgets.spectra import SpectraDock

        super().__init__([cube])
        for kind in (AlignDock, CombineDock, SessionDock):
            self.window.findChild(kind).parent().close()
        self.dock, self.plots = self.window.findChild(SpectraDock), self.window.findChild(PlotDock)
        self.rest()
        self.viewer.fit_to_view()
        self.dock.view_bar.white.click()
        self.rest()

    def extract(self) -> None:
        """Find the stars and extract them."""
        for step in (self.dock.steps.find, self.dock.steps.extract):
            step()
            self.rest()

    def choose(self, row: int) -> None:
        """Click a star, whose sky shall be one side of the ring."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        table = self.dock.table
        place = table.visualItemRect(table.item(row, 0)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)
        self.dock.pointer.take_side("left")
        self.dock.say("")
        self.rest()

    def plot(self) -> None:
        """Stack what was extracted, normalised, measure it, and fit a line of the star that was chosen."""
        from napari_kmos.report.traces import Look

        session = self.dock.session
        self.plots.parent().raise_()
        self.dock = self.plots
        session.plots_live, session.plots_list = False, True
        session.look = Look(arrangement="stack", normalised=True, telluric=True)
        session.snr_um, session.fit_um = ((2.242, 2.258), (2.268, 2.279)), (2.2025, 2.2125)
        self.rest()
        self.plots.run()
        self.rest()
        self.plots.pages.setCurrentWidget(self.plots.canvas)
        self.plots.controls.setCurrentIndex(self.plots.controls.count() - 1)
        self.rest()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
