"""Make the pictures of the dock *Align IFUs* in docs/images anew, of a simulated night and in a real window.

    xvfb-run -a -s "-screen 0 1600x1000x24" python scripts/pictures.py [FOLDER]

They are written into FOLDER, docs/images if none is given. Look at them before they are committed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from astropy.table import Table

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SIZE = (1600, 1000)
PATIENCE_S = 120.0
REST_MS = 2000


def main(folder: Path) -> None:
    """Simulate, open, measure, and keep what is seen."""
    with tempfile.TemporaryDirectory() as made:
        os.environ["NAPARI_CONFIG"] = f"{made}/napari.yaml"  # the windows of whoever runs this are left alone
        os.environ["XDG_STATE_HOME"] = made
        paths, stars = night(Path(made))
        bench = Bench(paths)
        bench.propose()
        bench.choose(5)
        bench.keep(folder / "aligning.png")
        bench.choose(5, against=stars)
        bench.propose()
        bench.keep(folder / "aligning-catalogue.png")
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


class Bench:
    """The window with its dock, used by mouse.

    Parameters
    ----------
    paths : list of Path
        Exposures to open.
    """

    def __init__(self, paths: list[Path]) -> None:
        from napari_kmos._napari.app import make_viewer
        from napari_kmos._napari.widgets.align import AlignDock

        self.viewer = make_viewer(paths)
        self.window = self.viewer.window._qt_window
        self.window.resize(*SIZE)
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


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
