"""Whole-pixel correlation with holes, and the smoothing that matches the seeing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.align.correlation import best_shifts, correlate, stretch
from napari_kmos.spatial.smoothing import diffuse


def test_shift_is_found_through_holes():
    rng = np.random.default_rng(1)
    image = rng.normal(size=(13, 15))
    moved = np.full((13, 15), np.nan)
    moved[:10, 2:] = 3 * image[3:, :-2] + 5
    image[4, 5], moved[6, 9] = np.nan, np.nan
    result = correlate(image, moved, reach=4, min_overlap=0.3)
    assert best_shifts(result, 1) == [(-3, 2)]
    assert result[4 - 3, 4 + 2] == pytest.approx(1)
    assert np.nanmax(np.delete(result.ravel(), result.argmax() if np.isfinite(result).all() else 15)) < 0.6


def test_too_little_overlap_has_no_coefficient():
    image = np.random.default_rng(1).normal(size=(10, 12))
    result = correlate(image, image, reach=9, min_overlap=0.5)
    assert np.isnan(result[0]).all()
    assert result[9, 9] == pytest.approx(1)
    assert np.isfinite(result[9, 9 + 6])
    assert np.isnan(result[9, 9 + 7])


def test_best_shifts_are_peaks_in_order():
    correlation = np.zeros((7, 7))
    correlation[1, 2], correlation[1, 3], correlation[5, 5] = 0.9, 0.8, 0.7
    assert best_shifts(correlation, 2) == [(-2, -1), (2, 2)]


def test_stretch_keeps_order_and_nan():
    image = np.array([[1.0, 10.0, np.nan], [100.0, 1000.0, 0.0]])
    stretched = stretch(image, np.full((2, 3), 0.1))
    assert np.isnan(stretched[0, 2])
    np.testing.assert_array_equal(np.argsort(stretched.ravel()), np.argsort(image.ravel()))


@pytest.mark.parametrize("variance", [0.01, 0.5, 2.0])
def test_smoothing_adds_its_variance_and_keeps_the_flux(variance):
    y, x = np.indices((31, 33))
    image = np.exp(-((y - 14) ** 2 + (x - 17) ** 2) / 2 / 1.5**2)
    smooth = diffuse(image, variance)
    assert smooth.sum() == pytest.approx(image.sum())
    for axis, centre in ((y, 14), (x, 17)):
        before, after = (np.sum(part * (axis - centre) ** 2) / part.sum() for part in (image, smooth))
        assert after - before == pytest.approx(variance, rel=1e-3)
