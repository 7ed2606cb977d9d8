"""Noise against scatter: how far the values of overlapping exposures lie apart, in units of their noise.

Each value is compared with the mean of all exposures at its place. For values v of n exposures with noise s, v - mean
has the variance s² (1 - 2 / n) + sum(s²) / n². The median of the absolute value of v - mean over its standard deviation
is 0.6745 for normal values: its ratio to that is how many times the scatter is what the noise predicts. A median does
not see outliers, nor the few places where exposures differ for other reasons (cores of bright stars).

Distances are counted in bins: counts of blocks and exposures add up, and give the median of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

#: Fewer values than this at a place do not tell a scatter from which outliers stand out.
_FEWEST_EXPOSURES = 3
#: Bins of equal width in the logarithm of the distance, from 1e-4 to 1e4; within a bin the median is interpolated.
N_BINS = 1000
_FIRST, _LAST = np.log(1e-4), np.log(1e4)
#: Median of the absolute value of a normal variable of standard deviation 1.
_NORMAL_MEDIAN = 0.6744897501960817
#: Of fewer values the ratio is not told: of so many it is good to 4 %.
_MIN_VALUES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Scatter between exposures over the noise that is predicted for it.

    Parameters
    ----------
    ratio : float
        Of all values; NaN if there are too few places with three exposures or more.
    by_ifu : mapping of int to float
        Of the values of each IFU.
    """

    ratio: float
    by_ifu: Mapping[int, float]

    @classmethod
    def of(cls, counts: Counts, ifus: Sequence[int | None]) -> Scatter:
        """Return that of counted distances, shape (n_exposures, N_BINS), by the IFUs of the exposures."""
        numbers = sorted({ifu for ifu in ifus if ifu is not None})
        of_ifu = {number: counts[[ifu == number for ifu in ifus]].sum(axis=0) for number in numbers}
        return cls(ratio=_ratio(counts.sum(axis=0)), by_ifu={ifu: _ratio(each) for ifu, each in of_ifu.items()})

    def factor(self, ifu: int | None) -> float:
        """Return what the noise of an IFU is to be multiplied by: where its own is unknown that of all, and at last 1.

        What does not scatter at all, as copies of one exposure, tells no noise.
        """
        own = self.by_ifu.get(ifu, np.nan) if ifu is not None else np.nan
        return next((ratio for ratio in (own, self.ratio) if np.isfinite(ratio) and ratio > 0), 1.0)


def distances(values: NDArray[Any], noise: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far values lie from the mean along the first axis, in standard deviations of that difference.

    Parameters
    ----------
    values, noise : ndarray, shape (n_exposures, ...)
        NaN is no data.

    Returns
    -------
    ndarray, same shape
        NaN without data, and where there are fewer than three values.
    """
    there = np.isfinite(values) & (noise > 0) & np.isfinite(noise)
    number = np.count_nonzero(there, axis=0)
    value, variance = np.where(there, values, 0.0), np.square(np.where(there, noise, 0.0), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = value.sum(axis=0, dtype=np.float64) / number
        expected = variance * (1 - 2 / number) + variance.sum(axis=0) / number**2
        away: NDArray[np.float64] = np.abs(value - mean) / np.sqrt(expected)
    away[~(there & (number >= _FEWEST_EXPOSURES))] = np.nan
    return away


def count_distances(away: NDArray[np.float64]) -> Counts:
    """Return how many distances lie in each bin, shape (N_BINS,); NaN is left out."""
    known = away[np.isfinite(away)]
    with np.errstate(divide="ignore"):
        place = (np.log(known) - _FIRST) * (N_BINS / (_LAST - _FIRST))
    return np.bincount(np.clip(place, 0, N_BINS - 1).astype(np.intp), minlength=N_BINS)


def median_of(counts: Counts) -> float:
    """Return the median of counted distances; NaN of fewer than a thousand, which do not tell it."""
    total = counts.sum()
    if total < _MIN_VALUES:
        return np.nan
    until = np.cumsum(counts)
    which = int(np.searchsorted(until, total / 2))
    if which == 0:
        return 0.0
    inside = (total / 2 - until[which - 1]) / counts[which]
    return float(np.exp(_FIRST + (which + inside) * (_LAST - _FIRST) / N_BINS))


def _ratio(counts: Counts) -> float:
    """Median of counted distances over that of normal values."""
    return median_of(counts) / _NORMAL_MEDIAN
