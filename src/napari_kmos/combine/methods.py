"""How overlapping values become one: the methods of `kmos_combine`, with their noise, weights and counts.

The noise is propagated from the values that were used; where a method chooses them by rank or by clipping, it allows
for that as for normal values of equal noise. It is NaN where one of them has no known noise. No values give NaN. The
sums are done by numba where it is installed and by numpy otherwise, with the same numbers to rounding.
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from napari_kmos.combine import _numpy_kernels
from napari_kmos.combine._clipping import FAR, FEWEST, SHARES, Clipping
from napari_kmos.combine._numpy_kernels import count_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.parameters import CombineParameters

    Floats: TypeAlias = NDArray[np.floating[Any]]
    #: Value, noise and number of used values of each column.
    Used: TypeAlias = tuple[Floats, Floats, NDArray[Any]]

KernelName = Literal["numba", "numpy"]
#: Values merged at a time, over all exposures: small enough for the processor's cache. No power of two, which would put
#: all rows in the same lines of it.
_VALUES_AT_ONCE = 150_000
#: Variance of the median over that of the mean of n normal values, for n = 0 to 10; by integration.
_MEDIAN_VARIANCE = np.array([np.nan, 1, 1, 1.3460, 1.1928, 1.4342, 1.2885, 1.4731, 1.3455, 1.4949, 1.3834])
#: Simulated columns for the variance of trimmed and clipped means: 1 % of it.
_SIMULATED = 20000
#: What clipping does to fewer normal columns than this part is no chance: there the rejected values are outliers.
_RARE = 0.002


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Merged:
    """Columns of values merged into one value each; arrays of shape (m,).

    Parameters
    ----------
    value, noise : array of float
        Merged value and its standard deviation, in the precision of the values; NaN where there is none.
    n_used, n_rejected : array of int32
        How many values it is made of, and how many the method rejected or dropped. Together they are the values that
        there are; with inverse variance as weight, those that have a noise.
    """

    value: Floats
    noise: Floats
    n_used: NDArray[np.int32]
    n_rejected: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """What a method merges: columns that fit the cache, some maybe without values; weights of None are 1 / noise²."""

    values: Floats
    noise: Floats
    weights: NDArray[np.float64] | None
    count: NDArray[np.integer[Any]]
    kernels: Any

    def mean(self, *, values: Floats | None = None, bounds: NDArray[np.float64] | None = None) -> Used:
        """Weighted mean of the values within bounds, or of those that are left of them."""
        values = self.values if values is None else values
        if bounds is None:
            bounds = np.repeat([[-FAR], [FAR]], values.shape[1], axis=1)
        found: Used = self.kernels.sum_columns(values, self.noise, self.weights, bounds)
        return found


def merge(
    values: Floats,
    noise: Floats,
    weights: NDArray[Any] | None,
    parameters: CombineParameters,
    *,
    kernels: KernelName | None = None,
) -> Merged:
    """Merge the values of each column.

    Parameters
    ----------
    values, noise : array of float32 or float64, shape (n, m)
        Values of n exposures and their standard deviations; what is not finite is no data. The noise rather than its
        square: fluxes of 1e-20 have variances beyond the range of float32.
    weights : array, shape (n,), or None
        Positive weight of each exposure, for the methods average and ksigma; equal ones if not given.
    parameters : CombineParameters
        The method and what it goes by. With ``weight="variance"`` each value is weighted by its own 1 / noise², and
        one without noise takes no part.
    kernels : {"numba", "numpy"}, optional
        Which to use: numba if not given and installed. The numbers are the same to rounding.

    Returns
    -------
    Merged
        Of arrays of shape (m,).
    """
    n_columns = values.shape[1]
    merged = np.empty((2, n_columns), dtype=np.result_type(values, np.float32))
    numbers = np.empty((2, n_columns), dtype=np.int32)
    given = np.ones(len(values)) if weights is None else np.array(weights, dtype=np.float64)
    shared = None if parameters.weight == "variance" else given, find_kernels(kernels)
    step = max(1, _VALUES_AT_ONCE // len(values))
    for first in range(0, n_columns, step):
        part = np.s_[:, first : first + step]
        columns = _columns(values[part], noise[part], *shared)
        value, spread, used = _METHODS[parameters.cmethod](columns, parameters)
        for target, found in zip((*merged, *numbers), (value, spread, used, columns.count - used), strict=True):
            target[part[1]] = found
    return Merged(value=merged[0], noise=merged[1], n_used=numbers[0], n_rejected=numbers[1])


def can_reject(n: int, parameters: CombineParameters, *, later: bool = False) -> bool:
    """Tell whether any n values exist of which ksigma rejects one: an outlier among equal ones is the easiest case.

    Parameters
    ----------
    n : int
        How many values.
    parameters : CombineParameters
        The limits; of another method nothing is rejected.
    later : bool
        Whether the passes after the first do, by mean and standard deviation: at 3 sigma it takes 11 values. The
        first pass, by median and percentiles, needs 4.
    """
    if parameters.cmethod != "ksigma" or n < FEWEST or parameters.citer <= later:
        return False
    factor = min(parameters.cpos_rej, parameters.cneg_rej)
    if later:
        return (n - 1) / math.sqrt(n) > factor
    return factor * max(0.0, 1 - SHARES[0] * (n - 1)) / 2 < 1


@functools.cache
def find_kernels(name: KernelName | None = None) -> Any:
    """Return the module of the kernels: that with numba unless told otherwise, or where numba does not work."""
    if name is None:
        try:
            return find_kernels("numba")
        except ImportError:
            name = "numpy"
    return importlib.import_module(f"napari_kmos.combine._{name}_kernels")


def _columns(values: Floats, noise: Floats, weights: NDArray[np.float64] | None, kernels: Any) -> _Columns:
    """Columns as the kernels want them; to take out the few without values would take longer than to merge them."""
    exists = np.isfinite(values)
    if weights is None:
        exists &= np.isfinite(noise) & (noise > 0)
        values, noise = np.where(exists, values, np.nan), np.where(exists, noise, 1)
    dtype = np.result_type(values, np.float32)
    values, noise = (np.ascontiguousarray(array, dtype=dtype) for array in (values, noise))
    return _Columns(values, noise, weights, count_rows(exists), kernels)


def _average(columns: _Columns, parameters: CombineParameters) -> Used:
    """Mean of the values there are."""
    return columns.mean()


def _sum(columns: _Columns, parameters: CombineParameters) -> Used:
    """Sum of the values there are: where an exposure has no data, the sum is that of the others."""
    mean, noise, used = columns.mean()
    return mean * used, noise * used, used


def _median(columns: _Columns, parameters: CombineParameters) -> Used:
    """Median; its variance is that of the mean times pi / 2 for many values, with the exact factor for few."""
    ordered = columns.kernels.sort_columns(columns.values)
    low, high = (np.take_along_axis(ordered, (columns.count[None] - down) // 2, axis=0)[0] for down in (1, 0))
    _, noise, used = columns.mean()
    with np.errstate(invalid="ignore"):  # infinity where there are no values
        middle = low + (high.astype(np.float64) - low) / 2
    return middle, noise * np.sqrt(_median_factor(len(ordered))[columns.count]), used


def _min_max(columns: _Columns, parameters: CombineParameters) -> Used:
    """Mean without the ``cmin`` smallest and ``cmax`` largest values; NaN where nothing would be left.

    What is left knows its rank, and scatters less than as many values taken at random: the variance allows for it.
    """
    left = np.where(np.isfinite(columns.values), columns.values, np.nan)
    for extreme, number in ((np.fmin, parameters.cmin), (np.fmax, parameters.cmax)):
        for _ in range(number):
            first = np.argmax(left == extreme.reduce(left, axis=0), axis=0)
            np.put_along_axis(left, first[None], np.nan, axis=0)
    mean, noise, used = columns.mean(values=left)
    factor = np.zeros(len(left) + 1)
    for number in _numbers(columns.count):
        factor[number] = _trimming_factor(number, parameters.cmin, parameters.cmax)
    return mean, noise * np.sqrt(factor[columns.count]), used


def _ksigma(columns: _Columns, parameters: CombineParameters) -> Used:
    """Mean without outliers, rejected ``citer`` times; equal weights for what is an outlier.

    Rejected is what lies above centre + ``cpos_rej`` * spread or below centre - ``cneg_rej`` * spread. The first time
    centre and spread are the median and half the distance of the percentiles 15.9 and 84.1, then mean and standard
    deviation of what is left.
    """
    n = len(columns.values)
    if not can_reject(n, parameters):
        return columns.mean()
    passes = parameters.citer if can_reject(n, parameters, later=True) else 1
    clipping = Clipping(parameters.cneg_rej, parameters.cpos_rej, passes)
    bounds = columns.kernels.clip_bounds(columns.values, clipping)
    mean, noise, used = columns.mean(bounds=bounds)
    clipped = np.flatnonzero(used < columns.count)
    count, left = columns.count[clipped], used[clipped].astype(np.intp)
    far = count - _count_near(columns.values.take(clipped, axis=1), bounds.take(clipped, axis=1))
    for number in _numbers(count):
        which = count == number
        noise[clipped[which]] *= np.sqrt(_clipping_factor(number, clipping)[far[which], left[which]])
    return mean, noise, used


_METHODS: Mapping[str, Callable[[_Columns, CombineParameters], Used]] = MappingProxyType(
    {"ksigma": _ksigma, "average": _average, "median": _median, "sum": _sum, "min_max": _min_max}
)
#: Names of the methods, as in `kmos_combine`.
COMBINE_METHODS = tuple(_METHODS)


def _numbers(count: NDArray[np.integer[Any]]) -> list[int]:
    """Which numbers occur: quicker than to sort for them."""
    found: list[int] = np.flatnonzero(np.bincount(count)).tolist()
    return found


def _median_factor(n: int) -> Floats:
    """Variance of the median over that of the mean, for 0 to n values."""
    number = np.arange(n + 1)
    many = np.pi / 2 * (1 - np.where(number % 2, 0.434, 1.25) / np.maximum(number, 1))
    many[: len(_MEDIAN_VARIANCE)] = _MEDIAN_VARIANCE[: n + 1]
    return many


@functools.cache
def _trimming_factor(n: int, cmin: int, cmax: int) -> float:
    """Variance of the mean of n values without extremes, over that of a mean of as many; by simulation."""
    if n <= cmin + cmax:
        return np.nan
    ordered = np.sort(_normal(n), axis=0)
    return float(ordered[cmin : n - cmax].mean(axis=0).var() * (n - cmin - cmax))


def _count_near(values: Floats, bounds: NDArray[np.float64]) -> NDArray[np.integer[Any]]:
    """Count what is within twice the bounds: of many values, chance puts none farther out."""
    margin = (bounds[1] - bounds[0]) / 2
    return count_rows((values >= bounds[0] - margin) & (values <= bounds[1] + margin))


@functools.cache
def _clipping_factor(n: int, clipping: Clipping) -> NDArray[np.float64]:
    """Variance of the mean of k of n values after clipping, over that of a mean of as many, shape (n + 1, n + 1).

    By how many values are far out, and by k. From a simulation of how far clipping moves the mean: that of all values
    does not depend on their distances from it, by which they are clipped, and has the variance 1 / n. What is too rare
    to be chance was rightly rejected, and what is left in the middle counts as no better than values taken at random.
    """
    values = _normal(n)
    bounds = _numpy_kernels.clip_bounds(values, clipping)
    mean, _, used = _numpy_kernels.sum_columns(values, np.ones_like(values), np.ones(n), bounds)
    case = (n - _count_near(values, bounds)) * (n + 1) + used
    moved = np.nan_to_num(mean - values.mean(axis=0))
    number, square = (np.bincount(case, each, (n + 1) ** 2).reshape(n + 1, -1) for each in (None, moved**2))
    factor = np.arange(n + 1) * (1 / n + square / np.maximum(number, 1))
    return np.where(number > _RARE * _SIMULATED, np.maximum(factor, 1), 1.0)


def _normal(n: int) -> NDArray[np.float64]:
    """Columns of n normal values, always the same."""
    return np.random.default_rng(0).standard_normal((n, _SIMULATED))
