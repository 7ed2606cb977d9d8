"""Summaries of cubes: equal to what is computed without them, made once, never half done."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from fits_files import write_combined

from napari_kmos import lazy, summary
from napari_kmos.errors import KmosWarning, WriteError
from napari_kmos.io import read_cube, source_of
from napari_kmos.io.copies import find_copy
from napari_kmos.io.summaries import find_arrays
from napari_kmos.progress import Cancelled
from napari_kmos.spectral import collapse_median, estimate_noise
from napari_kmos.spectral.noise import with_noise
from napari_kmos.summary import medians

SHAPE = (31, 12, 17)


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    """Treat test cubes as mosaics, in blocks of two rows."""
    monkeypatch.setattr(medians, "LARGE_BYTES", 0)
    monkeypatch.setattr(lazy, "BLOCK_BYTES", 2 * 4 * SHAPE[0] * SHAPE[2])


@pytest.fixture
def path(tmp_path):
    rng = np.random.default_rng(5)
    sigma = np.linspace(1, 3, SHAPE[0])[:, None, None] * np.linspace(1, 2, SHAPE[1])[:, None]
    data = (50 + sigma * rng.normal(size=SHAPE)).astype(np.float32)
    data[:3] = 0
    data[:, 4, 5] = 0
    noise = np.where(data == 0, 0, sigma).astype(np.float32)
    return write_combined(tmp_path / "cube.fits", data, noise=noise)


@pytest.fixture
def cube(path):
    return read_cube(path)


def _in_memory(cube):
    return dataclasses.replace(cube, flux=cube.flux.compute(), noise=cube.noise.compute())


def _nothing_is_read_twice(monkeypatch):
    """Make every further pass over a cube an error."""
    for name in ("source.scan_rows", "copies.scan_rows"):
        monkeypatch.setattr(f"napari_kmos.io.{name}", lambda *_, **__: pytest.fail("read again"))


def test_white_light_is_the_median_and_made_once(cube, path, monkeypatch):
    exact = collapse_median(_in_memory(cube))
    assert np.array_equal(summary.white_light(cube).data, exact.data, equal_nan=True)
    _nothing_is_read_twice(monkeypatch)
    again = summary.white_light(read_cube(path))
    assert np.array_equal(again.data, exact.data, equal_nan=True)
    assert (again.name, again.ifu, again.unit) == (exact.name, exact.ifu, exact.unit)
    assert np.isnan(again.data[4, 5])


def test_preview_is_near_the_white_light_and_becomes_it(cube, monkeypatch):
    """The median of 8 of 28 planes is uncertain to about 1.25 sigma / sqrt(8), and no spaxel is off by 5 of these."""
    monkeypatch.setattr("napari_kmos.summary.white._PREVIEW_PLANES", 9)
    exact = collapse_median(_in_memory(cube)).data
    preview = summary.preview_white_light(cube).data
    assert not summary.has_white_light(cube)
    assert not np.array_equal(preview, exact, equal_nan=True)
    assert np.array_equal(np.isnan(preview), np.isnan(exact))
    assert np.nanmax(np.abs(preview - exact)) < 5 * 1.25 * 3 * 2 / np.sqrt(8)
    summary.white_light(cube)
    assert summary.has_white_light(cube)
    assert np.array_equal(summary.preview_white_light(cube).data, exact, equal_nan=True)


def test_preview_of_few_planes_is_exact(cube):
    exact = collapse_median(_in_memory(cube)).data
    assert np.array_equal(summary.preview_white_light(cube).data, exact, equal_nan=True)


@pytest.mark.parametrize("lazy_cube", [True, False])
def test_noise_summary_is_the_medians_of_the_noise(cube, lazy_cube):
    noise = cube.noise.compute()
    found = summary.summarise_noise(cube if lazy_cube else _in_memory(cube))
    filled = ~np.isnan(noise[10])
    assert np.array_equal(found.image[filled], np.median(noise[3:, filled], axis=0))
    assert np.array_equal(found.spectrum[3:], np.median(noise[3:, filled], axis=1))
    assert np.isnan(found.image[4, 5])
    assert np.isnan(found.spectrum[:3]).all()


def test_medians_over_spaxels_of_a_large_cube_are_of_a_sample(cube, monkeypatch):
    monkeypatch.setattr(medians, "_SAMPLED_SPAXELS", 50)
    noise = cube.noise.compute()[3:]
    found = summary.summarise_noise(cube).spectrum[3:]
    # The noise doubles over the rows: the median of 50 of them is known to 1.25 * 0.29 / sqrt(50) of its mean, 5 %.
    assert found == pytest.approx(np.nanmedian(noise, axis=(1, 2)), rel=0.2)


def test_estimated_noise_is_found_once(cube, path, monkeypatch):
    bare = dataclasses.replace(cube, noise=None)
    expected = estimate_noise(_in_memory(cube)).noise
    found = with_noise(bare, summary.noise_model(bare))
    assert np.array_equal(found.noise.compute(), expected, equal_nan=True)
    monkeypatch.setattr("napari_kmos.summary.noise.fit_noise", lambda *_, **__: pytest.fail("estimated again"))
    bare = dataclasses.replace(read_cube(path), noise=None)
    again = with_noise(bare, summary.noise_model(bare))
    assert np.array_equal(again.noise.compute(), expected, equal_nan=True)
    assert summary.summarise_noise(bare).image == pytest.approx(medians.nan_median(expected), nan_ok=True)


def test_index_makes_everything_in_one_pass(cube, path, monkeypatch):
    exact = collapse_median(_in_memory(cube)).data
    told = []
    assert not summary.is_indexed(cube)
    summary.index(cube, progress=lambda *report: told.append(report))
    assert told[0] == (1, 12, "copying spectra")
    assert told[-1] == (12, 12, "copying spectra")
    again = read_cube(path)
    assert summary.is_indexed(again)
    _nothing_is_read_twice(monkeypatch)
    assert np.array_equal(summary.white_light(again).data, exact, equal_nan=True)
    noise = summary.summarise_noise(again).image
    assert noise == pytest.approx(
        np.ma.median(np.ma.masked_invalid(cube.noise.compute()), axis=0).filled(np.nan), nan_ok=True
    )
    summary.index(again)


def test_index_of_a_cube_without_noise_estimates_it_from_the_copy(cube, monkeypatch):
    bare = dataclasses.replace(cube, noise=None)
    expected = estimate_noise(_in_memory(cube)).noise
    summary.index(bare)
    monkeypatch.setattr("napari_kmos.summary.noise.fit_noise", lambda *_, **__: pytest.fail("estimated again"))
    assert np.array_equal(with_noise(bare, summary.noise_model(bare)).noise.compute(), expected, equal_nan=True)


def test_a_cancelled_index_keeps_only_what_is_complete(cube):
    def cancel(done, _total, _text):
        if done > 8:  # in the noise, the flux being done
            raise Cancelled

    with pytest.raises(Cancelled):
        summary.index(cube, progress=cancel)
    assert find_copy(source_of(cube.flux)) is not None
    assert find_copy(source_of(cube.noise)) is None
    assert find_arrays(source_of(cube.noise), medians.MEDIANS) is None
    summary.index(cube)
    assert summary.is_indexed(cube)


def test_index_beyond_the_bound_is_refused_before_it_begins(cube, monkeypatch):
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", "1e-5")
    with pytest.raises(WriteError, match="do not fit, the cache is bounded"):
        summary.index(cube, progress=lambda *_: pytest.fail("begun"))
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", "1e-7")
    with pytest.warns(KmosWarning, match="medians cannot be kept for the next time"):
        assert np.isfinite(summary.white_light(cube).data).any()


def test_small_cubes_and_those_in_memory_need_no_index(cube, monkeypatch, cache_folder):
    summary.index(_in_memory(cube))
    assert summary.is_indexed(_in_memory(cube))
    monkeypatch.setattr(medians, "LARGE_BYTES", 16 * 2**20)
    exact = collapse_median(_in_memory(cube)).data
    assert summary.is_indexed(cube)
    summary.index(cube)
    for image in (summary.white_light(cube), summary.preview_white_light(cube)):
        assert np.array_equal(image.data, exact, equal_nan=True)
    summary.summarise_noise(cube)
    assert summary.noise_model(cube).gain >= 0
    assert not list(cache_folder.rglob("*.np?"))
