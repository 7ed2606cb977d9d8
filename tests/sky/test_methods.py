"""What every method of sky subtraction promises."""

from __future__ import annotations

import dataclasses
import re
import time

import dask.array as da
import numpy as np
import pytest
from astropy import units as u
from sky_pairs import SHAPE, make_pair

from napari_kmos.errors import GeometryError, KmosError, KmosWarning, SkyError
from napari_kmos.sky import SKY_METHODS, SkyResult, subtract_skies, subtract_sky

methods = pytest.mark.parametrize("method", SKY_METHODS)


@pytest.fixture(scope="module")
def pair():
    """An object and a sky with noise and every kind of difference."""
    return make_pair(groups={"low": 0.95, "medium": 1.03}, shift=0.12, thermal=(104.0, 100.0), sigma=2.0)


def _changed(cube, where, value, name="flux"):
    array = np.array(getattr(cube, name))
    array[where] = value
    return dataclasses.replace(cube, **{name: array})


#: Largest voxel that is left of a sky with lines of up to 900: the precision of float32. `levels` subtracts a model, so
#: that the noise of the sky stays; of one without noise it leaves what its comb does not hold.
LEFT = {"plain": 2e-3, "davies": 2e-3, "levels": 0.5}


@methods
def test_a_sky_that_did_not_change_vanishes(pair, method):
    """Object and sky are the same: what is left is nothing."""
    sky = make_pair(thermal=(104.0, 100.0)).sky if method == "levels" else pair.sky
    result = subtract_sky(sky, sky, method=method)
    assert np.abs(result.cube.flux).max() < LEFT[method]
    assert result.shift_pix == pytest.approx(0, abs=2e-3)


@methods
@pytest.mark.parametrize(
    ("scale", "match"), [(1e-3, "less than 1/5 .* subtracted already"), (30.0, "more than 5 .* unit")]
)
def test_an_object_that_cannot_have_this_sky_is_told(method, scale, match):
    """As if its sky, or that of the sky cube, had been subtracted, or one of them were in another unit."""
    pair = make_pair(factors=(1.0, 1.0, 1.0, 1.0), sigma=1e-3)
    faint = dataclasses.replace(pair.target, flux=scale * pair.target.flux, noise=scale * pair.target.noise)
    with pytest.warns(KmosWarning) as caught:
        subtract_sky(faint, pair.sky, method=method)
    assert [one for one in caught if re.search(match, str(one.message))]


@methods
def test_nothing_is_modified(pair, method):
    arrays = [np.array(array) for cube in (pair.target, pair.sky) for array in (cube.flux, cube.noise)]
    subtract_sky(pair.target, pair.sky, method=method)
    now = [array for cube in (pair.target, pair.sky) for array in (cube.flux, cube.noise)]
    assert all(np.array_equal(before, after) for before, after in zip(arrays, now, strict=True))


@methods
@pytest.mark.parametrize("side", ["target", "sky"])
def test_nan_stays_nan_and_does_not_spread(pair, method, side):
    """A voxel, a spaxel and the planes at an end: all of them NaN, and no more than the planes beside them."""
    cube = getattr(pair, side)
    for where in ((700, 3, 4), (slice(None), 6, 2), slice(0, 30)):
        cube = _changed(cube, where, np.nan)
    result = subtract_sky(**{"cube": pair.target, "sky_cube": pair.sky, "method": method, _NAMES[side]: cube})
    missing = np.isnan(result.cube.flux)
    needed = side == "target" or method != "levels"  # the model of `levels` does without a voxel, or spaxel, of the sky
    assert missing[700, 3, 4] == needed
    assert missing[:, 6, 2].all() == needed
    assert missing[:30].all()
    assert not missing[32:, 7, 7].any()
    assert np.count_nonzero(missing[690:710, 3, 4]) <= 3
    assert np.array_equal(np.isnan(result.cube.noise), missing)


_NAMES = {"target": "cube", "sky": "sky_cube"}


@methods
def test_light_of_a_star_is_kept(pair, method):
    """A star put in, three times as bright as the sky's continuum at its peak: 0.2 % of its light."""
    y, x = np.indices(SHAPE)
    star = 300 * np.exp(-((y - 2) ** 2 + (x - 8) ** 2) / 2) * np.linspace(1.0, 0.7, 2048)[:, None, None]
    with_star = dataclasses.replace(pair.target, flux=(np.asarray(pair.target.flux) + star).astype(np.float32))
    before, after = (subtract_sky(cube, pair.sky, method=method).cube.flux for cube in (pair.target, with_star))
    kept = (after - before)[:, :5, 5:].sum(axis=(1, 2))
    assert np.median(kept / star[:, :5, 5:].sum(axis=(1, 2))) == pytest.approx(1, abs=0.002)


@methods
def test_lazy_stays_lazy(pair, method):
    lazy = [
        dataclasses.replace(cube, flux=_dask(cube.flux), noise=_dask(cube.noise)) for cube in (pair.target, pair.sky)
    ]
    eager, computed = (subtract_sky(*cubes, method=method).cube for cubes in ((pair.target, pair.sky), lazy))
    assert isinstance(computed.flux, da.Array)
    assert isinstance(computed.noise, da.Array)
    assert computed.flux.shape == eager.flux.shape
    assert np.array_equal(eager.flux, computed.flux.compute(), equal_nan=True)
    assert np.array_equal(eager.noise, computed.noise.compute(), equal_nan=True)


def _dask(array):
    return da.from_array(array, chunks=(512, -1, -1))


@methods
def test_noise_is_that_of_object_and_sky(method):
    """The noise of a steady sky without a star is the scatter about zero, to 3 % (two thousand planes)."""
    pair = make_pair(sigma=3.0, factors=(1.0,), shift=0.4 if method == "davies" else 0.0)
    result = subtract_sky(pair.target, pair.sky, method=method)
    quiet = ~result.line_mask
    scatter = np.std(np.asarray(result.cube.flux)[quiet], axis=0)
    assert np.median(scatter / np.median(np.asarray(result.cube.noise)[quiet], axis=0)) == pytest.approx(1, abs=0.03)
    assert result.cube.flux.dtype == result.cube.noise.dtype == np.float32


@methods
def test_missing_noise_is_estimated_and_said_to_be(method):
    pair = make_pair(sigma=3.0)
    bare = [dataclasses.replace(cube, noise=None) for cube in (pair.target, pair.sky)]
    result = subtract_sky(*bare, method=method)
    assert result.cube.noise_estimated
    # Each estimate is good to 10 % a plane; `levels` subtracts no noise of the sky cube, the others add as much.
    expected = 3 * (1 if method == "levels" else np.sqrt(2))
    assert np.nanmedian(result.cube.noise) == pytest.approx(expected, rel=0.1)
    assert not subtract_sky(pair.target, pair.sky, method=method).cube.noise_estimated


@methods
def test_an_estimate_of_the_noise_of_the_sky_is_said_too(method):
    """It is in that of the result: of one sky, and of two if that of either is estimated."""
    pair = make_pair(sigma=3.0)
    bare = dataclasses.replace(pair.sky, noise=None)
    assert subtract_sky(pair.target, bare, method=method).cube.noise_estimated
    both = subtract_skies(pair.target, [(pair.sky, 0.7), (bare, 0.3)], method=method)
    assert both.cube.noise_estimated


@methods
def test_evidence_is_complete(pair, method):
    result = subtract_sky(pair.target, pair.sky, method=method)
    assert isinstance(result, SkyResult)
    assert result.method == method
    assert (result.cube.name, result.cube.ifu, result.cube.unit) == ("target", 5, u.adu / u.s)
    assert [band.name for band in result.bands] == ["7-5", "8-6", "9-7", "final bit"]
    assert result.bands[0].start_um == pytest.approx(1.925)
    assert all(band.n_line_pixels > 20 and band.rms_before > 0 and band.rms_after > 0 for band in result.bands)
    for name in ("wavelength_um", "object_spectrum", "sky_spectrum", "model_spectrum", "scale", "line_mask"):
        assert getattr(result, name).shape == (2048,)
    # The means over the mask of what went in and of what came out agree, but for the rejection of outliers.
    mean = np.asarray(result.cube.flux)[:, result.sky_mask].mean(axis=1)
    assert np.median(np.abs(mean - result.residual_spectrum)) < 0.1


def test_davies_beats_plain(pair):
    plain, davies = (subtract_sky(pair.target, pair.sky, method=method) for method in ("plain", "davies"))
    assert davies.rms_before == pytest.approx(plain.rms_after, rel=0.01)
    assert davies.rms_after < 0.1 * plain.rms_after


def test_an_ifu_takes_less_than_its_share_of_a_second(pair):
    """The target is 0.3 s for 14 x 14 spaxels; ten times that here only catches a loop over spaxels."""
    start = time.perf_counter()
    subtract_sky(pair.target, pair.sky)
    assert time.perf_counter() - start < 3


def test_unknown_method_is_told(pair):
    with pytest.raises(SkyError, match="'best' is not known; choose one of plain, davies, levels"):
        subtract_sky(pair.target, pair.sky, method="best")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"flux": np.ones((2048, 9, 12)), "noise": None},
            r"object .* has shape \(2048, 9, 11\) and sky .* \(2048, 9, 12\)",
        ),
        (
            {"wavelength": np.linspace(1.9, 2.4, 2048) * u.um},
            r"object .* covers 1.92500-2.49972 um and sky .* 1.90000-",
        ),
        ({"unit": u.erg}, r"object .* is in adu / s and sky .* in erg"),
    ],
)
def test_cubes_that_do_not_fit_are_told_by_name(pair, change, match):
    sky = dataclasses.replace(pair.sky, source="sky.fits[IFU.5.DATA]", **change)
    with pytest.raises(GeometryError, match=match) as raised:
        subtract_sky(pair.target, sky)
    assert "sky.fits[IFU.5.DATA]" in str(raised.value)


def test_unknown_unit_fits_any(pair):
    subtract_sky(pair.target, dataclasses.replace(pair.sky, unit=None), method="plain")


@pytest.mark.parametrize("side", ["target", "sky"])
def test_cube_without_data_is_told(pair, side):
    empty = _changed(getattr(pair, side), slice(None), np.nan)
    with pytest.raises(SkyError, match=r"IFU 5 target: the (object|sky) cube has no data"):
        subtract_sky(**{"cube": pair.target, "sky_cube": pair.sky, _NAMES[side]: empty})


def test_object_and_sky_that_share_no_spaxel_are_told(pair):
    left, right = _changed(pair.target, np.s_[:, :, :5], np.nan), _changed(pair.sky, np.s_[:, :, 5:], np.nan)
    with pytest.raises(SkyError, match="no spaxel has data in both"):
        subtract_sky(left, right)


def test_sky_error_is_an_error_the_user_can_act_on():
    assert issubclass(SkyError, KmosError)
