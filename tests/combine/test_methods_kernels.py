"""The kernels that merge: the same numbers with numba, with numpy, and by plain loops."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pytest

from napari_kmos.combine import CombineParameters, can_reject, merge, methods
from napari_kmos.combine._clipping import comparators

KERNELS = ("numpy", "numba")
KINDS = ("normal", "ties", "outliers", "gaps")


@pytest.fixture(params=KERNELS)
def kernels(request):
    if request.param == "numba":
        pytest.importorskip("numba")
    return request.param


def make_columns(kind, n, m=101, seed=0):
    """Values and noise of n exposures: m is no multiple of what a processor takes at a time."""
    rng = np.random.default_rng([seed, n, KINDS.index(kind)])
    values = rng.normal(3, 1, size=(n, m))
    if kind == "ties":
        values = np.round(values)
    if kind == "outliers":
        values += np.where(rng.random(values.shape) < 0.1, rng.normal(0, 300, size=values.shape), 0)
    if kind == "gaps":
        values[rng.random(values.shape) < np.linspace(0, 1, m)] = np.nan
        values[rng.random(values.shape) < 0.02] = np.inf
        values[:, 5] = 7
    return values.astype(np.float32), rng.uniform(0.5, 2, size=(n, m)).astype(np.float32)


def clip_plainly(column, low, high, iterations):
    """One column by plain loops: which of its values are kept."""
    kept = [i for i, value in enumerate(column) if np.isfinite(value)]
    for iteration in range(iterations if len(kept) > 2 else 0):
        left = np.array([float(column[i]) for i in kept])
        if iteration == 0:
            lower, centre, upper = np.percentile(left, [15.865525, 50, 84.134475])
            spread = (upper - lower) / 2
        else:
            centre, spread = left.mean(), left.std(ddof=1) if len(left) > 1 else 0
        slack = 1e-10 * (abs(centre) + spread)
        bounds = centre - low * spread - slack, centre + high * spread + slack
        kept = [i for i in kept if bounds[0] <= column[i] <= bounds[1]]
    return kept


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 11, 16, 24, 48])
@pytest.mark.parametrize("kind", KINDS)
def test_ksigma_is_what_plain_loops_give(kernels, kind, n):
    values, noise = make_columns(kind, n)
    for low, high, iterations in ((3, 3, 3), (1.5, 2.5, 1), (2, 1.2, 5)):
        merged = merge(
            values, noise, None, CombineParameters(cneg_rej=low, cpos_rej=high, citer=iterations), kernels=kernels
        )
        for column in range(values.shape[1]):
            kept = clip_plainly(values[:, column], low, high, iterations)
            there = np.isfinite(values[:, column]).sum()
            assert (merged.n_used[column], merged.n_rejected[column]) == (len(kept), there - len(kept))
            if not kept:
                assert np.isnan([merged.value[column], merged.noise[column]]).all()
                continue
            # of float32, with outliers of hundreds among values of 3
            expected = values[kept, column].astype(float).mean()
            assert merged.value[column] == pytest.approx(expected, rel=1e-6, abs=1e-5)
            plain = np.sqrt((noise[kept, column].astype(float) ** 2).sum()) / len(kept)
            if len(kept) == there:
                assert merged.noise[column] == pytest.approx(plain, rel=1e-6)
            else:
                assert merged.noise[column] >= plain * 0.999999


@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8"])
@pytest.mark.parametrize(
    ("cmethod", "weight"),
    [
        *((name, "none") for name in methods.COMBINE_METHODS),
        *itertools.product(("ksigma", "average"), ("variance", "exptime")),
    ],
)
def test_numba_gives_the_numbers_of_numpy(cmethod, weight, dtype):
    pytest.importorskip("numba")
    for kind, n in itertools.product(KINDS, (1, 3, 16, 29)):
        values, noise = (array.astype(dtype)[:, ::2] for array in make_columns(kind, n, 301))
        noise[0, 7], noise[-1, 9] = np.nan, 0
        values.flags.writeable = False
        parameters = CombineParameters(cmethod=cmethod, weight=weight)
        given = np.linspace(1, 3, n) if weight == "exptime" else None
        found, other = (merge(values, noise, given, parameters, kernels=name) for name in KERNELS)
        assert found.value.dtype == other.value.dtype == np.dtype(dtype).newbyteorder("=")
        for name in ("value", "noise"):
            np.testing.assert_allclose(getattr(found, name), getattr(other, name), rtol=1e-6 if "4" in dtype else 1e-13)
        for name in ("n_used", "n_rejected"):
            np.testing.assert_array_equal(getattr(found, name), getattr(other, name))


def test_weights_of_exposures(kernels):
    values, noise = np.float32([[1, 1], [4, np.nan]]), np.float32([[2, 2], [1, 1]])
    merged = merge(
        values, noise, np.array([1, 3]), CombineParameters(cmethod="average", weight="exptime"), kernels=kernels
    )
    np.testing.assert_allclose(merged.value, [13 / 4, 1])
    np.testing.assert_allclose(merged.noise, [np.sqrt(4 + 9) / 4, 2], rtol=1e-6)


def test_weights_by_variance(kernels):
    values = np.float32([[1, 1, 1, 1], [4, 4, 4, 4]])
    noise = np.float32([[2, 2, np.nan, 0], [1, np.nan, np.nan, 1]])
    merged = merge(values, noise, None, CombineParameters(cmethod="average", weight="variance"), kernels=kernels)
    np.testing.assert_allclose(merged.value, [(1 / 4 + 4) / 1.25, 1, np.nan, 4])
    np.testing.assert_allclose(merged.noise, [1 / np.sqrt(1.25), 2, np.nan, 1], rtol=1e-6)
    np.testing.assert_array_equal(merged.n_used, [2, 1, 0, 1])
    np.testing.assert_array_equal(merged.n_rejected, 0)


@pytest.mark.parametrize("weight", ["none", "variance", "exptime"])
def test_noise_of_weighted_means_is_the_scatter(kernels, weight):
    rng = np.random.default_rng(3)
    noise = np.broadcast_to(np.linspace(0.5, 3, 9)[:, None], (9, 40000)).astype(np.float32)
    values = rng.normal(0, noise).astype(np.float32)
    parameters = CombineParameters(cmethod="average", weight=weight)
    merged = merge(
        values, noise, 1 / np.linspace(1, 2, 9) if weight == "exptime" else None, parameters, kernels=kernels
    )
    # 0.4 % for 40000 values
    assert merged.value.std() / merged.noise.mean() == pytest.approx(1, abs=0.015)
    if weight == "variance":
        assert merged.noise.mean() < 0.999 * noise[0].mean()


@pytest.mark.parametrize("n", [3, 4, 5, 6, 8, 11, 16, 31])
@pytest.mark.parametrize("limit", [3, 2])
def test_noise_of_clipped_means_is_the_scatter(kernels, n, limit):
    values = np.random.default_rng(n).normal(0, 2, size=(n, 60000))
    parameters = CombineParameters(cpos_rej=limit, cneg_rej=limit)
    merged = merge(values, np.full_like(values, 2), None, parameters, kernels=kernels)
    # 0.3 % for 60000 values, and as much for those that were simulated to tell the noise
    assert merged.value.std() / np.sqrt((merged.noise**2).mean()) == pytest.approx(1, abs=0.012)
    for used in np.flatnonzero(np.bincount(merged.n_used) > 6000):
        some = merged.n_used == used
        # on the safe side where what is left is the middle of few values
        assert 0.9 < merged.value[some].std() / merged.noise[some].mean() < 1.03


def test_outlier_far_out_leaves_the_noise_of_the_others(kernels):
    values = np.random.default_rng(2).normal(0, 1, size=(24, 500))
    values[:3] += 1000
    merged = merge(values, np.ones_like(values), None, CombineParameters(), kernels=kernels)
    usual = merged.n_rejected == 3
    assert usual.mean() > 0.5
    np.testing.assert_allclose(merged.noise[usual], 1 / np.sqrt(21), rtol=1e-6)


def test_faint_fluxes_keep_their_noise(kernels):
    # the square of 1e-23 is beyond float32
    values, noise = np.full((5, 3), 1e-20, dtype=np.float32), np.full((5, 3), 1e-23, dtype=np.float32)
    for weight in ("none", "variance"):
        merged = merge(values, noise, None, CombineParameters(weight=weight), kernels=kernels)
        np.testing.assert_allclose(merged.value, 1e-20, rtol=1e-6)
        np.testing.assert_allclose(merged.noise, 1e-23 / np.sqrt(5), rtol=1e-6)


@pytest.mark.parametrize("limit", [1.2, 2, 2.5, 3, 5])
@pytest.mark.parametrize("later", [False, True])
def test_what_can_be_rejected(kernels, limit, later):
    rng = np.random.default_rng(4)
    for n in range(1, 32):
        parameters = CombineParameters(cpos_rej=limit, cneg_rej=50, citer=2 if later else 1)
        easiest = np.zeros((n, 1))
        easiest[0] = 1
        columns = np.hstack(
            [easiest, rng.normal(size=(n, 400)), rng.standard_cauchy(size=(n, 400)), rng.random((n, 400)) < 0.2]
        )
        if later:
            found = (
                ((columns - columns.mean(axis=0)) > limit * columns.std(axis=0, ddof=1) * (1 + 1e-9)).any()
                if n > 2
                else False
            )
        else:
            found = merge(columns, np.ones_like(columns), None, parameters, kernels=kernels).n_rejected.any()
        assert can_reject(n, parameters, later=later) == found, n


def test_few_values_at_the_defaults():
    parameters = CombineParameters()
    assert [n for n in range(20) if not can_reject(n, parameters)] == [0, 1, 2, 3]
    assert [n for n in range(20) if not can_reject(n, parameters, later=True)] == list(range(11))
    assert not can_reject(20, CombineParameters(citer=0))
    assert not can_reject(20, CombineParameters(citer=1), later=True)
    assert not can_reject(20, CombineParameters(cmethod="median"))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 11])
def test_network_sorts_all_zeros_and_ones(n):
    # which is enough for all values
    columns = np.array(list(itertools.product([0, 1], repeat=n))).T
    for low, high in comparators(n):
        columns[[low, high]] = np.minimum(columns[low], columns[high]), np.maximum(columns[low], columns[high])
    assert (np.diff(columns, axis=0) >= 0).all()


def test_without_numba_numpy_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.delitem(sys.modules, "napari_kmos.combine._numba_kernels", raising=False)
    methods.find_kernels.cache_clear()
    try:
        assert methods.find_kernels().__name__.endswith("_numpy_kernels")
    finally:
        methods.find_kernels.cache_clear()


def test_with_numba_it_is_used():
    pytest.importorskip("numba")
    assert methods.find_kernels().__name__.endswith("_numba_kernels")


def test_no_place_for_compiled_code(monkeypatch):
    numba = pytest.importorskip("numba")
    from napari_kmos.combine import _numba_kernels

    def njit(function, *, cache=False, **options):
        if cache:
            msg = "cannot cache function: no locator available"
            raise RuntimeError(msg)
        return (function, options)

    monkeypatch.setattr(numba, "njit", njit)
    assert _numba_kernels._compiled(sorted)[0] is sorted
