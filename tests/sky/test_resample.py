"""Spectra moved by fractions of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_kmos.sky._resample import WaveResampler, fill_gaps

N = 300
INDEX = np.arange(N, dtype=float)


def _lines(position):
    return sum(np.exp(-0.5 * ((position - centre) / 1.5) ** 2) for centre in (40.3, 120.7, 122.9, 250.2))


@pytest.mark.parametrize("shift", [0.37, -0.5, 1.8])
def test_lines_are_moved(shift):
    """A Gaussian of 3.5 pixels FWHM is followed by a cubic spline to 0.3 % of its peak."""
    moved = WaveResampler(INDEX - shift).flux(_lines(INDEX)[:, None])[:, 0]
    assert moved[5:-5] == pytest.approx(_lines(INDEX - shift)[5:-5], abs=0.003)


def test_spline_is_the_cubic_spline():
    """Against the prefiltered B-spline of scipy, away from the ends."""
    spectra = np.random.default_rng(1).standard_normal((N, 3))
    expected = ndimage.shift(spectra, (0.37, 0), order=3, mode="mirror")
    assert WaveResampler(INDEX - 0.37).flux(spectra)[15:-15] == pytest.approx(expected[15:-15], abs=1e-4)


def test_linear_is_linear():
    positions = INDEX * 0.99 + 0.2
    spectra = np.random.default_rng(2).standard_normal((N, 2))
    expected = np.stack([np.interp(positions, INDEX, column) for column in spectra.T], axis=1)
    assert WaveResampler(positions, "linear").flux(spectra) == pytest.approx(expected, abs=1e-12)


def test_no_shift_changes_nothing():
    spectra = np.random.default_rng(3).standard_normal((N, 4, 5))
    spectra[7, 2, 2] = np.nan
    resampler = WaveResampler(INDEX)
    assert np.array_equal(resampler.flux(spectra), spectra, equal_nan=True)
    assert np.array_equal(resampler.variance(spectra**2), spectra**2, equal_nan=True)


@pytest.mark.parametrize(("shift", "missing"), [(0.1, [100]), (0.5, [100, 101]), (1.0, [101])])
def test_gap_stays_as_wide_as_it_is(shift, missing):
    spectra = _lines(INDEX)[:, None] * np.ones(2)
    spectra[100, 1] = np.nan
    moved = WaveResampler(INDEX - shift).flux(spectra)
    assert np.flatnonzero(np.isnan(moved[5:-5, 1])).tolist() == [index - 5 for index in missing]
    assert not np.isnan(moved[5:-5, 0]).any()


def test_outside_is_no_data():
    moved = WaveResampler(INDEX - 2.6).flux(np.ones((N, 1)))[:, 0]
    assert np.flatnonzero(np.isnan(moved)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.5])
def test_variance_is_that_of_moved_noise(shift):
    noise = np.random.default_rng(4).standard_normal((N, 2000))
    resampler = WaveResampler(INDEX - shift)
    scatter = resampler.flux(noise)[50:-50].var()
    assert resampler.variance(np.ones((N, 1)))[50:-50].mean() == pytest.approx(scatter, rel=0.01)


def test_filled_gaps_are_interpolated_and_nothing_stays_nothing():
    spectra = np.stack([INDEX, np.full(N, np.nan)], axis=1)
    spectra[[0, 50, 51, N - 1], 0] = np.nan
    filled = fill_gaps(spectra)
    assert filled[[0, 50, 51, N - 1], 0] == pytest.approx([1, 50, 51, N - 2])
    assert np.isnan(filled[:, 1]).all()
