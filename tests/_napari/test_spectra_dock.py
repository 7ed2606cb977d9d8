"""The dock *Spectra* in a real viewer, by the mouse and the keys: from a click to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import factories
import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_kmos._napari.catalogue import CatalogueView, show_catalogue
from napari_kmos._napari.commands import set_north_up
from napari_kmos._napari.extracting import residual_layers
from napari_kmos._napari.pixels import pixels_layer
from napari_kmos._napari.points import points_layer
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.spectra import SpectraDock
from napari_kmos.io import read_spectrum, read_table
from napari_kmos.io.catalogue import catalogue_of
from napari_kmos.spatial.wcs import sky_to_pixel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.viewer

WAIT_MS = 30_000
STAR, OTHER = (star[:2] for star in factories.STARS)
_ID, _CHANGE, _REMARK, _SIDE = 0, 3, 4, 5


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer], exposure_file: Callable[..., Path]) -> Viewer:
    viewer = make_napari_viewer(show=True)
    add_file(viewer, exposure_file(ifus=(5,), shape=(400, 13, 15)))
    return viewer


@pytest.fixture
def dock(viewer: Viewer, qtbot: QtBot) -> Iterator[SpectraDock]:
    dock = SpectraDock(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    viewer.window.set_geometry(0, 0, 1500, 950)
    set_north_up(viewer)
    qtbot.wait(50)
    yield dock
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)


class Hand:
    """The mouse and the keyboard over the canvas."""

    def __init__(self, viewer: Viewer, qtbot: QtBot) -> None:
        self.viewer, self.qtbot = viewer, qtbot
        self.canvas = viewer.window._qt_viewer.canvas.native

    def pixel(self, y: float, x: float) -> QPoint:
        """Where a spaxel of the first layer is on the canvas."""
        place = np.array(self.viewer.layers[0].data_to_world((0, y, x))[1:])
        off = (place - self.viewer.scene.camera.center[-2:]) * self.viewer.scene.camera.zoom
        return QPoint(round(self.canvas.width() / 2 + off[1]), round(self.canvas.height() / 2 + off[0]))

    def move(self, y: float, x: float) -> None:
        QTest.mouseMove(self.canvas, self.pixel(y, x))
        self.qtbot.wait(20)

    def click(self, y: float, x: float) -> None:
        self.move(y, x)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.pixel(y, x))
        self.qtbot.wait(20)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        self.move(*start)
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.pixel(*start))
        for share in (0.3, 0.7, 1.0):
            self.move(*(first + share * (last - first) for first, last in zip(start, end, strict=True)))
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, self.pixel(*end))
        self.qtbot.wait(20)

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        self.qtbot.wait(20)


def spaxels(dock: SpectraDock) -> list[tuple[float, float]]:
    wcs = factories.make_wcs()
    return [tuple(map(float, sky_to_pixel(wcs, one.ra, one.dec))) for one in dock.session.apertures]


def cell(dock: SpectraDock, row: int, column: int) -> str:
    return dock.table.item(row, column).text()


def test_stars_are_pointed_at_seen_extracted_and_written(
    viewer: Viewer, dock: SpectraDock, qtbot: QtBot, exposure_file: Callable[..., Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):  # fmt: skip
    hand = Hand(viewer, qtbot)
    dock.session.out_dir = tmp_path / "spectra"

    # What is beneath the cursor is seen; a click beside a star ends on it.
    hand.move(2, 3)
    qtbot.waitUntil(lambda: dock.plot.names == ("IFU 5 star5 y=2 x=3",), timeout=WAIT_MS)
    assert "adu" in dock.plot.plot.getAxis("left").labelText
    dock.session.hovering = "nothing"
    assert dock.plot.names == ()
    dock.add("star")
    hand.click(STAR[0] + 0.8, STAR[1] - 0.7)
    qtbot.waitUntil(lambda: len(dock.plot.spectra) == 1, timeout=WAIT_MS)
    assert spaxels(dock)[0] == pytest.approx(STAR, abs=0.15)
    qtbot.waitUntil(lambda: pixels_layer(viewer) is not None, timeout=WAIT_MS)

    # While clicks add, a star can be dragged; what was done is undone by a key.
    hand.drag(STAR, OTHER)
    assert spaxels(dock) == [pytest.approx(OTHER, abs=0.3)]
    hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert spaxels(dock) == [pytest.approx(STAR, abs=0.15)]
    assert dock.message.text().startswith("Undone: moved star 1 by 1.4")

    # Stars and sky areas by keys; the side of the ring; a spaxel left out.
    hand.move(OTHER[0] - 0.6, OTHER[1] + 0.7)
    hand.press(Qt.Key.Key_S)
    assert spaxels(dock)[1] == pytest.approx(OTHER, abs=0.15)
    assert dock.message.text() == "Added: 2"
    hand.press(Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    hand.move(OTHER[0] + 1, OTHER[1])
    hand.press(Qt.Key.Key_E)
    qtbot.waitUntil(lambda: "1 spaxel excluded" in cell(dock, 1, _REMARK), timeout=WAIT_MS)
    assert cell(dock, 1, _SIDE) == "up"
    hand.press(Qt.Key.Key_E)
    hand.move(1.5, 1.5)
    hand.press(Qt.Key.Key_B)
    assert [cell(dock, row, _ID) for row in range(3)] == ["1", "2", "s1"]
    hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (dock.message.text(), dock.table.rowCount()) == ("Undone: adding s1", 2)
    hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert cell(dock, 2, _ID) == "s1"

    # A click in the table ends the adding, and the keys are those of its stars, whatever layer was looked at.
    stars = points_layer(viewer, "star")
    viewer.layers.selection.active = viewer.layers[0]
    assert stars.mode == "add"
    place = dock.table.visualItemRect(dock.table.item(1, 0)).center()
    QTest.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
    assert (viewer.layers.selection.active, stars.mode) == (stars, "select")

    viewer.mouse_over_canvas = False
    dock.table.setFocus()
    viewer.mouse_over_canvas = True  # keys are for what is beneath the mouse, without a click
    assert viewer.window._qt_window.focusWidget() is hand.canvas

    dock.sky.sky.setFocus()
    viewer.mouse_over_canvas = False
    viewer.mouse_over_canvas = True
    assert viewer.window._qt_window.focusWidget() is hand.canvas

    # What is removed is told; of circles that overlap, which does.
    hand.press(Qt.Key.Key_Delete)
    assert dock.message.text() == "Removed: 2"
    hand.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert dock.session.selected == ("2",)
    dock.sync.select(("1", "2"))
    dock.sync.resize(0.75)
    qtbot.waitUntil(lambda: "1: overlaps the aperture of 2" in dock.message.text(), timeout=WAIT_MS)
    dock.sync.resize(0.3)

    # A ring that makes no sense is told, and the last one holds; so is an aperture without sky.
    dock.sync.select(("1",))
    dock.sky.outer.setValue(1.0)
    assert "expected 0 <= inner < outer" in dock.message.text()
    assert dock.session.extract_parameters is None
    dock.sky.outer.setValue(3.0)
    dock.sky.unit.setCurrentText("FWHM")
    dock.sky.measure_requested.emit()
    dock.sky.radius.setValue(0.5)
    assert dock.sync.selected()[0].radius_arcsec == pytest.approx(0.5 * dock.session.fwhm_arcsec)
    assert dock.session.fwhm_arcsec == pytest.approx(0.6, rel=0.1)  # 3 spaxels

    # The whole list, by apertures and then by the fit of all: what that changed, and what the fit leaves.
    dock.steps.extract()
    qtbot.waitUntil(lambda: dock.message.text().startswith("Spectra of"), timeout=WAIT_MS)
    assert len(dock.session.spectra) == 2
    dock.sky.method.setCurrentText("psf")
    qtbot.waitUntil(lambda: "until Extract all fits it by psf" in dock.message.text(), timeout=WAIT_MS)
    dock.steps.extract()
    qtbot.waitUntil(lambda: "against the last" in dock.message.text(), timeout=WAIT_MS)
    assert all(cell(dock, row, _CHANGE).startswith("x ") for row in (0, 1))
    assert len(residual_layers(viewer)) == 1
    qtbot.waitUntil(lambda: bool(dock.plot.spectra) and dock.plot.spectra[0].method == "psf", timeout=WAIT_MS)

    # The same stars on another epoch, one outside it: it is named, the rest is written.
    second = exposure_file("second.fits", ifus=(5,), shape=(400, 13, 15), seed=2)
    view = CatalogueView(catalogue=catalogue_of(far_and_near(), "list"))
    show_catalogue(viewer, view)
    dock.steps.take_catalogue()
    assert [one.id for one in dock.session.apertures if one.kind == "star"] == ["1", "2", "GC 1"]
    dock.sky.method.setCurrentText("aperture")
    choose = "napari_kmos._napari.widgets.write_edit.ask_open_many"
    monkeypatch.setattr(choose, lambda *_: (second,))
    (apply,) = (one for one in dock.findChildren(QPushButton) if one.text() == "Apply to files…")
    apply.click()
    qtbot.waitUntil(lambda: "files written" in dock.message.text(), timeout=WAIT_MS)
    table = read_table(tmp_path / "spectra" / "second" / "spectra_star5_ifu5.ecsv")
    assert list(table["id"])[:2] == ["1", "2"]
    found = read_spectrum(tmp_path / "spectra" / "second" / "spec_star5_ifu5_2.fits")
    assert (found.aperture.sky_side, found.aperture.id) == ("up", "2")

    # What is written of a cube that was moved lies elsewhere than what is seen: that is told.
    cube = viewer.layers[0]
    cube.translate = np.add(cube.translate, (0, 0.2, 0.2))
    dock.output.overwrite.setChecked(True)
    dock.steps.write()
    qtbot.waitUntil(lambda: "was moved on the screen" in dock.message.text(), timeout=WAIT_MS)
    assert "files written" in dock.message.text()

    # Gone from view, the dock leaves keys, mouse and canvas as they were.
    dock.parentWidget().close()
    assert pixels_layer(viewer) is None
    assert not viewer.mouse_move_callbacks
    assert points_layer(viewer, "star") is not None


def test_regions_in_pixels_are_those_of_the_only_cube(
    viewer: Viewer, dock: SpectraDock, exposure_file: Callable[..., Path], tmp_path: Path
):
    regions = tmp_path / "pixels.reg"
    y, x = STAR
    regions.write_text(f"# Region file format: DS9\nimage\ncircle({x + 1},{y + 1},2) # text={{A}}\n")
    dock.read(regions)
    assert spaxels(dock) == [pytest.approx(STAR, abs=1e-3)]
    assert dock.session.apertures[0].radius_arcsec == pytest.approx(0.4, rel=1e-3)  # 2 spaxels of 0.2"

    # The same list once more adds nothing; what is no aperture is named.
    y, x = OTHER
    regions.write_text(f"{regions.read_text()}circle({x + 1},{y + 1},2) # text={{B}}\nbox(5,5,2,2,0)\n")
    dock.read(regions)
    assert dock.message.text() == (
        "pixels.reg: 1 there already; 2 apertures now; "
        "region 3 is RectanglePixel and left out; apertures are circles, points and texts"
    )

    add_file(viewer, exposure_file("second.fits", ifus=(5,), seed=2))
    dock.read(regions)
    assert "it is in image pixels, and it is not clear of which image" in dock.message.text()
    assert len(dock.session.apertures) == 2

    # Without a cube no star can be found.
    viewer.layers.clear()
    dock.steps.find()
    assert dock.message.text() == "there is no cube to find stars in; open one first"
    dock.add("star")
    assert dock.message.text() == "Open a cube first: apertures are drawn on its sky"
    add_file(viewer, exposure_file("third.fits", ifus=(5,), seed=3))
    assert dock.message.text() == ""


def far_and_near():
    """A catalogue of one source in the field and one elsewhere."""
    from astropy.table import Table

    return Table(
        {"id": ["GC 1", "GC 2"], "ra": [factories.RA, factories.RA + 1], "dec": [factories.DEC, factories.DEC]}
    )
