"""How overlapping values become one: the methods of `kmos_combine`, vectorised, with their noise.

Each takes values and variances of shape (n_exposures, m), NaN where there is none, and returns value and variance of
shape (m,). The variance is propagated from the values that were used; where a method chooses them by rank, it is that
of normal values of equal variance. It is NaN where one of them has no known variance. No values give NaN.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.parameters import CombineParameters

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

#: Percentiles one standard deviation from the median of a normal distribution.
_PERCENTILES = (0.15865525, 0.84134475)
#: Rounding must not reject values that are equal.
_ROUNDING = 1e-12
#: Variance of the median over that of the mean of n normal values, for n = 0 to 10; by integration.
_MEDIAN_VARIANCE = np.array([np.nan, 1, 1, 1.3460, 1.1928, 1.4342, 1.2885, 1.4731, 1.3455, 1.4949, 1.3834])

#: Simulated values for the variance of trimmed means: 1 % of it.
_SIMULATED = 20000


class Combiner(Protocol):
    """What a method of `COMBINE_METHODS` is."""

    def __call__(self, values: Floats, variance: Floats, parameters: CombineParameters, /) -> tuple[Floats, Floats]:
        """Merge values of shape (n, m) into shape (m,), with their variance."""


def average(values: Floats, variance: Floats, parameters: CombineParameters) -> tuple[Floats, Floats]:
    """Mean of the values there are."""
    return _mean(values, variance, np.isfinite(values))


def total(values: Floats, variance: Floats, parameters: CombineParameters) -> tuple[Floats, Floats]:
    """Sum of the values there are: where an exposure has no data, the sum is that of the others."""
    keep = np.isfinite(values)
    exists = keep.any(axis=0)
    summed = np.where(keep, values, 0).sum(axis=0)
    return np.where(exists, summed, np.nan), np.where(exists, np.where(keep, variance, 0).sum(axis=0), np.nan)


def median(values: Floats, variance: Floats, parameters: CombineParameters) -> tuple[Floats, Floats]:
    """Median; its variance is that of the mean times pi / 2 for many values, with the exact factor for few."""
    keep = np.isfinite(values)
    count = keep.sum(axis=0)
    ordered = np.sort(values, axis=0)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.where(count > 0, np.minimum(high, len(values) - 1), 0)
    middle = (_take(ordered, low) + _take(ordered, high)) / 2
    return middle, _mean(values, variance, keep)[1] * _median_factor(len(values))[count]


def min_max(values: Floats, variance: Floats, parameters: CombineParameters) -> tuple[Floats, Floats]:
    """Mean without the ``cmin`` smallest and ``cmax`` largest values; NaN where nothing would be left.

    What is left knows its rank, and scatters less than as many values taken at random: the variance allows for it.
    """
    count = np.isfinite(values).sum(axis=0)
    rank = np.empty(values.shape, dtype=np.intp)
    np.put_along_axis(rank, np.argsort(values, axis=0), np.arange(len(values))[:, None], axis=0)
    keep = (rank >= parameters.cmin) & (rank < count - parameters.cmax)
    mean, spread = _mean(values, variance, keep)
    numbers, which = np.unique(count, return_inverse=True)
    factor = [_trimming_factor(int(number), parameters.cmin, parameters.cmax) for number in numbers]
    return mean, spread * np.array(factor)[which]


def ksigma(values: Floats, variance: Floats, parameters: CombineParameters) -> tuple[Floats, Floats]:
    """Mean without outliers, rejected ``citer`` times.

    Rejected is what lies above centre + ``cpos_rej`` * spread or below centre - ``cneg_rej`` * spread. The first time
    centre and spread are the median and half the distance of the percentiles 15.9 and 84.1, then mean and standard
    deviation of what is left. Fewer than four values cannot reject any at the default of 3.
    """
    keep = np.isfinite(values)
    for iteration in range(parameters.citer if len(values) > 2 else 0):
        centre, spread = _quantiles(values, keep) if iteration == 0 else _moments(values, keep)
        spread = np.maximum(spread, _ROUNDING * np.abs(centre))
        with np.errstate(invalid="ignore"):
            inside = values <= centre + parameters.cpos_rej * spread
            inside &= values >= centre - parameters.cneg_rej * spread
        before, keep = keep, keep & inside
        if iteration and np.array_equal(before, keep):
            break
    return _mean(values, variance, keep)


#: The methods by their name in `kmos_combine`.
COMBINE_METHODS: Mapping[str, Combiner] = MappingProxyType(
    {"ksigma": ksigma, "average": average, "median": median, "sum": total, "min_max": min_max}
)


def _mean(values: Floats, variance: Floats, keep: Bools) -> tuple[Floats, Floats]:
    """Mean and its variance of the values to keep."""
    count = keep.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(keep, values, 0).sum(axis=0) / count
        spread = np.where(keep, variance, 0).sum(axis=0) / count**2
    return mean, spread


def _moments(values: Floats, keep: Bools) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the values to keep; no spread for a single one."""
    count = keep.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(keep, values, 0).sum(axis=0) / count
        squares = np.where(keep, (values - mean) ** 2, 0).sum(axis=0)
    return mean, np.sqrt(squares / np.maximum(count - 1, 1))


def _quantiles(values: Floats, keep: Bools) -> tuple[Floats, Floats]:
    """Median, and half the distance of the percentiles at one standard deviation on both sides."""
    ordered = np.sort(np.where(keep, values, np.nan), axis=0)
    last = np.maximum(keep.sum(axis=0) - 1, 0)
    low, middle, high = (_level(ordered, share * last) for share in (_PERCENTILES[0], 0.5, _PERCENTILES[1]))
    return middle, (high - low) / 2


def _level(ordered: Floats, position: Floats) -> Floats:
    """Value at a fractional position in ordered values, linearly interpolated."""
    lower = position.astype(np.intp)
    fraction = position - lower
    upper = np.minimum(lower + (fraction > 0), len(ordered) - 1)
    return _take(ordered, lower) * (1 - fraction) + _take(ordered, upper) * fraction


def _take(ordered: Floats, index: NDArray[np.intp]) -> Floats:
    """One value of each column."""
    return np.asarray(np.take_along_axis(ordered, index[None], axis=0)[0])


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
    ordered = np.sort(np.random.default_rng(0).standard_normal((n, _SIMULATED)), axis=0)
    return float(ordered[cmin : n - cmax].mean(axis=0).var() * (n - cmin - cmax))
