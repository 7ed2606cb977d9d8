"""Statistics that ignore NaN."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.spectral.nan import nan_median


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_values", [1, 2, 7, 600])
def test_median_is_that_of_numpy(dtype, n_values):
    """Bit for bit in float32: half the sum of two neighbours is rounded once, as numpy rounds it."""
    rng = np.random.default_rng(3)
    values = rng.normal(3, 2, (n_values, 11, 5)).astype(dtype)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[0] = 1.5
    assert np.array_equal(nan_median(values).astype(dtype), np.nanmedian(values, axis=0))


def test_infinite_values_and_nothing_at_all_are_no_data():
    values = np.array([[np.inf, np.nan, -np.inf], [-np.inf, np.nan, 4], [5, np.inf, 2], [2, np.nan, np.nan]])
    kept = values.copy()
    assert np.array_equal(nan_median(values), [3.5, np.nan, 3], equal_nan=True)
    assert np.array_equal(values, kept, equal_nan=True)
    assert np.isnan(nan_median(np.empty((0, 3)))).all()
