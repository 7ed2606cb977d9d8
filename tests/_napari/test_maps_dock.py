"""The dock *Maps* in a real viewer: windows dragged on the plot, maps over their cube, files."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.layers import Layer
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtTest import QTest

from napari_kmos._napari.commands import set_north_up, show_wavelength, thickness
from napari_kmos._napari.layers import add_layers, kmos_of, layer_data
from napari_kmos._napari.line_maps import MAP
from napari_kmos._napari.points import ensure_points_layer
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos._napari.widgets.maps import MapsDock
from napari_kmos._napari.widgets.maps_files import DRAWN, IN_LINE, IN_PLOT, ON_SCREEN
from napari_kmos.aperture import Aperture
from napari_kmos.io import read_cube, read_images, write_cube, write_exposure
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky
from napari_kmos.spectral import make_maps

pytestmark = pytest.mark.viewer

WAIT_MS = 20_000
SHAPE = (300, 13, 15)
CENTRE_UM, WIDTH_UM = 2.2, 0.004
NAMES = ["LINE", "CONTINUUM", "BAND", "MOMENT0", "MOMENT1", "MOMENT2", "SNR"]


def line_cube(**facts: object):
    """Return a cube whose left half has a line."""
    cube = factories.make_cube(shape=SHAPE, wcs=factories.make_wcs(rotation_deg=20.0), **facts)
    line = 60 * np.exp(-0.5 * ((cube.wavelength_um - CENTRE_UM) / WIDTH_UM) ** 2)
    flux = np.array(cube.flux)
    flux[:, :, :7] += line[:, None, None].astype(np.float32)
    return dataclasses.replace(cube, flux=flux)


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    return make_napari_viewer(show=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_cube(line_cube(), tmp_path / "cube.fits")


@pytest.fixture
def dock(viewer: Viewer, file: Path, qtbot: QtBot) -> Iterator[MapsDock]:
    """The dock over a cube, with the slider on the line."""
    add_file(viewer, file)
    show_wavelength(viewer, CENTRE_UM)
    dock = MapsDock(viewer)
    viewer.window.set_geometry(0, 0, 1400, 900)
    viewer.window.add_dock_widget(dock, area="bottom")
    set_north_up(viewer)
    qtbot.waitUntil(lambda: dock.plot.names != (), timeout=WAIT_MS)
    yield dock
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)


def maps_of(viewer: Viewer) -> dict[str, Layer]:
    return {layer.metadata[MAP]: layer for layer in viewer.layers if MAP in layer.metadata}


def make(dock: MapsDock, qtbot: QtBot) -> dict[str, Layer]:
    dock.make()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    return maps_of(dock.viewer)


def on_plot(dock: MapsDock, wavelength_um: float) -> QPoint:
    """Return the pixel of the plot at a wavelength, at mid height."""
    box = dock.plot.plot.getViewBox()
    (_, _), (low, high) = box.viewRange()
    scene = box.mapViewToScene(QPointF(wavelength_um, (low + high) / 2))
    return dock.plot.plot.mapFromScene(scene)


def drag_on_plot(dock: MapsDock, qtbot: QtBot, start_um: float, end_um: float) -> None:
    """Press the mouse on the plot, move it in steps, release it."""
    canvas, start, end = dock.plot.plot.viewport(), on_plot(dock, start_um), on_plot(dock, end_um)
    QTest.mouseMove(canvas, start)
    qtbot.wait(20)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for share in (0.1, 0.4, 0.7, 1.0):
        QTest.mouseMove(canvas, start + (end - start) * share)
        qtbot.wait(20)
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)
    qtbot.wait(20)


def test_maps_come_as_layers_drawn_over_their_cube(viewer: Viewer, dock: MapsDock, qtbot: QtBot, file: Path):
    (layer,) = viewer.layers
    move_to(layer, 0.7, -0.3)
    stars = ensure_points_layer(viewer, "star")
    viewer.layers.selection.active = layer
    maps = make(dock, qtbot)
    assert list(maps) == NAMES
    assert viewer.layers[-1] is stars  # still to be seen
    assert [name for name, one in maps.items() if one.visible] == ["LINE"]
    assert viewer.layers.selection.active is layer
    session = session_of(viewer)
    expected = make_maps(read_cube(file), line_um=session.line_um, continuum_um=session.continuum_um).by_name()
    for name, one in maps.items():
        np.testing.assert_allclose(one.data_to_world((3, 4)), layer.data_to_world((0, 3, 4))[1:], atol=1e-9)
        np.testing.assert_allclose(one.data, expected[name].data, rtol=1e-5)
        assert kmos_of(one).product.unit == expected[name].unit
        assert one.name == f"IFU 5 target {name}"
    line = maps["LINE"].data
    assert np.median(line[:, :7]) > 20 * abs(np.median(line[:, 8:]))


def test_a_window_dragged_on_the_plot_changes_the_map_and_the_fields(viewer: Viewer, dock: MapsDock, qtbot: QtBot):
    maps = make(dock, qtbot)
    dock.plot.zoom_to_windows()
    qtbot.wait(50)
    session = session_of(viewer)
    before, continuum, data = session.line_um, session.continuum_um, maps["LINE"].data.copy()
    middle = sum(before) / 2
    drag_on_plot(dock, qtbot, middle + 0.001, middle + 0.004)  # beside the marker, which lies on top
    assert session.line_um == pytest.approx([edge + 0.003 for edge in before], abs=3e-4)
    assert session.continuum_um == continuum
    assert dock.windows.line.window() == pytest.approx(session.line_um, abs=1e-5)
    qtbot.waitUntil(lambda: not np.array_equal(maps_of(viewer)["LINE"].data, data, equal_nan=True), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert maps_of(viewer) == maps  # the same layers with other data
    expected = make_maps(kmos_of(viewer.layers[0]).cube, line_um=session.line_um, continuum_um=continuum)
    np.testing.assert_allclose(maps["LINE"].data, expected.line.data, rtol=1e-5)
    first, last = session.continuum_um[0]
    drag_on_plot(dock, qtbot, first, first - 0.004)  # an edge alone
    assert session.continuum_um[0] == pytest.approx((first - 0.004, last), abs=3e-4)


def test_continuum_windows_are_added_typed_and_removed(viewer: Viewer, dock: MapsDock, qtbot: QtBot):
    session = session_of(viewer)
    make(dock, qtbot)
    dock.windows.add_continuum()
    assert len(session.continuum_um) == len(dock.windows.continuum) == len(dock.plot.regions) - 1 == 3
    width = np.ptp(session.continuum_um[2])
    dock.windows.continuum[2].ends[0].setValue(2.25)
    assert session.continuum_um[2] == pytest.approx((2.25, 2.25 + width), abs=1e-5)
    assert dock.plot.regions[3].getRegion()[0] == pytest.approx(2.25)
    kept = session.continuum_um[0]
    for row in list(dock.windows.continuum[1:]):
        row.remove.click()
    assert session.continuum_um == (pytest.approx(kept),)
    dock.windows.continuum[0].remove.click()
    assert session.continuum_um == ()
    qtbot.waitUntil(lambda: "CONTINUUM" not in maps_of(viewer), timeout=WAIT_MS)
    assert len(dock.plot.regions) == 1


def test_the_spectrum_is_that_of_the_selected_aperture_else_of_the_middle_of_the_view(
    viewer: Viewer, dock: MapsDock, qtbot: QtBot
):
    session, cube = session_of(viewer), kmos_of(viewer.layers[0]).cube
    assert dock.plot.names[0].startswith("middle of the view")
    (y0, x0), (y, x) = (6.0, 7.0), (4.0, 3.0)
    viewer.scene.camera.center = viewer.layers[0].data_to_world((0, y, x))
    qtbot.waitUntil(
        lambda: np.hypot(*offset_arcsec(*pixel_to_sky(cube.wcs, y, x), *_place(dock))) < 1e-3, timeout=WAIT_MS
    )
    ra, dec = pixel_to_sky(cube.wcs, y0, x0)
    session.apertures = (Aperture(id="star", ra=ra, dec=dec, radius_arcsec=0.4),)
    session.selected = ("star",)
    qtbot.waitUntil(lambda: dock.plot.names[0].startswith("star"), timeout=WAIT_MS)


def _place(dock: MapsDock) -> tuple[float, float]:
    aperture = dock.plot.spectra[0].aperture
    return aperture.ra, aperture.dec


def test_the_maps_are_written_and_the_cube_is_cut(
    viewer: Viewer, dock: MapsDock, qtbot: QtBot, file: Path, tmp_path: Path
):
    session = session_of(viewer)
    session.out_dir = tmp_path / "maps"
    dock.write()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert "MAP_target_LINE.fits" in dock.message.text()
    (image,) = read_images(tmp_path / "maps" / "MAP_target_LINE.fits")
    maps = make(dock, qtbot)
    np.testing.assert_allclose(image.data, maps["LINE"].data, rtol=1e-5)
    dock.files.wave.setCurrentText(IN_LINE)
    whole = read_cube(file)
    corners = np.array([[3, 2], [3, 6], [8, 6], [8, 2]])
    world = [viewer.layers[0].data_to_world((0, *corner))[1:] for corner in corners]
    viewer.add_shapes([world], shape_type="polygon")
    viewer.layers.selection.active = viewer.layers[0]
    dock.files.sky.setCurrentText(DRAWN)
    dock.cut(tmp_path / "part.fits")
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    part = read_cube(tmp_path / "part.fits")
    inside = (whole.wavelength_um >= session.line_um[0]) & (whole.wavelength_um <= session.line_um[1])
    np.testing.assert_allclose(part.wavelength_um, whole.wavelength_um[inside], rtol=1e-12)
    # The box about the rectangle, which is turned by 20 degrees, reaches further than the rectangle.
    y0, x0 = np.round(whole.wcs.world_to_pixel(part.wcs.pixel_to_world(0, 0))[::-1]).astype(int)
    assert (0 <= y0 <= 3) & (0 <= x0 <= 2)
    assert y0 + part.shape[1] > 8
    assert x0 + part.shape[2] > 6
    np.testing.assert_array_equal(
        np.asarray(part.flux), np.asarray(whole.flux)[inside, y0 : y0 + part.shape[1], x0 : x0 + part.shape[2]]
    )


def test_what_is_on_the_screen_is_cut(viewer: Viewer, dock: MapsDock, qtbot: QtBot, file: Path, tmp_path: Path):
    layer = viewer.layers[0]
    move_to(layer, 0.5, 0.4)
    viewer.scene.camera.center = layer.data_to_world((0, 5.0, 8.0))
    viewer.scene.camera.zoom *= 8
    qtbot.wait(100)
    (low_y, low_x), (high_y, high_x) = layer.corner_pixels[:, 1:]
    dock.files.sky.setCurrentText(ON_SCREEN)
    dock.files.wave.setCurrentText(IN_PLOT)
    dock.plot.zoom_to_windows()
    qtbot.wait(50)
    dock.cut(tmp_path / "part.fits")
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    whole, part = read_cube(file), read_cube(tmp_path / "part.fits")
    y0, x0 = np.round(whole.wcs.world_to_pixel(part.wcs.pixel_to_world(0, 0))[::-1]).astype(int)
    assert (y0, x0) == pytest.approx((low_y, low_x), abs=1)
    assert (y0 + part.shape[1] - 1, x0 + part.shape[2] - 1) == pytest.approx((high_y, high_x), abs=1)
    low, high = dock.plot.range_um()
    assert low <= part.wavelength_um[0] < part.wavelength_um[-1] <= high


def test_an_ifu_within_the_layer_of_an_exposure_is_mapped_where_it_is_drawn(
    viewer: Viewer, qtbot: QtBot, tmp_path: Path
):
    exposure = factories.make_exposure(ifus=(3, 5), shape=(60, 9, 11))
    east = factories.make_wcs(ra=factories.RA + 4 / 3600)
    arms = [
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, wcs=east)) if arm.number == 5 else arm
        for arm in exposure.arms
    ]
    exposure = dataclasses.replace(exposure, arms=tuple(arms))
    path = write_exposure(exposure, tmp_path / "exposure.fits")
    (layer,) = add_layers(viewer, layer_data(exposure.cubes, path=path, joined=True))
    move_to(layer, 0.2, 0.6)
    dock = MapsDock(viewer)
    viewer.window.add_dock_widget(dock, area="bottom")
    set_north_up(viewer)
    qtbot.waitUntil(lambda: session_of(viewer).line_um is not None, timeout=WAIT_MS)
    ra, dec = pixel_to_sky(exposure.cube(5).wcs, 4, 5)
    session = session_of(viewer)
    session.apertures = (Aperture(id="a", ra=ra + 0.2 / 3600, dec=dec + 0.6 / 3600, radius_arcsec=0.3),)
    session.selected = ("a",)
    maps = make(dock, qtbot)
    assert kmos_of(maps["LINE"]).ifu == 5
    y, x = maps["LINE"].data_to_world((4, 5))
    shown = kmos_of(maps["LINE"])
    expected = shown.frame.to_canvas(ra, dec)
    np.testing.assert_allclose((y, x), np.array(expected) - (0.6, 0.2), atol=1e-6)


def test_windows_and_maps_outlive_the_dock_and_the_thickness_is_the_viewers(
    viewer: Viewer, dock: MapsDock, qtbot: QtBot
):
    make(dock, qtbot)
    dock.thickness.planes.setValue(5)
    assert thickness(viewer) == 5
    dock.windows.line.ends[1].setValue(2.21)
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    viewer.window.remove_dock_widget(dock)
    again = MapsDock(viewer)
    viewer.window.add_dock_widget(again, area="bottom")
    qtbot.waitUntil(lambda: len(again.windows.continuum) == 2, timeout=WAIT_MS)
    assert again.windows.line.window()[1] == 2.21
    assert again.thickness.planes.value() == 5
    n_layers = len(viewer.layers)
    make(again, qtbot)
    assert len(viewer.layers) == n_layers


def test_what_cannot_be_is_told_in_a_line(viewer: Viewer, dock: MapsDock, qtbot: QtBot):
    dock.windows.line.ends[1].setValue(1.2)
    dock.make()
    qtbot.waitUntil(lambda: "no plane between" in dock.message.text(), timeout=WAIT_MS)
    dock.windows.put_around_slider()
    dock.files.sky.setCurrentText(DRAWN)
    dock.cut(Path("nowhere.fits"))
    assert "no rectangle is drawn" in dock.message.text()
    viewer.layers.clear()
    for ask in (dock.make, dock.write):
        ask()
        assert "no cube is open" in dock.message.text()


def test_without_a_plot_windows_are_typed_and_maps_are_made(
    viewer: Viewer, file: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for module in ("plots", "widgets.maps_plot"):
        monkeypatch.setattr(f"napari_kmos._napari.{module}.pg", None)
    add_file(viewer, file)
    show_wavelength(viewer, CENTRE_UM)
    dock = MapsDock(viewer)
    viewer.window.add_dock_widget(dock, area="bottom")
    qtbot.waitUntil(lambda: session_of(viewer).line_um is not None, timeout=WAIT_MS)
    dock.windows.line.ends[0].setValue(2.198)
    assert session_of(viewer).line_um[0] == 2.198
    dock.plot.zoom_to_windows()
    assert list(make(dock, qtbot)) == NAMES
    dock.files.wave.setCurrentText(IN_PLOT)
    dock.cut(tmp_path / "whole.fits")
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert read_cube(tmp_path / "whole.fits").shape == SHAPE


def test_the_names_of_the_axes_are_not_cut(dock: MapsDock):
    scene = dock.plot.plot.sceneRect()
    for side in ("left", "bottom"):
        assert scene.contains(dock.plot.plot.getAxis(side).label.sceneBoundingRect())
