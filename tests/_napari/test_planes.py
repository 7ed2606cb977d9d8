import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils.notifications import Notification, notification_manager

from napari_kmos._napari.layers import add_layers, layer_data
from napari_kmos._napari.planes import Planes
from napari_kmos.errors import GeometryError
from napari_kmos.io import read_exposure

DATA = np.arange(10 * 3 * 4, dtype=np.float32).reshape(10, 3, 4)
ALL = (slice(None), slice(None))


@pytest.fixture
def told() -> Iterator[list[Notification]]:
    """What the user is told."""
    found: list[Notification] = []
    notification_manager.notification_ready.connect(found.append)
    yield found
    notification_manager.notification_ready.disconnect(found.append)


def counted(read: list[int]) -> da.Array:
    def block(block_info=None):
        start, stop = block_info[None]["array-location"][0]
        read.append(start)
        return DATA[start:stop]

    return da.map_blocks(block, chunks=((4, 4, 2), (3,), (4,)), dtype=DATA.dtype, meta=np.empty((0, 0, 0), np.float32))


@pytest.mark.parametrize("array", [DATA, da.from_array(DATA, chunks=(4, 3, 4))], ids=["numpy", "dask"])
def test_planes_are_those_of_the_array(array):
    planes = Planes(array)
    for plane in (0, 3, 4, 9, -1):
        np.testing.assert_array_equal(planes[plane], DATA[plane])
    np.testing.assert_array_equal(planes[5, 1:, ::2], DATA[5, 1:, ::2])
    np.testing.assert_array_equal(planes[:, 1, :], DATA[:, 1, :])
    np.testing.assert_array_equal(planes[:, :, 2], DATA[:, :, 2])
    for some in (slice(2, 7), slice(4, 8), slice(9, 20), slice(None, None, 3), slice(8, 2, -1), slice(3, 3)):
        np.testing.assert_array_equal(planes[some, 1], DATA[some, 1])
    np.testing.assert_array_equal(np.asarray(planes), DATA)
    assert (planes.shape, planes.ndim, planes.dtype, len(planes)) == ((10, 3, 4), 3, np.float32, 10)
    with pytest.raises(IndexError, match="out of"):
        planes[10]


def test_neighbouring_planes_are_computed_once_and_only_a_few_blocks_are_kept():
    read: list[int] = []
    planes = Planes(counted(read))
    for plane in range(10):
        np.testing.assert_array_equal(planes[plane], DATA[plane])
    assert read == [0, 4, 8]


def test_planes_of_a_file_take_no_task_graph(exposure_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    flux = read_exposure(exposure_file(ifus=(5,))).cube(5).flux
    expected = flux.compute()
    planes = Planes(flux)
    monkeypatch.setattr(da.Array, "compute", None)
    for plane in (0, 7, len(flux) - 1):
        np.testing.assert_array_equal(planes[plane], expected[plane])


def test_an_image_stands_for_every_plane_but_not_for_what_runs_along_the_wavelengths():
    planes = Planes(DATA)
    planes.image = image = np.full((3, 4), 7.0, dtype=np.float32)
    np.testing.assert_array_equal(planes[2], image)
    np.testing.assert_array_equal(planes[(5, *ALL)], image)
    np.testing.assert_array_equal(planes[(slice(2, 6), *ALL)], image[None])
    np.testing.assert_array_equal(planes[:, 1, :], DATA[:, 1, :])
    planes.image = None
    np.testing.assert_array_equal(planes[2], DATA[2])


@pytest.mark.parametrize(
    ("name", "function"), [("mean", np.nanmean), ("sum", np.nansum), ("max", np.nanmax), ("min", np.nanmin)]
)
def test_a_slice_of_planes_is_put_together_without_its_nan(name: str, function: Callable[..., np.ndarray]):
    data = DATA.copy()
    data[3] = np.nan
    data[2:5, 1, 2] = np.nan
    planes = Planes(da.from_array(data, chunks=(4, 3, 4)))
    planes.projection = name
    for start, stop in ((2, 8), (0, 3), (6, 30)):
        found = planes[(slice(start, stop), *ALL)]
        np.testing.assert_allclose(found, function(data[start:stop], axis=0)[None], rtol=1e-6)  # float32
    assert np.isnan(planes[(slice(3, 4), *ALL)]).all()
    np.testing.assert_array_equal(planes[5], data[5])
    np.testing.assert_array_equal(planes[2:5], data[2:5])  # who does not ask as napari does gets what is there


def test_a_thick_slice_of_hundreds_of_planes_stays_small():
    rng = np.random.default_rng(3)
    data = da.map_blocks(
        lambda block_info=None: rng.normal(5, 1, block_info[None]["chunk-shape"]).astype(np.float32),
        chunks=((4,) * 200, (200,), (300,)),
        dtype=np.float32,
        meta=np.empty((0, 0, 0), np.float32),
    )  # 192 MB
    planes = Planes(data)
    planes.projection = "mean"
    tracemalloc.start()
    image = planes[(slice(100, 700), *ALL)][0]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 80e6  # blocks of 16 MiB, what dask makes of them, and float64 sums
    assert np.mean(image) == pytest.approx(5, abs=1e-3)  # 60000 spaxels of 600 values of sigma 1: 2e-4


def test_napari_shows_the_mean_of_the_planes_about_the_slider(exposure_file: Callable[..., Path]):
    cube = read_exposure(exposure_file(ifus=(5,))).cube(5)
    viewer = ViewerModel()
    (layer,) = add_layers(viewer, layer_data([cube], path=None))
    layer.data.projection = "mean"
    layer.projection_mode = "mean"
    viewer.dims.margin_left = (2, 0, 0)
    viewer.dims.margin_right = (2, 0, 0)
    viewer.dims.set_current_step(0, 10)
    with np.errstate(all="ignore"):
        expected = np.nanmean(cube.flux[8:13].compute(), axis=0)
    np.testing.assert_allclose(layer._slice.image.raw, expected, rtol=1e-6)


def test_a_file_that_vanishes_gives_nan_and_one_notification_and_comes_back(
    exposure_file: Callable[..., Path], told: list[Notification]
):
    path = exposure_file(ifus=(3, 5))
    cubes = read_exposure(path).cubes
    expected = [cube.flux[4].compute() for cube in cubes]
    away = path.rename(path.with_name("away.fits"))
    planes = [Planes(cube.flux) for cube in cubes]
    for one in planes:
        assert np.isnan(one[4]).all()
        one.projection = "mean"
        assert one[(slice(2, 6), *ALL)].shape == (1, *cubes[0].shape[1:])
    assert len(told) == 1
    assert "exposure.fits: changed or vanished" in told[0].message
    away.rename(path)
    for one, plane in zip(planes, expected, strict=True):
        np.testing.assert_array_equal(one[4], plane)
    path.unlink()
    assert np.isnan(Planes(cubes[0].flux)[4]).all()
    assert len(told) == 2


def test_a_file_that_shrinks_is_told_once_too(exposure_file: Callable[..., Path], told: list[Notification]):
    path = exposure_file(ifus=(5,))
    planes = Planes(read_exposure(path).cube(5).flux)
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2)
    last = len(planes) - 1
    for plane in (0, last):
        assert np.isnan(planes[plane]).all()
    assert [one.message.count("changed or vanished") for one in told] == [1]


def test_a_large_cube_is_never_loaded_whole(told: list[Notification]):
    planes = Planes(da.zeros((3072, 433, 650), chunks=(4, 433, 650), dtype=np.float32))
    for whole in (lambda: np.asarray(planes), lambda: planes[:], lambda: planes[10:2000]):
        with pytest.raises(GeometryError, match=r"at most 0\.5 GB .* crop it"):
            whole()
    assert planes[:, :, :].shape == (1, 1, 1)  # as napari asks for three dimensions
    assert "crop it" in told[0].message


def test_the_file_of_a_vanished_cube_is_told_by_the_viewer_and_its_layer_stays(
    exposure_file: Callable[..., Path], told: list[Notification]
):
    viewer = ViewerModel()
    path = exposure_file(ifus=(5,))
    (layer,) = add_layers(viewer, layer_data(read_exposure(path).cubes, path=path))
    layer.data._kept.clear()
    path.unlink()
    viewer.dims.set_current_step(0, 3)
    viewer.dims.set_current_step(0, 4)
    assert np.isnan(layer._slice.image.raw).all()
    assert len(told) == 1
