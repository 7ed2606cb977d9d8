"""Exposures as one layer: what it draws, where, and what of it the rest of the plugin sees."""

from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot

from napari_kmos._napari import reader
from napari_kmos._napari.alignment import show_offsets
from napari_kmos._napari.composite import Composite, grid_of
from napari_kmos._napari.layers import cube_layers, kmos_of, open_paths, planes_of
from napari_kmos._napari.live import cubes_as_seen
from napari_kmos._napari.planes import Planes
from napari_kmos._napari.positions import move_to, offset_of, show_layout
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.shown import CompositeLayer
from napari_kmos._napari.splitting import join_exposure, join_exposure_here, split_layer, split_layer_here
from napari_kmos._napari.watch import watch
from napari_kmos._napari.widgets.align import AlignDock
from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.io import read_exposure
from napari_kmos.spatial.wcs import pixel_to_sky

ROTATION_DEG = 30.0
#: IFUs a little more than a field apart, off the grid of the first by fractions of a spaxel.
PLACES = {
    ifu: factories.make_wcs(ra=factories.RA + step / 3600, rotation_deg=ROTATION_DEG)
    for ifu, step in ((3, 0.0), (5, 4.13), (22, 9.07))
}


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every exposure of several IFUs be too many."""
    monkeypatch.setattr(reader, "_MOST_LAYERS", 2)


@pytest.fixture
def path(exposure_file: Callable[..., Path]) -> Path:
    """An exposure of three IFUs beside each other."""
    return exposure_file(elsewhere=PLACES)


def _grid(places: list[tuple[float, float]], shape: tuple[int, int] = (3, 4)):
    homes = []
    for y, x in places:
        matrix = np.eye(3)
        matrix[:2, 2] = (0.2 * y, 0.2 * x)
        homes.append((0.2, matrix))
    return grid_of(homes, [shape] * len(places))


def test_a_composite_slices_like_the_array_it_stands_for():
    rng = np.random.default_rng(1)
    cubes = [rng.normal(size=(6, 3, 4)).astype(np.float32) for _ in range(3)]
    cubes[2][:, 0, 0] = np.nan
    composite = Composite([Planes(cube) for cube in cubes], _grid([(0, 0), (1, 6), (2, 1)]))
    whole = np.full((6, 5, 10), np.nan, dtype=np.float32)
    whole[:, 0:3, 0:4], whole[:, 1:4, 6:10] = cubes[0], cubes[1]
    overlap = whole[:, 2:5, 1:5]
    whole[:, 2:5, 1:5] = np.where(np.isnan(cubes[2]), overlap, cubes[2])
    assert composite.shape == whole.shape
    everything = slice(None)
    for key in (
        4,
        -1,
        (2, everything, everything),
        (slice(1, 4), everything, everything),
        (everything, 2, everything),
        (everything, everything, 7),
        (3, slice(1, 4), slice(9, 2, -2)),
        (slice(0, 6, 2), slice(4, 5), 5),
        (0, slice(0, 1), slice(4, 6)),
        (slice(2, 2), everything, everything),
    ):
        np.testing.assert_array_equal(composite[key], whole[key])
    np.testing.assert_array_equal(np.asarray(composite), whole)


def test_a_composite_shows_what_its_planes_show():
    cubes = [Planes(np.full((4, 3, 4), value, dtype=np.float32)) for value in (1, 2)]
    composite = Composite(cubes, _grid([(0, 0), (0, 5)]))
    cubes[1].image = np.full((3, 4), 7, dtype=np.float32)
    assert np.nanmax(composite[0]) == 7
    for part in cubes:
        part.projection = "sum"
    assert composite[(slice(1, 3), slice(None), slice(None))].shape == (1, 3, 9)
    assert composite[(slice(1, 3), slice(None), slice(None))][0, 0, 0] == 2


def test_ifus_lie_at_the_nearest_spaxel_of_the_grid():
    grid = _grid([(0, 0), (10.4, -3.6)])
    assert grid.shape == (13, 8)
    assert grid.origins == ((0, 4), (10, 0))


def test_what_has_no_common_grid_is_refused():
    turned = np.eye(3)
    turned[:2, :2] = [[0, -1], [1, 0]]
    with pytest.raises(GeometryError, match="turned or scaled"):
        grid_of([(0.2, np.eye(3)), (0.2, turned)], [(3, 4)] * 2)
    with pytest.raises(GeometryError, match="too many for one layer"):
        _grid([(0, 0), (4000, 4000)])


@pytest.mark.usefixtures("crowded")
@pytest.mark.parametrize("layout", ["sky", "sheet"])
def test_the_exposure_that_would_be_too_many_layers_is_one(viewer: ViewerModel, path: Path, layout: str):
    (layer,) = add_file(viewer, path)
    show_layout(viewer, layout)
    assert layer.name.startswith("3 IFUs")
    assert open_paths(viewer) == (path,)
    shown = kmos_of(layer)
    for part, (y0, x0), cube in zip(shown.parts, shown.grid.origins, read_exposure(path).cubes, strict=True):
        np.testing.assert_array_equal(layer.data[7, y0 : y0 + 13, x0 : x0 + 15], np.asarray(cube.flux[7]))
        assert shown.part_at(y0 + 2, x0 + 3) == (part, 2, 3)
        # The sky of a spaxel, drawn in the frame of its IFU, is where the layer draws it: to half a spaxel.
        drawn = np.array(layer.data_to_world((0, y0 + 2, x0 + 3))[1:])
        assert np.abs(drawn - part.frame.to_canvas(*pixel_to_sky(cube.wcs, 2, 3))).max() < 0.5 * 0.2 * 1.4
    assert shown.part_at(-1, 0) is None


@pytest.mark.usefixtures("crowded")
def test_files_opened_together_share_the_rule_and_what_is_open_stays(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    first = add_file(viewer, exposure_file("a.fits", ifus=(3, 5), elsewhere=PLACES))
    (second,) = add_file(viewer, exposure_file("b.fits", ifus=(3, 5), elsewhere=PLACES))
    (third,) = add_file(viewer, exposure_file("c.fits", ifus=(22,)))
    assert cube_layers(viewer) == [*first, second, third]
    assert [isinstance(kmos_of(layer), CompositeLayer) for layer in viewer.layers] == [False, False, True, False]
    together = reader.read([str(path) for path in open_paths(viewer)[:2]])
    assert len(together) == 2


@pytest.mark.usefixtures("crowded")
def test_a_moved_composite_moves_all_its_ifus_for_the_spectra(viewer: ViewerModel, path: Path):
    (layer,) = add_file(viewer, path)
    move_to(layer, 0.5, -0.3)
    assert offset_of(layer) == pytest.approx((0.5, -0.3), abs=1e-9)
    cubes = cubes_as_seen(viewer)
    assert [cube.ifu for cube in cubes] == [3, 5, 22]
    for cube, plain in zip(cubes, read_exposure(path).cubes, strict=True):
        ra, dec = (moved - was for moved, was in zip(cube.wcs.wcs.crval, plain.wcs.wcs.crval, strict=True))
        moved = 3600 * ra * np.cos(np.deg2rad(factories.DEC)), 3600 * dec
        assert moved == pytest.approx((0.5, -0.3), abs=1e-4)


@pytest.mark.usefixtures("crowded")
def test_splitting_and_joining_keep_offset_looks_and_data(viewer: ViewerModel, path: Path):
    (layer,) = add_file(viewer, path)
    move_to(layer, -0.2, 0.6)
    layer.colormap, layer.contrast_limits = "viridis", (1.0, 20.0)
    parts = [planes for _, planes in planes_of(layer)]
    split = split_layer(viewer, layer)
    assert [one.name for one in split] == ["IFU 3 star3", "IFU 5 star5", "IFU 22 star22"]
    assert list(viewer.layers) == split
    for one, planes in zip(split, parts, strict=True):
        assert offset_of(one) == pytest.approx((-0.2, 0.6), abs=1e-9)
        assert (one.colormap.name, tuple(one.contrast_limits)) == ("viridis", (1.0, 20.0))
        assert one.data is planes
    joined = join_exposure(viewer, split[1])
    assert list(viewer.layers) == [joined]
    assert offset_of(joined) == pytest.approx((-0.2, 0.6), abs=1e-9)
    assert joined.data.parts == tuple(parts)


def test_what_cannot_be_split_or_joined_says_why(viewer: ViewerModel, path: Path):
    with pytest.raises(KmosError, match="there is no cube"):
        split_layer(viewer)
    with pytest.raises(KmosError, match="no IFUs of one exposure"):
        join_exposure(viewer)
    layers = add_file(viewer, path)
    with pytest.raises(KmosError, match="shows one cube"):
        split_layer(viewer, layers[0])
    move_to(layers[2], 0.4, 0.0)
    with pytest.raises(KmosError, match=r"moved by .0.000 .0.000 .* and IFU 22 star22 by .0.400 .0.000"):
        join_exposure(viewer, layers[0])
    assert list(viewer.layers) == layers


@pytest.mark.usefixtures("crowded")
def test_ifus_too_far_apart_are_one_layer_on_the_sheet_only(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    far = {5: factories.make_wcs(ra=factories.RA + 0.3), 3: factories.make_wcs(dec=factories.DEC + 0.3)}
    (layer,) = add_file(viewer, exposure_file(elsewhere=far))
    assert kmos_of(layer).layout == "sheet"
    with pytest.raises(GeometryError, match="split it, or show the sheet"):
        show_layout(viewer, "sky")
    assert kmos_of(layer).layout == "sheet"


@pytest.mark.usefixtures("crowded")
def test_offsets_of_ifus_ask_for_layers_of_their_own(viewer: ViewerModel, path: Path):
    (layer,) = add_file(viewer, path)
    with pytest.warns(KmosWarning, match="split it first"):
        assert show_offsets(viewer, []) == 0
    assert offset_of(layer) == pytest.approx((0, 0), abs=1e-9)


@pytest.mark.usefixtures("crowded")
def test_the_line_under_the_mouse_names_the_ifu_of_a_composite(viewer: ViewerModel, path: Path):
    (layer,) = add_file(viewer, path)
    watch(viewer)
    y0, x0 = kmos_of(layer).grid.origins[1]
    line = layer.get_status(layer.data_to_world((7, y0 + 2, x0 + 3)), world=True)["coordinates"]
    assert "IFU 5 star5 [y=2 x=3]" in line
    assert "nearest spaxel" in line


@pytest.mark.viewer
@pytest.mark.usefixtures("crowded")
def test_the_dock_that_moves_ifus_asks_to_split_first(
    make_napari_viewer: Callable[..., object], path: Path, qtbot: QtBot
):
    viewer = make_napari_viewer(show=True)
    (layer,) = add_file(viewer, path)
    dock = AlignDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock.show()
    qtbot.waitUntil(lambda: "split it first" in dock.message.text(), timeout=3000)
    split_layer(viewer, layer)
    assert dock.pair.moving in viewer.layers


@pytest.mark.viewer
@pytest.mark.usefixtures("crowded")
def test_the_menu_tells_why_it_cannot_split(make_napari_viewer: Callable[..., object]):
    viewer = make_napari_viewer()
    split_layer_here(viewer)
    join_exposure_here(viewer)
    said = [one.message for one in notification_manager.records[-2:]]
    assert "to split it" in said[0]
    assert "to join" in said[1]
