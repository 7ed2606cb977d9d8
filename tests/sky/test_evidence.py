"""What plain and davies report beside the factors: errors, what is left over the noise, images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sky_pairs import N_PLANES, SHAPE, make_pair

from napari_kmos.sky import SKY_METHODS, subtract_skies, subtract_sky

ONES = (1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("method", ["plain", "davies"])
def test_noise_alone_leaves_once_the_noise(method):
    pair = make_pair(factors=ONES, sigma=2.0)
    result = subtract_sky(pair.target, pair.sky, method=method)
    # some 300 line pixels a band, of which neighbours share the level that is taken off
    assert result.residual_over_noise == pytest.approx(1.0, rel=0.15)
    expected = 2.0 * np.sqrt(2) / np.sqrt(np.count_nonzero(result.sky_mask))
    # davies moves the sky by a hundredth of a pixel and scales it by the noise of the fit
    assert np.nanmedian(result.error_spectrum) == pytest.approx(expected, rel=0.03)


def test_lines_left_are_told_by_band():
    pair = make_pair(factors=(1.05, 1.0, 1.0, 1.0), sigma=2.0)
    bands = {band.name: band for band in subtract_sky(pair.target, pair.sky, method="plain").bands}
    assert bands["7-5"].residual_over_noise > 2
    assert bands["9-7"].residual_over_noise == pytest.approx(1.0, rel=0.3)


def test_features_of_stars_are_no_lines():
    pair = make_pair(factors=ONES, sigma=2.0)
    planes = np.arange(N_PLANES)
    feature = 1 - 0.5 * np.exp(-0.5 * (((planes % 160) - 80) / 12) ** 2)
    column = np.arange(SHAPE[1])
    light = np.where(column > 5, 60.0 * (column - 5), 9.6) * np.ones(SHAPE)  # 9 sigma in the mean of the dark ones
    starry = dataclasses.replace(pair.target, flux=np.asarray(pair.target.flux) + feature[:, None, None] * light)
    result = subtract_sky(starry, pair.sky, method="plain")
    assert result.residual_over_noise < 1.5
    beside = result.residual_spectrum - result.left_spectrum
    depth = np.ptp(beside[1000:1160])
    assert depth == pytest.approx(4.8, rel=0.3)  # the running level takes some of the feature


def test_error_of_the_factors_is_the_scatter_over_noise():
    found = []
    for seed in range(8):
        pair = make_pair(factors=(1.1, 0.9, 1.2, 0.95), sigma=20.0, seed=100 + seed)
        result = subtract_sky(pair.target, pair.sky, method="davies")
        found += [(band.factor - pair.bands[band.name], band.error) for band in result.bands if band.fitted]
    difference, error = np.transpose(found)
    assert np.all(error > 0)
    # 32 values tell a scatter to 13 %; pixels of one line are not independent of their shift
    assert np.sqrt(np.mean((difference / error) ** 2)) == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("method", SKY_METHODS)
def test_images_show_the_field_before_and_after(method):
    pair = make_pair(sigma=2.0, star=3000.0)
    result = subtract_sky(pair.target, pair.sky, method=method)
    images = result.images
    before = np.asarray(pair.target.flux) - np.asarray(pair.sky.flux)
    assert images.white_before == pytest.approx(np.median(before, axis=0), abs=1e-3)
    assert images.white_after == pytest.approx(np.nanmedian(np.asarray(result.cube.flux), axis=0), abs=1e-3)
    assert np.unravel_index(np.argmax(images.white_after), SHAPE) == (2, 8)
    if method == "plain":
        assert images.left_after == pytest.approx(images.left_before, rel=1e-5)
    else:
        assert np.median(images.left_after) < 1.3 < np.median(images.left_before)


def test_two_equal_skies_leave_what_one_leaves():
    pair = make_pair(sigma=2.0)
    one = subtract_sky(pair.target, pair.sky, method="davies")
    two = subtract_skies(pair.target, [(pair.sky, 0.5), (pair.sky, 0.5)], method="davies")
    assert two.residual_over_noise == pytest.approx(one.residual_over_noise, rel=1e-6)
    assert two.left_spectrum == pytest.approx(one.left_spectrum, rel=1e-6, nan_ok=True)
