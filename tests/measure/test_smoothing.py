"""Smoothing by weight: constants stay, noise goes down as it says, gaps stay gaps."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_kmos.errors import KmosError
from napari_kmos.measure import smooth_spectrum


def test_noise_is_what_it_says():
    rng = np.random.default_rng(1)
    noise = rng.uniform(0.5, 3, 4000)

    flux, error = smooth_spectrum(10 + noise * rng.standard_normal(4000), noise, fwhm_pix=4)

    # About 600 independent numbers: their scatter is known to 3 %.
    assert np.std((flux - 10) / error) == pytest.approx(1, abs=0.08)
    assert np.median(error) < 0.5 * np.median(noise)


def test_a_plane_without_weight_does_not_count_and_gaps_stay():
    flux, noise = np.ones(50), np.ones(50)
    flux[20], noise[20] = 1e6, 1e9
    flux[30] = noise[31] = np.nan

    smooth, error = smooth_spectrum(flux, noise)

    there = ~np.isin(np.arange(50), (30, 31))
    assert_allclose(smooth[there], 1, atol=1e-6)
    assert np.isnan(smooth[[30, 31]]).all()
    assert np.isnan(error[[30, 31]]).all()


def test_without_noise_all_weigh_alike():
    smooth, error = smooth_spectrum([0, 0, 0, 4, 0, 0, 0], fwhm_pix=2)

    kernel = 0.5 ** (np.arange(-3, 4) ** 2)
    assert_allclose(smooth[3], 4 / kernel.sum(), rtol=1e-6)
    assert np.isnan(error).all()
    assert smooth_spectrum(np.ones(3), fwhm_pix=40)[0] == pytest.approx(np.ones(3))


def test_width_must_be_positive():
    with pytest.raises(KmosError, match="smoothing over 0 planes"):
        smooth_spectrum(np.ones(9), fwhm_pix=0)
