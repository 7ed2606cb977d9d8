"""The workbench *Align IFUs* in a real viewer: rows, keys, proposals, references and files."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import dithered_files
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog, QPushButton

from napari_kmos._napari import reader
from napari_kmos._napari.align_rows import BY_CLICKS, read_file
from napari_kmos._napari.catalogue import CatalogueView, catalogue_layer, show_catalogue, view_of
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.pair_images import BAND, LINE
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.align import AlignDock
from napari_kmos._napari.widgets.combine import CombineDock
from napari_kmos._napari.widgets.decision_bar import NEXT, REDO, UNDO
from napari_kmos._napari.widgets.maps import MapsDock
from napari_kmos.align import white_light
from napari_kmos.align.clicks import StarShift
from napari_kmos.catalogue import ProperMotion
from napari_kmos.io import read_offsets
from napari_kmos.spatial.wcs import pixel_to_sky

pytestmark = pytest.mark.viewer

WAIT_MS = 20_000


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exposures come as a layer each."""
    monkeypatch.setattr(reader, "_MOST_LAYERS", 1)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    return make_napari_viewer(show=True)


@pytest.fixture
def dock_of(viewer: Viewer, qtbot: QtBot) -> Iterator[Callable[[], AlignDock]]:
    """Open the dock, and wait until no step runs at the end."""
    opened = []

    def add() -> AlignDock:
        dock = AlignDock(viewer)
        viewer.window.add_dock_widget(dock, area="right")
        viewer.window.set_geometry(0, 0, 1500, 950)
        qtbot.wait(50)
        opened.append(dock)
        return dock

    yield add
    for dock in opened:
        wait(dock, qtbot)


def wait(dock: AlignDock, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)


def words(dock: AlignDock) -> list[str]:
    return [dock.table.item(row, 0).text() for row in range(dock.table.rowCount())]


def click_row(dock: AlignDock, row: int) -> None:
    place = dock.table.visualItemRect(dock.table.item(row, 2)).center()
    QTest.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, pos=place)


@pytest.fixture
def two(viewer: Viewer, pair_of_files: tuple[Path, Path]) -> Viewer:
    for path in pair_of_files:
        add_file(viewer, path)
    return viewer


def test_a_row_that_is_chosen_is_the_pair_and_keys_decide_of_it(two: Viewer, dock_of, qtbot: QtBot):
    first, second = two.layers
    dock = dock_of()
    canvas = two.window._qt_viewer.canvas.native
    click_row(dock, 1)
    assert (dock.pair.reference, dock.pair.moving) == (first, second)
    assert dock.move_button.isChecked()
    assert dock.colours.isChecked()
    assert dock.window().focusWidget() is canvas  # and not the table, which would take the arrows
    with qtbot.waitSignal(dock.parts.pair.view.scored, timeout=WAIT_MS):
        QTest.keyClick(canvas, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert offset_of(second) == pytest.approx((0.005, 0.0), abs=1e-9)  # a tenth of the step
    assert "residual" in dock.parts.pair.score.numbers.text()
    assert words(dock) == ["", "moved"]
    assert [dock.table.item(row, dock.table.columnCount() - 1).text() for row in range(2)] == ["", "exp 0"]
    click_row(dock, 0)
    assert "Compared with exposure 1" in dock.message.text()
    click_row(dock, 1)
    for key, word in ((Qt.Key.Key_R, "rejected"), (Qt.Key.Key_S, "skipped"), (Qt.Key.Key_A, "accepted")):
        QTest.keyClick(canvas, key)
        assert words(dock) == ["reference", word]
    QTest.keyClick(dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)  # where the dock has the keys, too
    assert words(dock) == ["reference", "skipped"]
    assert "Accepted exposure 1" in dock.parts.decisions.buttons[REDO].toolTip()
    dock.parts.decisions.buttons[REDO].click()
    dock.parts.decisions.buttons[UNDO].click()
    assert words(dock)[1] == "skipped"
    assert dock.table.item(1, 0).foreground().color().lightness() > 128
    two.theme = "light"
    assert dock.table.item(1, 0).foreground().color().lightness() < 128
    dock.parts.reference.box.showPopup()
    QTest.keyClick(dock.parts.reference.box.view(), Qt.Key.Key_R)
    dock.parts.reference.box.hidePopup()
    dock.edit.east.setFocus()
    for key in (Qt.Key.Key_R, Qt.Key.Key_A):
        QTest.keyClick(dock.edit.east, key)
    assert words(dock)[1] == "skipped"  # where somebody types or chooses, letters are letters
    dock.hide()
    QTest.keyClick(canvas, Qt.Key.Key_A)
    assert dock.bench.rows()[1].offset.decision == "skipped"  # the keys are given back


def test_all_rows_are_proposed_and_the_next_doubtful_one_is_chosen(
    viewer: Viewer, dock_of, qtbot: QtBot, tmp_path: Path
):
    paths = dithered_files.write_visits(tmp_path, crowded=True)
    for path in paths:
        add_file(viewer, path)
    dock = dock_of()
    dock.choose_reference(paths[0])
    dock.parts.measure.all.click()
    wait(dock, qtbot)
    assert "6 proposals, 6 of them sure" in dock.message.text()
    # By arm, then by exposure; exposures are measured against exposure 0 where its header says.
    assert words(dock) == ["reference", "measured", "measured"] * 2
    zero = dithered_files.VISITS[0].error
    for row in dock.bench.rows():
        east, north = np.subtract(dithered_files.VISITS[row.exposure].error, zero)
        assert (row.offset.dra_arcsec, row.offset.ddec_arcsec) == pytest.approx((east, north), abs=0.02)
    dock.parts.decisions.buttons[NEXT].click()
    assert dock.message.text() == "No doubtful row is left"
    doubtful = dock.bench.rows()[4]
    dock.bench.move(doubtful.identity, 0.1, 0.1)
    dock.parts.decisions.buttons[NEXT].click()
    assert dock.pair.identity == doubtful.identity
    assert kmos_of(dock.pair.reference).cube.name == doubtful.cube.name
    dock.parts.measure.take_button.click()
    assert words(dock) == ["reference", "measured", "measured"] * 2
    assert dock.bench.undo()


def test_shift_files_and_copies_are_written_and_shift_files_read_back(
    viewer: Viewer, dock_of, qtbot: QtBot, tmp_path: Path
):
    paths = dithered_files.write_visits(tmp_path)
    for path in paths:
        add_file(viewer, path)
    dock = dock_of()
    for row in dock.bench.rows():
        dock.bench.move(row.identity, 0.1 * row.exposure, -0.05 * row.cube.ifu * row.exposure)
        dock.bench.decide(row.identity, "accepted")
    dock.parts.files.write_products(tmp_path / "out", shifts=True, crval=True)
    wait(dock, qtbot)
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"offsets.ecsv", "shifts_gc1.txt", "shifts_gc1.sof", "exp0_OFFSET.fits"} <= written
    known = {(one.file, one.ifu): (one.dra_arcsec, one.ddec_arcsec) for one in dock.session.offsets}
    table = read_offsets(tmp_path / "out" / "offsets.ecsv")
    assert {(Path(one.file).name, one.ifu): (one.dra_arcsec, one.ddec_arcsec) for one in table} == known
    for row in dock.bench.rows():
        dock.bench.move(row.identity, 0.0, 0.0)
    dock.read(tmp_path / "out" / "shifts_gc2.txt")
    wait(dock, qtbot)
    for row in dock.bench.rows():
        if row.cube.name == "gc2":  # against its first exposure, which was not moved
            place = known[row.path.name, row.cube.ifu]
            assert (row.offset.dra_arcsec, row.offset.ddec_arcsec) == pytest.approx(place, abs=2e-3)
    for row in dock.bench.rows():
        dock.bench.decide(row.identity, "accepted")
    row = next(row for row in dock.bench.rows() if row.exposure == 1)
    dock.choose_row(row.identity)
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    assert {row.exposure for row in dock.bench.rows() if row.offset.decision == "rejected"} == {1}
    dock.parts.files.write_products(tmp_path / "out", shifts=True)
    wait(dock, qtbot)
    for target in ("gc1", "gc2"):
        sof = (tmp_path / "out" / f"shifts_{target}.sof").read_text()
        assert [name in sof for name in ("exp0", "exp1", "exp2")] == [True, False, True]
        assert len((tmp_path / "out" / f"shifts_{target}.txt").read_text().splitlines()) == 1


def test_a_catalogue_is_a_reference_like_others(two: Viewer, dock_of, qtbot: QtBot, tmp_path: Path):
    first, _ = two.layers
    places = [(4.3, 8.7, 500.0), (9.2, 3.6, 300.0)]  # of the stars in the files
    right = kmos_of(first).cube.wcs
    ra, dec = np.transpose([pixel_to_sky(right, y, x) for y, x, _ in places])
    magnitude = [20 - 2.5 * np.log10(flux) for *_, flux in places]
    Table({"ra": ra, "dec": dec, "kmag": magnitude}).write(tmp_path / "stars.ecsv", format="ascii.ecsv")
    dock = dock_of()
    click_row(dock, 1)
    dock.parts.files.open_reference(tmp_path / "stars.ecsv")
    wait(dock, qtbot)
    assert dock.parts.reference.box.currentText() == "catalogue: stars"
    assert dock.parts.measure.method.currentText() == "catalogue"
    assert len(catalogue_layer(two).data) == 2
    assert np.ptp(catalogue_layer(two).size) > 0
    dock.automatic.click()
    wait(dock, qtbot)
    row = dock.bench.rows()[1]
    assert (row.proposal.dra_arcsec, row.proposal.ddec_arcsec) == pytest.approx((-0.4, 0.2), abs=0.05)
    moving = dataclasses.replace(
        dock.pair.catalogue, motion=ProperMotion(east=np.zeros(2), north=np.full(2, 50.0), epoch=np.full(2, 2000.0))
    )
    dock.hide()
    show_catalogue(two, CatalogueView(catalogue=moving))  # as the dock Catalogue does where columns are chosen
    with qtbot.waitSignal(dock.parts.pair.view.scored, timeout=WAIT_MS):
        dock.show()
    year = read_file(kmos_of(first).path).date.jyear
    np.testing.assert_allclose(dock.pair.shown().dec - dec, 50e-3 / 3600 * (year - 2000), rtol=1e-6)
    with qtbot.waitSignal(dock.parts.pair.view.scored, timeout=WAIT_MS):
        dock.choose_reference(kmos_of(first).path)
    assert view_of(two).catalogue is moving  # as the user has it
    assert dock.pair.reference is first
    assert dock.parts.measure.method.currentText() == "correlation"


def test_stars_that_are_clicked_move_the_row(two: Viewer, dock_of, qtbot: QtBot):
    dock = dock_of()
    click_row(dock, 1)
    dock.parts.pair.click.click()  # the pictures are still being made
    qtbot.waitUntil(lambda: dock.parts.pair.clicks.is_active, timeout=WAIT_MS)
    assert "Click a star in the moving image" in dock.message.text()
    assert not dock.move_button.isChecked()
    dock.parts.pair.clicks.measured.emit(
        StarShift(dra_arcsec=-0.39, ddec_arcsec=0.21, err_arcsec=0.02, n_pairs=2, rms_arcsec=0.01)
    )
    row = dock.bench.rows()[1]
    assert (row.offset.method, row.offset.note, row.offset.accepted) == (BY_CLICKS, "2 stars, rms 0.010″", False)
    assert offset_of(two.layers[1]) == pytest.approx((-0.39, 0.21), abs=1e-9)
    dock.accept()
    assert (dock.session.offsets[1].method, dock.session.offsets[1].accepted) == (BY_CLICKS, True)
    click_row(dock, 1)
    assert not dock.move_button.isChecked()
    dock.move_button.click()
    assert not dock.parts.pair.click.isChecked()
    assert not dock.parts.pair.clicks.is_active


def test_each_kind_of_image_has_a_window_of_its_own_and_what_is_old_is_not_shown(two: Viewer, dock_of, qtbot: QtBot):
    dock = dock_of()
    click_row(dock, 1)
    pair = dock.parts.pair
    with qtbot.waitSignal(pair.view.scored, timeout=WAIT_MS):
        pass
    pair.view.failed.emit("no such line")
    pair.image.setCurrentText(BAND)
    with qtbot.waitSignal(pair.view.prepared, timeout=WAIT_MS):
        pair.image.activated.emit(pair.image.currentIndex())
        assert "residual" not in pair.score.numbers.text()
    assert dock.message.text() == ""
    windows = []
    for kind in (BAND, LINE, BAND):
        pair.image.setCurrentText(kind)
        pair.image.activated.emit(pair.image.currentIndex())
        windows.append(pair.window.text())
    band, line, again = (np.ptp([float(end) for end in text.split("-")]) for text in windows)
    assert line < 0.1 * band
    assert again == band
    dock.edit.show_offset(-1e-9, 0.0, (-1e-9, 0.0))
    assert dock.edit.spaxels.text().startswith("x +0.00")


def test_nothing_is_cut_where_the_window_is_narrow(viewer: Viewer, dock_of, qtbot: QtBot):
    dock = dock_of()
    viewer.window.set_geometry(0, 0, 700, 900)
    bars = (dock.parts.files, dock.parts.pair, dock.parts.measure)

    def are_whole() -> None:
        for bar in bars:
            assert bar.mapTo(dock, bar.rect().topRight()).x() < dock.width()
            assert bar.width() >= bar.minimumSizeHint().width()

    qtbot.waitUntil(are_whole, timeout=WAIT_MS)


def choose_in_dialog(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Have the dialogs that ask for a file return one."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))


def test_an_image_by_another_telescope_is_a_reference_and_files_are_chosen_in_dialogs(
    two: Viewer, dock_of, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, second = two.layers
    white = white_light(kmos_of(first).cube)
    fits.PrimaryHDU(white.data).writeto(tmp_path / "plain.fits")
    fits.PrimaryHDU(white.data, white.wcs.to_header()).writeto(tmp_path / "hst.fits")
    dock = dock_of()
    click_row(dock, 1)
    choose_in_dialog(monkeypatch, tmp_path / "plain.fits")
    dock.parts.reference.open.click()
    assert "plain.fits: no image with world coordinates" in dock.message.text()
    choose_in_dialog(monkeypatch, tmp_path / "hst.fits")
    dock.parts.reference.open.click()
    assert dock.parts.reference.box.currentText() == "image: hst image"
    assert kmos_of(dock.pair.reference).cube is None
    dock.automatic.click()
    wait(dock, qtbot)
    assert offset_of(second) == pytest.approx((-0.4, 0.2), abs=0.02)
    dock.parts.measure.all.click()
    wait(dock, qtbot)
    assert offset_of(first) == pytest.approx((0, 0), abs=0.02)
    assert words(dock) == ["measured", "measured"]
    dock.write(tmp_path / "offsets.ecsv")
    dock.bench.move(kmos_of(second).identity, 0.1, 0.1)
    assert words(dock) == ["measured", "moved"]
    choose_in_dialog(monkeypatch, tmp_path / "offsets.ecsv")
    QTest.mouseClick(dock.parts.files.findChildren(QPushButton)[0], Qt.MouseButton.LeftButton)
    assert "offsets.ecsv: 2 offsets, 2 of them for open layers" in dock.message.text()
    assert words(dock) == ["measured", "measured"]


@pytest.mark.usefixtures("crowded")
def test_rows_of_an_exposure_in_one_layer_get_layers_while_they_are_looked_at(
    viewer: Viewer, dock_of, exposure_file: Callable[..., Path]
):
    whole = [add_file(viewer, exposure_file(name, ifus=(3, 5)))[0] for name in ("one.fits", "two.fits")]
    dock = dock_of()
    assert "choose a row" in dock.message.text()
    click_row(dock, 3)
    assert [kmos_of(layer).ifu for layer in (dock.pair.reference, dock.pair.moving)] == [5, 5]
    dock.mover.move_to(0.2, 0.1)
    dock.accept()
    click_row(dock, 1)
    assert [kmos_of(layer).ifu for layer in (dock.pair.reference, dock.pair.moving)] == [3, 3]
    assert sum(kmos_of(layer) is not None and layer not in whole for layer in viewer.layers) == 2
    assert words(dock) == ["", "", "reference", "accepted"]
    click_row(dock, 3)
    assert offset_of(dock.pair.moving) == pytest.approx((0.2, 0.1), abs=1e-9)
    assert offset_of(whole[1]) == pytest.approx((0, 0), abs=1e-9)


def test_what_cannot_be_used_is_told_and_changes_nothing(two: Viewer, dock_of, qtbot: QtBot, tmp_path: Path):
    dock = dock_of()
    click_row(dock, 1)
    dock.accept()
    before = dock.session.offsets
    (tmp_path / "other.ecsv").write_text("no table\n")
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / "far.ecsv", format="ascii.ecsv")
    for act, said in (
        (lambda: dock.read(tmp_path / "other.ecsv"), "not an offset table"),
        (lambda: dock.parts.files.open_reference(tmp_path / "other.ecsv"), "cannot be read as a table"),
        (lambda: dock.parts.files.open_reference(tmp_path / "far.ecsv"), "far"),
        (lambda: dock.parts.files.add_rows((tmp_path / "gone.fits",)), "gone.fits"),
        (lambda: dock.read(tmp_path / "gone.txt"), "gone.txt"),
    ):
        act()
        wait(dock, qtbot)
        assert said in dock.message.text()
        assert dock.session.offsets == before


def test_a_pair_ends_where_another_dock_is_opened_below(two: Viewer, dock_of, qtbot: QtBot):
    dock = dock_of()
    click_row(dock, 1)
    assert dock.parts.pair.view.is_shown
    two.window.add_dock_widget(MapsDock(two), area="right")
    qtbot.waitUntil(lambda: not dock.parts.pair.view.is_shown, timeout=WAIT_MS)
    assert dock.isVisible()
    assert [layer.opacity for layer in two.layers] == [1.0, 1.0]
    assert not dock.mover.is_active
    click_row(dock, 1)
    assert dock.parts.pair.view.is_shown


def test_what_lies_behind_another_tab_is_not_seen(two: Viewer, dock_of, qtbot: QtBot):
    dock = dock_of()
    combine = CombineDock(two)
    frame = two.window.add_dock_widget(combine, area="right", tabify=True)
    frame.raise_()
    qtbot.waitUntil(lambda: combine.is_seen and not dock.is_seen, timeout=WAIT_MS)
    dock.parentWidget().raise_()
    qtbot.waitUntil(lambda: dock.is_seen and not combine.is_seen, timeout=WAIT_MS)
    click_row(dock, 1)
    assert dock.parts.pair.view.is_shown
    frame.raise_()
    qtbot.waitUntil(lambda: not dock.parts.pair.view.is_shown, timeout=WAIT_MS)
    QTest.keyClick(two.window._qt_viewer.canvas.native, Qt.Key.Key_A)
    assert words(dock) == ["", ""]  # nobody decides of what is not to be seen


def test_nothing_jumps_while_the_dock_says_something(two: Viewer, dock_of, qtbot: QtBot):
    dock = dock_of()
    qtbot.wait(50)
    before = dock.parts.files.mapTo(dock, dock.parts.files.rect().topLeft())
    dock.say("Two lines of text, for which there is room. " * 2)
    dock._show_running(True)
    qtbot.wait(50)
    assert dock.cancel.isVisible()
    assert dock.parts.files.mapTo(dock, dock.parts.files.rect().topLeft()) == before
    dock._show_running(False)
    click_row(dock, 1)
    dock.say("Measured")
    dock.mover.nudge(1, 0)
    assert "Measured" not in dock.message.text()


def test_shift_files_that_are_refused_leave_no_table_behind(two: Viewer, dock_of, qtbot: QtBot, tmp_path: Path):
    dock = dock_of()
    click_row(dock, 1)
    dock.accept()
    dock.decide("rejected")
    folder = tmp_path / "out"
    folder.mkdir()
    for before in (None, "as it was"):
        if before:
            (folder / "offsets.ecsv").write_text(before)
        dock.parts.files.write_products(folder, shifts=True)
        wait(dock, qtbot)
        assert "nothing to shift" in dock.message.text()
        assert [path.read_text() for path in folder.iterdir()] == ([before] if before else [])


def test_a_row_against_a_catalogue_among_others_is_told(two: Viewer, dock_of, qtbot: QtBot, tmp_path: Path):
    right = kmos_of(two.layers[0]).cube.wcs
    dock = dock_of()
    click_row(dock, 1)
    dock.automatic.click()
    wait(dock, qtbot)
    assert "against first.fits" in dock.message.text()
    dock.decide("accepted")
    ra, dec = np.transpose([pixel_to_sky(right, y, x) for y, x in ((4.3, 8.7), (9.2, 3.6))])
    Table({"ra": ra, "dec": dec, "kmag": [13.0, 13.6]}).write(tmp_path / "truth.csv")
    dock.parts.files.open_reference(tmp_path / "truth.csv")
    wait(dock, qtbot)
    first_row, second_row = dock.bench.rows()
    dock.bench.propose({first_row.identity: second_row.offset}, {first_row.identity: "truth.csv"})
    dock.write(tmp_path / "offsets.ecsv")
    assert "rows are against first.fits and truth.csv" in dock.message.text()
    assert dock.table.item(1, dock.table.columnCount() - 1).text() == "exp 0"
    assert "against first.fits" in dock.table.item(1, 0).toolTip()
