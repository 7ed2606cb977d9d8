"""The methods that merge values: right numbers, right noise, no data where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.combine.methods import COMBINE_METHODS, merge
from napari_kmos.combine.parameters import CombineParameters
from napari_kmos.errors import KmosError


def combine(name, values, variance=None, **parameters):
    values = np.asarray(values, dtype=float)
    variance = np.ones_like(values) if variance is None else np.asarray(variance, dtype=float)
    merged = merge(values, np.sqrt(variance), None, CombineParameters(cmethod=name, **parameters))
    return merged.value, merged.noise**2


@pytest.mark.parametrize("name", COMBINE_METHODS)
def test_every_method_ignores_nan_and_knows_no_data(name):
    rng = np.random.default_rng(1)
    values = rng.normal(10, 1, size=(7, 50))
    values[rng.random(values.shape) < 0.2] = np.nan
    values[:, 3] = np.nan
    result, variance = combine(name, values, cmax=1, cmin=0)
    assert result.shape == variance.shape == (50,)
    for number in np.delete(np.arange(50), 3):
        column = values[:, number]
        alone = combine(name, column[np.isfinite(column)][:, None], cmax=1, cmin=0)
        np.testing.assert_allclose([result[number], variance[number]], np.ravel(alone))
    assert np.isnan(result[3])
    assert np.isnan(variance[3])


@pytest.mark.parametrize("name", ["ksigma", "average", "median", "sum"])
def test_single_value_passes_through(name):
    result, variance = combine(name, [[5.0]], [[4.0]])
    assert (result[0], variance[0]) == (5.0, 4.0)


@pytest.mark.parametrize("name", COMBINE_METHODS)
def test_equal_values_are_all_kept(name):
    values = np.full((16, 3), np.float32(0.1) * 1e-17)
    result, variance = combine(name, values)
    used = {"sum": 1 / 16}.get(name, 16)
    factor = {"median": np.pi / 2 * (1 - 1.25 / 16), "min_max": 1.03}.get(name, 1)
    np.testing.assert_allclose(result, values[0] * (16 if name == "sum" else 1), rtol=1e-12)
    np.testing.assert_allclose(variance, factor / used, rtol=0.03 if name == "min_max" else 1e-12)


def test_numbers_of_the_simple_methods():
    values, variance = [[1.0], [2.0], [9.0], [np.nan]], [[1.0], [4.0], [9.0], [1.0]]
    assert combine("average", values, variance) == (pytest.approx(4), pytest.approx(14 / 9))
    assert combine("sum", values, variance) == (pytest.approx(12), pytest.approx(14))
    assert combine("median", values, variance) == (pytest.approx(2), pytest.approx(1.346 * 14 / 9))
    # with the factors of the median and of the smallest of three normal values, simulated to 1 %
    assert combine("min_max", values, variance) == (pytest.approx(2), pytest.approx(4 * 0.4487, rel=0.03))
    assert combine("min_max", values, variance, cmax=2, cmin=0) == (pytest.approx(1), pytest.approx(0.5595, rel=0.03))
    assert np.isnan(combine("min_max", values, variance, cmax=2, cmin=1)[0]).all()


def test_median_of_an_even_number_is_the_mean_of_the_middle_two():
    values = [[3.0], [1.0], [np.nan], [10.0], [4.0]]
    assert combine("median", values)[0][0] == pytest.approx(3.5)


@pytest.mark.parametrize("n", [4, 5, 8, 24])
def test_ksigma_rejects_an_outlier(n):
    rng = np.random.default_rng(n)
    values = rng.normal(100, 1, size=(n, 300))
    clean = values[1:].copy()
    values[0] += 500
    values[1, :150] += np.where(n > 8, -70, 0)
    result, _ = combine("ksigma", values)
    expected = np.where(np.arange(300) < 150, clean[1 if n > 8 else 0 :].mean(axis=0), clean.mean(axis=0))
    # what differs from the clean mean is what clipping also takes from the wings
    assert np.median(np.abs(result - expected)) < 1e-9 if n > 5 else np.abs(result - 100).max() < 5
    assert np.abs(result - 100).max() < 5


def test_ksigma_of_three_rejects_nothing():
    values = np.array([[1.0], [2.0], [1000.0]])
    assert combine("ksigma", values)[0][0] == pytest.approx(1003 / 3)


def test_ksigma_sides_are_told_apart():
    values = np.random.default_rng(5).normal(0, 1, size=(12, 200))
    values[3] += 30
    values[4] -= 30
    high, _ = combine("ksigma", values, cneg_rej=1e6)
    low, _ = combine("ksigma", values, cpos_rej=1e6)
    assert high.mean() < -2
    assert low.mean() > 2


def test_no_iteration_is_the_average():
    values = np.random.default_rng(5).normal(0, 1, size=(12, 20))
    values[0] += 100
    np.testing.assert_array_equal(combine("ksigma", values, citer=0)[0], combine("average", values)[0])


@pytest.mark.parametrize(
    ("name", "tolerance"), [("average", 0.01), ("sum", 0.01), ("median", 0.01), ("min_max", 0.02), ("ksigma", 0.05)]
)
@pytest.mark.parametrize("n", [3, 4, 5, 8, 16, 31])
def test_predicted_noise_is_the_scatter(name, tolerance, n):
    # 40000 values give 0.4 %; clipping few values takes some that were no outliers, which costs up to 5 %
    values = np.random.default_rng(n).normal(0, 2, size=(n, 40000))
    result, variance = combine(name, values, np.full_like(values, 4.0))
    assert result.std() / np.sqrt(variance.mean()) == pytest.approx(1, abs=tolerance)


def test_unknown_variance_makes_the_result_unknown():
    values, variance = np.ones((3, 2)), np.ones((3, 2))
    variance[1, 0] = np.nan
    for name in ("average", "ksigma", "median", "sum"):
        result, spread = combine(name, values, variance)
        assert np.isfinite(result).all()
        np.testing.assert_array_equal(np.isnan(spread), [True, False])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cpos_rej", 0, "positive"),
        ("citer", -1, "zero or more"),
        ("cmax", -2, "zero or more"),
        ("pix_scale", 0, "arcsec"),
    ],
)
def test_impossible_parameters(name, value, expected):
    with pytest.raises(KmosError, match=f"{name} is {value}, expected .*{expected}"):
        CombineParameters(**{name: value})
