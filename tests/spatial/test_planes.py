"""A wavelength zero point taken out with the resampling: exact, whatever the blocks, and missing planes stay alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import Polynomial
from scipy.interpolate import CubicSpline

from napari_kmos.errors import GeometryError
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import make_wcs, shift_wcs

SHAPE = (6, 7)
N = 120
FIELD = make_wcs(266.4, -29.0, crpix=(4.0, 3.0))
SAME = make_resampler(FIELD, SHAPE, FIELD, SHAPE)
MOVED = make_resampler(shift_wcs(FIELD, 0.07, -0.05), SHAPE, FIELD, SHAPE)
SHIFTS = {"constant": 0.3, "whole": -2.0, "polynomial": Polynomial([0.4, -0.01, 3e-5])}


def in_blocks(resampler, flux, noise, size):
    """Apply block by block."""
    parts = []
    for start in range(0, N, size):
        stop = min(start + size, N)
        first, last = resampler.reads(start, stop)
        assert 0 <= first <= last <= N
        parts.append(resampler.apply(flux[first:last], noise[first:last], start=start, stop=stop))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_planes_are_read_between_planes(shift):
    flux = np.random.default_rng(1).normal(size=(N, *SHAPE)).astype(np.float32)
    resampler = SAME.shifted(shift, N)
    (moved,) = resampler.apply(flux, start=0, stop=N)
    at = np.arange(N) + (shift(np.arange(N)) if callable(shift) else shift)
    inside = (at >= 0) & (at <= N - 1)
    expected = CubicSpline(np.arange(N), flux, bc_type="natural")(at)
    # of the spline, 20 planes are taken: the rest is 3e-6
    np.testing.assert_allclose(moved[inside], expected[inside], atol=2e-5)
    assert np.isnan(moved[(at < -0.5) | (at > N - 0.5)]).all()


def test_lines_come_to_their_place_and_keep_their_flux():
    z = np.arange(N)
    lines = np.exp(-0.5 * ((z - 60.37) / 1.6) ** 2)[:, None, None] * np.ones(SHAPE)
    (moved,) = SAME.shifted(0.37, N).apply(lines, start=0, stop=N)
    assert (moved[:, 2, 3] * z).sum() / moved[:, 2, 3].sum() == pytest.approx(60, abs=1e-3)
    assert moved[:, 2, 3].sum() == pytest.approx(lines[:, 2, 3].sum(), rel=1e-4)


@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
def test_blocks_do_not_show(shift):
    rng = np.random.default_rng(2)
    flux = rng.normal(size=(N, *SHAPE)).astype(np.float32)
    flux[rng.random(flux.shape) < 0.02] = np.nan
    flux[40:43] = np.nan
    noise = np.abs(flux) + 1
    resampler = MOVED.shifted(shift, N)
    whole = resampler.apply(flux, noise, start=0, stop=N)
    for size in (7, 50):
        for one, expected in zip(in_blocks(resampler, flux, noise, size), whole, strict=True):
            # a dead plane at the end of what is read, nine planes away, is filled from one side: weight 7e-6
            np.testing.assert_allclose(one, expected, atol=5e-5)


def test_without_a_shift_nothing_changes():
    assert SAME.shifted(0.0, N) is SAME
    assert SAME.shifted(Polynomial([0.0, 0.0]), N) is SAME
    assert SAME.reads(3, 9) == (3, 9)


def test_noise_of_planes_between_is_their_scatter():
    rng = np.random.default_rng(3)
    n = 4000
    flux = rng.normal(size=(n, *SHAPE)).astype(np.float32)
    moved, noise = MOVED.shifted(0.4, n).apply(flux, np.ones_like(flux), start=0, stop=n)
    # 4000 planes, a few of which say the same: 1.5 % each
    np.testing.assert_allclose(moved.std(axis=0), np.median(noise, axis=0), rtol=0.06)
    assert np.median(noise) < 0.9 * np.median(MOVED.apply(flux, np.ones_like(flux))[1])


def test_dead_planes_and_voxels_stay_where_they_are():
    flux = np.broadcast_to(np.linspace(5, 6, N)[:, None, None], (N, *SHAPE)).copy()
    flux[50:52] = np.nan
    flux[80, 3, 3] = np.nan
    (moved,) = SAME.shifted(0.3, N).apply(flux, start=0, stop=N)
    lost = np.isnan(moved)
    # 30 % of plane 49 would come from a dead one, 70 % of plane 51 from a living one: too little
    assert np.flatnonzero(lost.all(axis=(1, 2))).tolist() == [49, 50, 51]
    assert np.argwhere(lost[60:]).tolist() == [[19, 3, 3], [20, 3, 3]]
    expected = 5 + (np.arange(N) + 0.3)[:, None, None] / (N - 1) + np.zeros(SHAPE)
    # nearest values stand for the missing ones: a step of a plane or two of the slope, which dies out
    np.testing.assert_allclose(moved[~lost], expected[~lost], atol=0.01)


def test_wrong_planes_and_shifts_are_refused():
    resampler = SAME.shifted(0.3, N)
    with pytest.raises(GeometryError, match="40 planes given to be shifted; expected the 59"):
        resampler.apply(np.ones((40, *SHAPE)), start=40, stop=80)
    with pytest.raises(GeometryError, match="the wavelength shift is not finite"):
        SAME.shifted(float("nan"), N)
