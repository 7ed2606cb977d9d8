"""A catalogue over cubes: sources of known positions, some in the fields and some not."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from astropy.table import Table
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_kmos._napari.catalogue import CatalogueView, catalogue_layer, hide_catalogue, show_catalogue, view_of
from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.passing import PassingCatalogue
from napari_kmos._napari.points import read_points
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.catalogue import CatalogueDock
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import KmosError
from napari_kmos.io import catalogue_of
from napari_kmos.spatial.wcs import pixel_to_sky

PLACES = {ifu: factories.make_wcs(ra=factories.RA + 0.01 * ifu, rotation_deg=15.0) for ifu in (3, 5)}
#: (y, x) in the field of 13 x 15 spaxels of IFU 3: inside, at its edge, and just outside.
PIXELS = np.array([(4.0, 6.5), (12.4, 0.0), (12.6, 0.0)])


@pytest.fixture
def viewer(qtbot: QtBot) -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def layers(viewer: ViewerModel, exposure_file: Callable[..., Path]) -> list:
    return add_file(viewer, exposure_file(ifus=(3, 5), elsewhere=PLACES))


@pytest.fixture
def catalogue() -> Catalogue:
    ra, dec = pixel_to_sky(PLACES[3], *PIXELS.T)
    other = pixel_to_sky(PLACES[5], 8.0, 8.0)
    table = Table({"name": ["in", "edge", "out", "far", "other"]})
    table["ra"] = [*ra, 10.0, other[0]]
    table["dec"] = [*dec, 60.0, other[1]]
    table["Kmag"] = [12.0, 16.0, 11.0, 5.0, np.nan]
    return catalogue_of(table, "stars")


def test_sources_in_the_fields_are_drawn_where_their_spaxels_are(viewer: ViewerModel, layers: list, catalogue):
    viewer.layers.selection.active = layers[0]
    assert show_catalogue(viewer, CatalogueView(catalogue=catalogue)) == 3
    points = catalogue_layer(viewer)
    assert list(points.features["id"]) == ["in", "edge", "other"]
    assert list(points.features["Kmag"][:2]) == [12.0, 16.0]
    for (y, x), place in zip(PIXELS[:2], points.data, strict=False):
        np.testing.assert_allclose(place, layers[0].data_to_world((0, y, x))[1:], atol=1e-5)
    np.testing.assert_allclose(points.data[2], layers[1].data_to_world((0, 8, 8))[1:], atol=1e-5)
    assert points.size[0] == 2 * points.size[1] == 2 * points.size[2]
    assert viewer.layers[-1] is points
    assert viewer.layers.selection.active is layers[0]
    assert read_points(viewer) == ()  # none of them is an aperture


def test_sources_follow_the_layout_moved_fields_and_new_layers(
    viewer: ViewerModel, layers: list, catalogue: Catalogue, exposure_file: Callable[..., Path], qtbot: QtBot
):
    show_catalogue(viewer, CatalogueView(catalogue=catalogue))
    points = catalogue_layer(viewer)
    switch_layout(viewer)
    place = layers[0].data_to_world((0, *PIXELS[0]))[1:]
    qtbot.waitUntil(lambda: np.allclose(points.data[0], place, atol=1e-5), timeout=2000)
    move_to(layers[0], 0.0, 3.0)  # the sky stays where it is: another part of it is in the field now
    qtbot.waitUntil(lambda: list(points.features["id"]) == ["other"], timeout=2000)
    add_file(viewer, exposure_file("second.fits", ifus=(3,), elsewhere=PLACES))
    qtbot.waitUntil(lambda: viewer.layers[-1] is points and len(points.data) == 3, timeout=2000)
    layers[1].visible = False
    qtbot.waitUntil(lambda: list(points.features["id"]) == ["in", "edge"], timeout=2000)
    hide_catalogue(viewer)
    assert catalogue_layer(viewer) is None


def test_magnitudes_and_labels_are_chosen(viewer: ViewerModel, layers: list, catalogue: Catalogue):
    assert show_catalogue(viewer, CatalogueView(catalogue=catalogue, faintest=14.0, label="magnitude")) == 1
    assert list(catalogue_layer(viewer).features["label"]) == ["12.00"]
    show_catalogue(viewer, CatalogueView(catalogue=catalogue, label="id"))
    assert list(catalogue_layer(viewer).features["label"]) == ["in", "edge", "other"]
    with pytest.raises(KmosError, match="none of its 5 sources, as bright as asked for, lies in the fields"):
        show_catalogue(viewer, CatalogueView(catalogue=catalogue, faintest=2.0))
    assert len(catalogue_layer(viewer).data) == 3


@pytest.mark.usefixtures("layers")
def test_one_is_drawn_for_a_while_and_then_what_was_drawn_before(viewer: ViewerModel, catalogue: Catalogue):
    passing = PassingCatalogue(viewer)
    first, second = (dataclasses.replace(catalogue, name=name) for name in ("first", "second"))
    for mine in (None, CatalogueView(catalogue=catalogue, label="id")):
        if mine is not None:
            show_catalogue(viewer, mine)
        passing.show(first)
        passing.show(second)
        assert view_of(viewer).catalogue is second
        passing.show(None)
        passing.show(None)
        assert view_of(viewer) is mine


def test_without_cubes_there_is_nothing_to_lay_it_over(viewer: ViewerModel, catalogue: Catalogue):
    with pytest.raises(KmosError, match="open one first"):
        show_catalogue(viewer, CatalogueView(catalogue=catalogue))
    assert not viewer.layers


@pytest.mark.usefixtures("layers")
def test_a_million_rows_are_cut_before_they_are_drawn(viewer: ViewerModel):
    rng = np.random.default_rng(1)
    n_rows = 1_000_000
    ra, dec = factories.RA + rng.uniform(-0.1, 0.1, n_rows), factories.DEC + rng.uniform(-0.1, 0.1, n_rows)
    catalogue = catalogue_of(Table({"ra": ra, "dec": dec, "K": rng.uniform(8, 20, n_rows)}), "many")
    start = time.perf_counter()
    n_drawn = show_catalogue(viewer, CatalogueView(catalogue=catalogue))
    # Two fields of 2.6 x 3.0 arcsec, of 2.2 sources a square arcsec: 34 are expected; 0.3 s on two slow cores.
    assert 10 < n_drawn < 80
    assert time.perf_counter() - start < 5


@pytest.mark.viewer
def test_the_dock_reads_a_table_and_offers_its_columns(make_napari_viewer, exposure_file, tmp_path, catalogue, qtbot):
    viewer = make_napari_viewer()
    add_file(viewer, exposure_file(ifus=(3, 5), elsewhere=PLACES))
    dock = CatalogueDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock.show()
    Table({"x": [1.0], "lon": [2.0]}).write(tmp_path / "none.csv")
    dock.read(tmp_path / "none.csv")
    qtbot.waitUntil(lambda: "found x, lon" in dock.message.text(), timeout=5000)
    assert dock.ra.count() == 3
    qtbot.waitUntil(lambda: not dock.is_running, timeout=5000)
    catalogue.table.write(tmp_path / "stars.ecsv")
    dock.read(tmp_path / "stars.ecsv")
    qtbot.waitUntil(lambda: catalogue_layer(viewer) is not None, timeout=5000)
    assert (dock.ra.currentText(), dock.magnitude.currentText()) == ("ra", "Kmag")
    assert dock.magnitude.itemText(1) == "Kmag"  # the likely ones first
    assert dock.message.text() == "stars: 3 of 5 sources drawn"
    assert (dock.brightest.value(), dock.faintest.value()) == (5.0, 16.0)
    dock.faintest.setValue(14.0)
    assert list(catalogue_layer(viewer).features["id"]) == ["in"]
    dock.remove.click()
    assert catalogue_layer(viewer) is None
    moving = Table(dict(catalogue.table.columns) | {"mua": [1000.0] * 5, "mud": [-2000.0] * 5})
    moving.write(tmp_path / "moving.ecsv")
    dock.read(tmp_path / "moving.ecsv")
    qtbot.waitUntil(lambda: catalogue_layer(viewer) is not None, timeout=5000)
    assert view_of(viewer).catalogue.motion is None
    for box, name in ((dock.pm_ra, "mua"), (dock.pm_dec, "mud")):
        box.setCurrentText(name)
        box.activated.emit(box.currentIndex())
        assert "and the date of the positions" in dock.message.text()
        assert view_of(viewer).catalogue.motion is None
    dock.epoch.setEditText("2016.5")
    QTest.keyClick(dock.epoch.lineEdit(), Qt.Key.Key_Return)
    read = view_of(viewer).catalogue
    np.testing.assert_allclose(read.at(2018.5).dec - read.dec, -4 / 3600, rtol=1e-6)
    dock.pm_ra.setCurrentText("none")
    dock.pm_dec.setCurrentText("none")
    dock.pm_dec.activated.emit(0)
    assert view_of(viewer).catalogue.motion is None
