"""The docks in a real viewer: what a mouse, a key, a button and a thread do."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_kmos._napari.commands import set_north_up, switch_layout
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.points import points_layer
from napari_kmos._napari.positions import layout_of, move_to, offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos._napari.widgets.align import AlignDock
from napari_kmos._napari.widgets.aperture_table import Known
from napari_kmos._napari.widgets.combine import CombineDock
from napari_kmos._napari.widgets.dock import Dock
from napari_kmos._napari.widgets.sky_tweak import SkyTweakDock
from napari_kmos._napari.widgets.spectra import SpectraDock
from napari_kmos.aperture import Aperture
from napari_kmos.io import (
    read_apertures,
    read_cube,
    read_exposure,
    read_offsets,
    read_spectrum,
    read_table,
    write_apertures,
)
from napari_kmos.offset import Offset
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters
from napari_kmos.spatial.wcs import pixel_to_sky

pytestmark = pytest.mark.viewer

WAIT_MS = 20_000


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    return make_napari_viewer(show=True)


@pytest.fixture
def dock_of(viewer: Viewer, qtbot: QtBot) -> Iterator[Callable[[type[Dock]], Dock]]:
    """Open a dock in a window of a size at which the canvas can be hit, and wait until no step runs at the end."""
    opened = []

    def add(kind: type[Dock]) -> Dock:
        dock = kind(viewer)
        viewer.window.add_dock_widget(dock, area="right")
        viewer.window.set_geometry(0, 0, 1400, 900)
        set_north_up(viewer)
        qtbot.wait(50)
        opened.append(dock)
        return dock

    yield add
    for dock in opened:
        qtbot.waitUntil(lambda dock=dock: not dock.is_running, timeout=WAIT_MS)


@pytest.fixture
def night(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    """Two object and two sky exposures of two IFUs."""
    parameters = SimulationParameters(ifus=2, exposures=2, epochs=1, nz=256, seed=4)
    outcome = simulate(tmp_path / "night", parameters=parameters)
    n_objects = outcome.measured["n_objects"]
    return list(outcome.products[:n_objects]), list(outcome.products[n_objects:])


def canvas_of(viewer: Viewer):
    return viewer.window._qt_viewer.canvas.native


def drag(
    viewer: Viewer, qtbot: QtBot, start: QPoint, by: QPoint, *, before_release: Callable[[], None] = lambda: None
) -> None:
    """Press, move in steps and release the left button over the canvas."""
    canvas = canvas_of(viewer)
    QTest.mouseMove(canvas, start)
    qtbot.wait(20)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in (0.3, 0.7, 1.0):
        QTest.mouseMove(canvas, start + QPoint(round(step * by.x()), round(step * by.y())))
        qtbot.wait(20)
    before_release()
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start + by)
    qtbot.wait(20)


def on_screen(viewer: Viewer, y: float, x: float) -> QPoint:
    """Return the pixel of the canvas at which a position in arcsec is drawn."""
    canvas, camera = canvas_of(viewer), viewer.scene.camera
    middle_y, middle_x = camera.center[-2:]
    return QPoint(
        round(canvas.width() / 2 + (x - middle_x) * camera.zoom),
        round(canvas.height() / 2 + (y - middle_y) * camera.zoom),
    )


def star_at(id_: str, y: float, x: float, wcs=None, kind: str = "star") -> Aperture:
    ra, dec = pixel_to_sky(wcs or factories.make_wcs(), y, x)
    return Aperture(id=id_, kind=kind, ra=ra, dec=dec, radius_arcsec=0.4)


@pytest.mark.parametrize("is_white", [False, True], ids=["planes", "white light"])
def test_a_layer_dragged_by_the_mouse_writes_the_offset_it_was_dragged_by(
    viewer: Viewer, dock_of, qtbot: QtBot, pair_of_files: tuple[Path, Path], tmp_path: Path, is_white: bool
):
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    dock = dock_of(AlignDock)
    dock.choose(first, second)
    if is_white:
        dock.view_bar.white.click()
    dock.move_button.click()
    middle = QPoint(canvas_of(viewer).width() // 2, canvas_of(viewer).height() // 2)
    drag(viewer, qtbot, middle, QPoint(60, -35))  # right and up: west and north
    zoom = viewer.scene.camera.zoom
    assert (dock.edit.east.value(), dock.edit.north.value()) == pytest.approx((-60 / zoom, 35 / zoom), abs=6e-4)
    dock.accept()
    dock.write(tmp_path / "offsets.ecsv")
    reference, moved = read_offsets(tmp_path / "offsets.ecsv")
    assert (moved.dra_arcsec, moved.ddec_arcsec) == pytest.approx((-60 / zoom, 35 / zoom), abs=2e-5)
    assert (moved.file, moved.exposure, moved.ifu, moved.method) == ("second.fits", 1, 5, "hand")
    assert (reference.file, reference.dra_arcsec, reference.ddec_arcsec) == ("first.fits", 0.0, 0.0)
    assert offset_of(first) == pytest.approx((0, 0), abs=1e-9)


def test_a_handle_that_would_turn_the_layer_does_nothing_but_say_so(
    viewer: Viewer, dock_of, qtbot: QtBot, pair_of_files: tuple[Path, Path]
):
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    dock = dock_of(AlignDock)
    dock.choose(first, second)
    dock.move_button.click()
    corner = second.data_to_world((0, -0.5, -0.5))[1:]
    before = second.affine.affine_matrix.copy()
    drag(viewer, qtbot, on_screen(viewer, *corner), QPoint(40, 30))
    np.testing.assert_allclose(second.affine.affine_matrix, before, atol=1e-9)
    assert "moved only" in dock.message.text()


def test_arrow_keys_nudge_by_the_step_while_the_dock_moves_and_only_then(
    viewer: Viewer, dock_of, qtbot: QtBot, pair_of_files: tuple[Path, Path]
):
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    dock = dock_of(AlignDock)
    dock.choose(first, second)
    canvas = canvas_of(viewer)
    plane = viewer.dims.current_step[0]
    dock.edit.step.setValue(0.02)
    dock.move_button.click()
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Left, Qt.Key.Key_Down):
        QTest.keyClick(canvas, key)
    QTest.keyClick(canvas, Qt.Key.Key_Up, Qt.KeyboardModifier.ControlModifier)
    assert offset_of(second) == pytest.approx((0.04, 0.18), abs=1e-9)  # two to the east, one south, ten north
    assert viewer.dims.current_step[0] == plane
    dock.hide()
    QTest.keyClick(canvas, Qt.Key.Key_Left)
    assert offset_of(second) == pytest.approx((0.04, 0.18), abs=1e-9)
    assert viewer.dims.current_step[0] == plane - 1


def test_the_contact_sheet_keeps_the_offset_and_complains_of_nothing(
    viewer: Viewer, dock_of, exposure_file: Callable[..., Path]
):
    far = factories.make_wcs(ra=factories.RA + 0.1)
    first, _ = add_file(viewer, exposure_file(ifus=(5, 7), elsewhere={7: far}))
    dock = dock_of(AlignDock)
    dock.choose(first, first)
    dock.mover.move_to(0.4, -0.1)
    before = layout_of(viewer)
    switch_layout(viewer)
    assert layout_of(viewer) != before
    assert dock.message.text() == ""
    assert dock.mover.offset() == pytest.approx((0.4, -0.1), abs=1e-6)


def test_typed_numbers_move_the_layer_and_spaxels_are_told_along_its_own_axes(
    viewer: Viewer, dock_of, pair_of_files: tuple[Path, Path]
):
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    dock = dock_of(AlignDock)
    dock.choose(first, second)
    dock.edit.east.setValue(-0.3)
    dock.edit.north.setValue(0.1)
    assert offset_of(second) == pytest.approx((-0.3, 0.1), abs=1e-9)
    # y points 20 degrees east of north, x to the west of it.
    angle = np.deg2rad(20)
    y = (-0.3 * np.sin(angle) + 0.1 * np.cos(angle)) / 0.2
    x = -(-0.3 * np.cos(angle) - 0.1 * np.sin(angle)) / 0.2
    assert dock.edit.spaxels.text().startswith(f"x {x:+.2f}   y {y:+.2f}")


def test_the_automatic_offset_undoes_the_error_of_the_header_and_can_be_read_again(
    viewer: Viewer, dock_of, qtbot: QtBot, pair_of_files: tuple[Path, Path], tmp_path: Path
):
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    dock = dock_of(AlignDock)
    dock.choose(first, second)
    dock.automatic.click()
    qtbot.waitUntil(lambda: not dock.is_running and "Measured" in dock.message.text(), timeout=WAIT_MS)
    assert offset_of(second) == pytest.approx((-0.4, 0.2), abs=0.02)  # a tenth of a spaxel
    dock.accept()
    (row,) = [row for row in dock.session.offsets if row.file == "second.fits"]
    assert row.method == "correlation"
    dock.write(tmp_path / "offsets.ecsv")
    dock.edit.east.setValue(1.0)
    dock.session.offsets = ()
    dock.read(tmp_path / "offsets.ecsv")
    assert offset_of(second) == pytest.approx((row.dra_arcsec, row.ddec_arcsec), abs=2e-5)
    assert len(dock.session.offsets) == 2


def test_red_and_cyan_shows_the_pair_and_everything_comes_back(
    viewer: Viewer, dock_of, pair_of_files: tuple[Path, Path], exposure_file: Callable[..., Path]
):
    (other,) = add_file(viewer, exposure_file("third.fits", ifus=(5,)))
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    dock = dock_of(AlignDock)
    dock.choose(first, second)
    dock.colours.click()
    assert (first.colormap.name, second.colormap.name, other.visible) == ("red", "cyan", False)
    dock.hide()
    assert (first.colormap.name, second.colormap.name, other.visible) == ("inferno", "inferno", True)


def test_the_wavelength_is_shown_in_micron_and_can_be_typed(
    viewer: Viewer, dock_of, exposure_file: Callable[..., Path]
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    grid = read_exposure(layer.metadata["kmos"].path).cube(5).wavelength_um
    dock = dock_of(SpectraDock)
    viewer.dims.set_current_step(0, 7)
    assert viewer.dims.axis_labels[0] == f"{grid[7]:.5f} µm"
    assert dock.view_bar.wavelength.value() == pytest.approx(grid[7], abs=1e-5)
    dock.view_bar.wavelength.setValue(grid[31] + 0.001)
    assert viewer.dims.current_step[0] == 31


def test_a_moved_point_changes_the_spectrum(viewer: Viewer, dock_of, qtbot: QtBot, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    dock = dock_of(SpectraDock)
    dock.sync.show([star_at("A", 4.3, 8.7)])
    dock.sync.select(("A",))
    qtbot.waitUntil(lambda: len(dock.plot.spectra) == 1, timeout=WAIT_MS)
    bright = dock.plot.spectra[0]
    assert dock.plot.names == ("A IFU 5 star5",)
    # From the star of 500 onto the one of 300, by the mouse.
    points = points_layer(viewer, "star")
    start, end = (on_screen(viewer, *layer.data_to_world((0, *place))[1:]) for place in ((4.3, 8.7), (9.2, 3.6)))

    def follows() -> None:
        qtbot.waitUntil(lambda: dock.plot.spectra[0].aperture.ra != bright.aperture.ra, timeout=WAIT_MS)

    drag(viewer, qtbot, start, end - start, before_release=follows)
    np.testing.assert_allclose(layer.world_to_data((0, *points.data[0]))[1:], (9.2, 3.6), atol=0.05)
    qtbot.waitUntil(lambda: not dock.plot.latest._running, timeout=WAIT_MS)
    assert np.median(dock.plot.spectra[0].flux) / np.median(bright.flux) == pytest.approx(300 / 500, abs=0.05)


def test_a_spectrum_that_cannot_be_had_is_not_shown_and_a_line_says_why(
    viewer: Viewer, dock_of, qtbot: QtBot, exposure_file: Callable[..., Path]
):
    add_file(viewer, exposure_file(ifus=(5,)))
    dock = dock_of(SpectraDock)
    dock.sync.show([star_at("A", 4.3, 8.7), star_at("far", 400.0, 8.7)])
    dock.sync.select(("A",))
    qtbot.waitUntil(lambda: len(dock.plot.spectra) == 1, timeout=WAIT_MS)
    dock.say("Written: somewhere")
    dock.sky.sky.setCurrentText("areas")  # there are none
    qtbot.waitUntil(lambda: "kind sky" in dock.message.text(), timeout=WAIT_MS)
    assert dock.plot.names == ()
    dock.sync.select(("far",))
    qtbot.waitUntil(lambda: dock.message.text() == "far: no visible cube has data there", timeout=WAIT_MS)
    dock.sky.sky.setCurrentText("none")
    dock.sync.select(("A",))
    qtbot.waitUntil(lambda: dock.message.text() == "", timeout=WAIT_MS)
    assert dock.plot.names
    dock.say("Written: somewhere")
    dock.sync.resize(0.35)
    qtbot.waitUntil(lambda: dock.plot.spectra[0].aperture.radius_arcsec == pytest.approx(0.35), timeout=WAIT_MS)
    assert dock.message.text() == "Written: somewhere"


def test_hundreds_of_apertures_do_not_hold_the_window_up(viewer: Viewer, dock_of, exposure_file: Callable[..., Path]):
    add_file(viewer, exposure_file(ifus=(5,)))
    dock = dock_of(SpectraDock)
    stars = [star_at(str(number), 4.3, 8.7) for number in range(300)]
    begun = time.perf_counter()
    dock.table.show_apertures(stars, ("7",), Known())
    assert time.perf_counter() - begun < 1.0  # 0.02 s; measuring the columns after every cell took 6 s
    assert dock.table.rowCount() == 300


def test_a_layer_that_was_moved_takes_its_stars_along(
    viewer: Viewer, dock_of, qtbot: QtBot, exposure_file: Callable[..., Path]
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    dock = dock_of(SpectraDock)
    dock.sync.show([star_at("A", 4.3, 8.7)])
    dock.sync.select(("A",))
    qtbot.waitUntil(lambda: len(dock.plot.spectra) == 1, timeout=WAIT_MS)
    on_star = np.median(dock.plot.spectra[0].flux)
    move_to(layer, 0.6, 0.0)
    dock.sync.resize(0.41)
    qtbot.waitUntil(lambda: dock.plot.spectra[0].aperture.radius_arcsec == pytest.approx(0.41), timeout=WAIT_MS)
    assert np.median(dock.plot.spectra[0].flux) < 0.6 * on_star


def test_spectra_and_apertures_are_written_from_the_dock_and_read_back(
    viewer: Viewer, dock_of, qtbot: QtBot, exposure_file: Callable[..., Path], tmp_path: Path
):
    add_file(viewer, exposure_file(ifus=(5,)))
    dock = dock_of(SpectraDock)
    write_apertures(
        [star_at("7", 4.3, 8.7), star_at("B", 9.2, 3.6), star_at("s", 1.0, 2.0, kind="sky")], tmp_path / "in.reg"
    )
    dock.read(tmp_path / "in.reg")
    place = dock.session.apertures[0]
    (tmp_path / "catalogue.csv").write_text(f"name,ra,dec\nnear,{place.ra},{place.dec}\n")
    dock.read(tmp_path / "catalogue.csv")
    near = next(one for one in dock.session.apertures if one.id == "near")
    assert near.radius_arcsec == dock.sync.radius_arcsec  # as large as new ones
    assert dock.session.apertures_file == tmp_path / "in.reg"  # which can be written
    assert dock.sync.undo() == "reading catalogue.csv"  # also of stars that were added after a sky area
    assert len(dock.session.apertures) == 3
    dock.table.item(0, 0).setText("WR 102")
    dock.steps.save(tmp_path / "out.ecsv")
    assert [one.id for one in read_apertures(tmp_path / "out.ecsv")] == ["WR 102", "B", "s"]
    dock.session.out_dir = tmp_path / "spectra"  # as another dock does
    assert dock.output.out_dir.path() == tmp_path / "spectra"
    dock.sky.sky.setCurrentText("areas")
    dock.steps.write()
    qtbot.waitUntil(lambda: "files written" in dock.message.text(), timeout=WAIT_MS)
    spectrum = read_spectrum(tmp_path / "spectra" / "spec_star5_ifu5_WR_102.fits")
    assert spectrum.aperture.id == "WR 102"
    # A circle of 2 spaxels holds 1 - exp(-2^2 / 2 sigma^2) = 71 % of a Gaussian of 3 spaxels FWHM.
    assert np.median(spectrum.flux) == pytest.approx(500 * 0.708, rel=0.03)
    table = read_table(tmp_path / "spectra" / "spectra_star5_ifu5.ecsv")
    assert list(table["id"]) == ["WR 102", "B"]


def test_sky_is_subtracted_from_the_dock_and_comes_back_as_layers(
    viewer: Viewer, dock_of, qtbot: QtBot, night: tuple[list[Path], list[Path]], tmp_path: Path
):
    objects, skies = night
    add_file(viewer, objects[0])
    dock = dock_of(SkyTweakDock)
    dock.settings.files.objects.add_open.click()
    assert dock.session.objects == (objects[0],)
    dock.session.skies = tuple(skies)
    dock.session.out_dir = tmp_path / "tweaked"
    dock.settings.form.rows["clip_sigma"].value = 2.5
    dock.settings.files.run_button.click()
    assert dock.cancel.isVisible()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    product = tmp_path / "tweaked" / f"{objects[0].stem}_SKY_TWEAK.fits"
    assert product.exists()
    names = [layer.name for layer in viewer.layers]
    assert len(names) == 4
    assert "sky tweak" in names[2]
    assert dock.view.tables.run.rowCount() > 4
    assert dock.view.tables.run.item(0, 1).text() == "all"
    assert float(dock.view.tables.run.item(1, 2).text()) == pytest.approx(1.0, abs=0.5)


def test_exposures_are_combined_from_the_dock_with_the_offsets_made_in_the_other(
    viewer: Viewer, dock_of, qtbot: QtBot, pair_of_files: tuple[Path, Path], tmp_path: Path
):
    for path in pair_of_files:
        add_file(viewer, path)
    dock = dock_of(CombineDock)
    dock.files.add_open.click()
    dock.session.out_dir = tmp_path / "combined"
    dock.method.setCurrentText("user")
    dock.cmethod.setCurrentText("average")
    dock.run_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert "offset" in dock.message.text()  # none are there yet
    assert len(viewer.layers) == 2
    right = {"exposure": 0, "ifu": 5, "err_arcsec": 0.01, "method": "hand"}
    dock.session.offsets = (
        Offset(file="first.fits", dra_arcsec=0.0, ddec_arcsec=0.0, **right),
        Offset(file="second.fits", dra_arcsec=-0.4, ddec_arcsec=0.2, **right),
    )
    assert dock.offsets.line.placeholderText() == "the 2 accepted in Align IFUs"
    dock.run_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    combined = read_cube(tmp_path / "combined" / "COMBINE_star5.fits")
    # Put right by their offsets, the two lie spaxel on spaxel: the grid is that of one exposure.
    assert combined.shape == (40, 13, 15)
    assert len(viewer.layers) == 3
    assert kmos_of(viewer.layers[2]).path.name == "COMBINE_star5.fits"


def test_a_step_that_fails_says_why_and_loses_nothing(
    viewer: Viewer, dock_of, qtbot: QtBot, night: tuple[list[Path], list[Path]], tmp_path: Path
):
    objects, _ = night
    session = session_of(viewer)
    add_file(viewer, objects[0])
    row = Offset(exposure=0, file="a.fits", ifu=3, dra_arcsec=0.1, ddec_arcsec=0.2, err_arcsec=0.1, method="hand")
    session.offsets = (row,)
    session.objects = (objects[0],)
    session.skies = (tmp_path / "gone.fits",)
    session.out_dir = tmp_path / "never"
    dock = dock_of(SkyTweakDock)
    dock.settings.files.run_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert "gone.fits" in dock.message.text()
    assert (session.offsets, session.objects, session.skies) == ((row,), (objects[0],), (tmp_path / "gone.fits",))
    assert dock.settings.files.run_button.isEnabled()
    assert not list(tmp_path.glob("never/*"))


def test_a_step_can_be_cancelled(
    viewer: Viewer, dock_of, qtbot: QtBot, night: tuple[list[Path], list[Path]], tmp_path: Path
):
    objects, skies = night
    dock = dock_of(SkyTweakDock)
    dock.session.objects, dock.session.skies = tuple(objects), tuple(skies)
    dock.session.out_dir = tmp_path / "tweaked"
    dock.settings.files.run_button.click()
    dock.cancel.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert dock.message.text() == "Cancelled"
    assert not list(tmp_path.glob("tweaked/*.fits"))


def test_a_file_that_cannot_be_read_is_told_in_a_line_in_a_viewer(viewer: Viewer, tmp_path: Path):
    told = []
    notification_manager.notification_ready.connect(told.append)
    path = tmp_path / "bad.fits"
    path.write_text("no FITS file\n")
    assert viewer.open(str(path), plugin="napari-kmos") == []
    notification_manager.notification_ready.disconnect(told.append)
    assert [type(one).__name__ for one in told] == ["Notification"]  # no ErrorNotification, which has a traceback
    assert "bad.fits: not a FITS file" in told[0].message


def test_docks_without_a_cube_say_what_they_need(
    viewer: Viewer, dock_of, qtbot: QtBot, exposure_file: Callable[..., Path], tmp_path: Path
):
    add_file(viewer, exposure_file(ifus=(5,)))
    docks = {kind: dock_of(kind) for kind in (SpectraDock, AlignDock, CombineDock, SkyTweakDock)}
    viewer.layers.clear()
    qtbot.wait(50)
    spectra, align = docks[SpectraDock], docks[AlignDock]
    spectra.add("star")
    spectra.view_bar.white.click()
    spectra.view_bar.white.click()
    align.move_button.click()
    align.mover.nudge(1, 0)
    align.accept()
    spectra.steps.write()
    docks[CombineDock].run()
    docks[SkyTweakDock].run()
    qtbot.waitUntil(lambda: not any(dock.is_running for dock in docks.values()), timeout=WAIT_MS)
    said = [dock.message.text() for dock in docks.values()]
    wanted = (
        "open a cube and add stars first",
        "Open exposures first",
        "no exposures to combine",
        "at least one of each",
    )
    assert all(part in text for part, text in zip(wanted, said, strict=True)), said


def test_white_light_is_a_way_of_showing_the_layers_from_any_dock(
    viewer: Viewer, dock_of, exposure_file: Callable[..., Path]
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    dock, other = dock_of(SpectraDock), dock_of(AlignDock)
    dock.view_bar.white.click()
    assert len(viewer.layers) == 1
    assert layer.data[3].max() < np.nanmax(read_exposure(kmos_of(layer).path).cube(5).flux[3].compute())
    np.testing.assert_array_equal(layer.data[0], layer.data[7])
    assert other.view_bar.white.isChecked()
    other.view_bar.white.click()
    assert not dock.view_bar.white.isChecked()
    assert not np.array_equal(layer.data[0], layer.data[7])


def test_the_menu_ticks_what_is_on(viewer: Viewer, dock_of, exposure_file: Callable[..., Path]):
    add_file(viewer, exposure_file(ifus=(3, 5)))
    menu = dock_of(SpectraDock).view_bar.menu
    active = viewer.layers.selection.active
    for text in ("Contact sheet", "Outlines and names"):
        menu.rows[text].trigger()
        assert menu.rows[text].isChecked()
    assert layout_of(viewer) == "sheet"
    assert len(viewer.layers) == 3
    assert viewer.layers.selection.active is active
    for text in ("Contact sheet", "Outlines and names"):
        menu.rows[text].trigger()
        assert not menu.rows[text].isChecked()
    assert (layout_of(viewer), len(viewer.layers)) == ("sky", 2)
    menu.rows["North up"].trigger()
    assert viewer.canvas.overlays.scale_bar.visible
