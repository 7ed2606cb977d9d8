"""One pass over the exposures: its planes, what it counts, and the same on a cluster whose workers die."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil

import dask.array as da
import numpy as np
import pytest
from astropy.io import fits
from dithered_files import VISITS, Visit, write_visits
from factories import DEC, RA, make_cube

from napari_kmos.cluster import connected
from napari_kmos.combine import CombineParameters, CombinePass, Part, combine_cubes, merge, stack
from napari_kmos.combine.scatter import N_BINS, Scatter, count_distances, distances
from napari_kmos.errors import GeometryError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import read_images
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.combine import combine
from napari_kmos.spatial.wcs import make_wcs, shift_wcs

SHAPE = (60, 9, 11)


def observe(number, *, sigma=1.0, told=1.0, ifu=5, east=0.0, exptime=100.0):
    """Cubes of noise, on the same spaxels; their NOISE is ``told``."""
    wcs = shift_wcs(make_wcs(RA, DEC, crpix=(6, 5)), east, 0)
    facts = {"stars": [], "background": 10.0, "wcs": wcs, "ifu": ifu, "exptime": exptime}
    cubes = [make_cube(shape=SHAPE, sigma=sigma, seed=10 * ifu + seed, **facts) for seed in range(number)]
    return [dataclasses.replace(cube, noise=np.full(SHAPE, told, dtype=np.float32)) for cube in cubes]


def passed(cubes, **parameters):
    """The pass over cubes, when it is over, and the planes that it gave."""
    counted = CombinePass(combine_cubes(cubes, parameters=CombineParameters(**parameters)))
    planes = list(counted)
    assert [first for first, _ in planes] == sorted(first for first, _ in planes)
    return counted, np.concatenate([block for _, block in planes], axis=1)


@pytest.mark.parametrize("cmethod", ["ksigma", "min_max"])
def test_what_is_counted_is_exact(cmethod, monkeypatch):
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 50_000)
    cubes = observe(6)
    cubes[0].flux[20, 3, 4] += 500
    cubes[1].flux[20:40, 3, 4] -= 500
    cubes[2].flux[:, 5] = np.nan
    cubes[3].flux[1:, 6] = np.nan
    counted, planes = passed(cubes, cmethod=cmethod)
    flux, noise = (np.stack([getattr(cube, kind).reshape(-1) for cube in cubes]) for kind in ("flux", "noise"))
    whole = merge(flux, noise, None, CombineParameters(cmethod=cmethod))
    np.testing.assert_allclose(planes[0].reshape(-1), whole.value, rtol=1e-6)
    np.testing.assert_array_equal(counted.rejected.data, whole.n_rejected.reshape(SHAPE).sum(axis=0))
    assert counted.n_rejected == whole.n_rejected.sum()
    np.testing.assert_array_equal(counted.exposure_map.data[3:8, 0], [6, 6, 5, 6, 6])
    np.testing.assert_array_equal(counted.exposure_time.data[3:8, 0], [600, 600, 500, 600, 600])
    assert counted.n_overlapping == 6


def test_planes_are_those_of_the_lazy_cube():
    counted, planes = passed(observe(3))
    np.testing.assert_array_equal(planes[0], counted.cube.flux.compute())
    np.testing.assert_array_equal(planes[1], counted.cube.noise.compute())
    np.testing.assert_allclose(counted.mean_noise, 1 / np.sqrt(3 * SHAPE[0]), rtol=1e-6)


class Counted:
    """A file, as far as combining knows: it tells what was read of it."""

    def __init__(self, values):
        self.values, self.shape, self.ndim, self.dtype, self.reads = values, values.shape, 3, values.dtype, []

    def __getitem__(self, key):
        self.reads.append(key if isinstance(key, tuple) else (key,))
        return self.values[key]


def test_parts_of_one_cube_are_read_once_and_are_all_of_it(monkeypatch):
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 100_000)
    (cube,) = observe(1)
    flux = Counted(cube.flux)
    lazy = dataclasses.replace(cube, flux=da.from_array(flux, meta=np.empty((0, 0, 0), dtype=np.float32)))
    own = np.zeros((3, *SHAPE[1:]), dtype=bool)
    own[0, :4], own[1, 4:, :5], own[2, 4:, 5:] = True, True, True
    result = combine_cubes([lazy] * 3, parts=[Part(own=one) for one in own])
    flux.reads.clear()
    planes = np.concatenate([block for _, block in CombinePass(result)], axis=1)
    np.testing.assert_array_equal(planes[0], cube.flux)
    spans = [(key[0].start, key[0].stop) for key in flux.reads]
    assert len(spans) > 2
    assert sorted(spans) == list(result.stack.blocks())


def test_unknown_exposure_times_do_not_add_up():
    assert passed([*observe(2), *observe(1, exptime=None)])[0].exposure_time is None


@pytest.mark.parametrize("told", [0.5, 1.0, 4.0])
@pytest.mark.parametrize("number", [3, 8])
def test_scatter_over_noise_is_measured(number, told):
    cubes = observe(number, told=told)
    cubes[0].flux[:, 2, 3] += 1000  # outliers are no scatter
    # 60 x 99 places, a median of normal values is good to 1.6 % for 6000
    assert passed(cubes)[0].scatter.ratio == pytest.approx(1 / told, rel=0.04)


def test_unequal_noise_is_allowed_for():
    values = np.random.default_rng(3).normal(size=(5, 20_000))
    noise = np.array([[0.2], [1.0], [1.0], [3.0], [9.0]]) * np.ones_like(values)
    away = distances(values * noise, noise)
    # standard normal for each exposure, whatever its noise: 20000 values tell a median to 1.2 %
    np.testing.assert_allclose(np.median(away, axis=1), 0.6745, rtol=0.04)
    assert np.isnan(distances(values[:2], noise[:2])).all()


def test_counted_distances_give_the_median():
    away = np.abs(np.random.default_rng(4).normal(size=(1, 5001)))
    counts = count_distances(away)[None]
    assert counts.shape == (1, N_BINS)
    assert Scatter.of(counts, [3]).ratio == pytest.approx(np.median(away) / 0.67449, rel=0.01)  # half a bin
    assert np.isnan(Scatter.of(counts // 10, [None]).ratio)


def test_noise_is_scaled_for_each_ifu_by_its_own():
    cubes = [*observe(4, told=0.5, ifu=3), *observe(4, told=4.0, ifu=7, east=4.0)]
    counted, planes = passed(cubes, scale_noise=True, cmethod="average")
    assert dict(counted.scatter.by_ifu) == {3: pytest.approx(2, rel=0.04), 7: pytest.approx(0.25, rel=0.04)}
    seen = counted.exposure_map.data == 4
    assert seen.any()
    np.testing.assert_allclose(planes[1][:, seen], 0.5, rtol=0.04)


def test_noise_that_cannot_be_scaled_is_left_with_a_warning():
    with pytest.warns(KmosWarning, match="the noise cannot be scaled: it takes places where three exposures overlap"):
        counted, planes = passed(observe(2), scale_noise=True)
    np.testing.assert_allclose(planes[1], 1 / np.sqrt(2), rtol=1e-6)
    assert np.isnan(counted.scatter.ratio)


def test_data_that_no_spaxel_of_the_grid_rests_on_is_none():
    empty, single = observe(2)
    for cube in (empty, single):
        cube.flux[:] = np.nan
    single.flux[30, 4, 5] = 1.0
    between = dataclasses.replace(single, wcs=shift_wcs(single.wcs, 0.1, 0.1))  # a quarter of it on each of four
    with pytest.warns(KmosWarning, match="no data in .*: it adds nothing to the combined cube"):
        counted = CombinePass(combine_cubes([empty, between]))
    with pytest.raises(GeometryError, match="no data in"):
        list(counted)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    visits = [*VISITS, Visit(dither=(0.11, 0.27)), Visit(dither=(-0.23, -0.15))]
    return write_visits(tmp_path_factory.mktemp("visits"), visits)


def test_products_tell_what_was_counted(files, tmp_path):
    outcome = combine(files, tmp_path, name="gc1")
    (told,) = outcome.measured.values()
    header = fits.getheader(outcome.products[0])
    assert header["ESO QC COMBINE NREJECTED"] == told["rejected"] > 0
    assert header["ESO QC COMBINE NOVERLAP"] == told["overlapping"] == 5
    assert header["ESO QC COMBINE NOISERATIO"] == pytest.approx(told["noise_ratio"], abs=1e-3)
    assert told["noise_ratio"] > 1  # the headers are wrong: the star is elsewhere in each
    assert set(told["noise_ratio_by_ifu"]) == {3, 12}
    with fits.open(tmp_path / "EXP_MASK_gc1.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["gc1.DATA", "gc1.REJECTED", "gc1.EXPTIME"]
        assert hdus[2].data.sum() == told["rejected"]
        assert (hdus[3].header["BUNIT"], hdus[3].data.max()) == ("s", 500)
    assert len(read_images(tmp_path / "EXP_MASK_gc1.fits")) == 1
    assert fits.getdata(outcome.products[0], checksum=True).shape[0] == 6


def same_products(one, other):
    """Whether two folders hold the same pixels."""
    names = sorted(path.name for path in one.iterdir() if path.suffix == ".fits")
    assert names == sorted(path.name for path in other.iterdir() if path.suffix == ".fits")
    for name in names:
        with fits.open(one / name) as these, fits.open(other / name) as those:
            for this, that in zip(these[1:], those[1:], strict=True):
                np.testing.assert_array_equal(this.data, that.data)


def test_a_cluster_of_which_a_worker_dies_gives_the_same(files, tmp_path, cluster_address, monkeypatch):
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 20_000)  # here, where the planes are dealt out
    combine(files, tmp_path / "here")
    with connected(cluster_address) as client:
        killed = []

        def kill(done, total, text):
            if not killed:
                killed.append(next(iter(client.run(os.getpid).values())))
                os.kill(killed[0], 9)

        combine(files, tmp_path / "there", progress=kill)
    assert killed
    same_products(tmp_path / "here", tmp_path / "there")


@contextlib.contextmanager
def full_disk(n_bytes):
    """No file may become longer than this."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_nothing(files, tmp_path):
    with pytest.raises(WriteError, match=r"COMBINE_gc1\.fits: cannot be written \(File too large\)"), full_disk(20_000):
        combine(files, tmp_path, name="gc1")
    assert list(tmp_path.iterdir()) == []


def test_an_exposure_that_vanishes_half_way_is_told(files, tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 20_000)
    copies = [shutil.copy(path, tmp_path) for path in files]

    def remove(done, total, text):
        (tmp_path / "exp2.fits").unlink(missing_ok=True)

    with pytest.raises(NotKmosError, match=r"exp2\.fits: changed or vanished since it was opened"):
        combine(copies, tmp_path / "out", name="gc1", progress=remove)
    assert not (tmp_path / "out").exists()


def test_cancelling_half_way_leaves_nothing(files, tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 20_000)

    def cancel(done, total, text):
        if 0 < done < total:
            raise Cancelled

    with pytest.raises(Cancelled):
        combine(files, tmp_path, name="gc1", progress=cancel)
    assert list(tmp_path.iterdir()) == []
