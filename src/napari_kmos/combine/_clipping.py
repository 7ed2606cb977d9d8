"""What the two kinds of kernels have in common: the rules of clipping, a sorting network, where quantiles lie."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The percentiles one standard deviation from the median of a normal distribution, and the median.
SHARES = (0.15865525, 0.5, 0.84134475)
#: Columns with fewer values keep them all.
FEWEST = 3
#: The bound where nothing is rejected: within it all finite values lie.
FAR = float(np.finfo(np.float64).max)


class Clipping(NamedTuple):
    """How values are rejected; a tuple, so that compiled code takes it.

    Parameters
    ----------
    low, high : float
        How many standard deviations below and above the centre are kept.
    passes : int
        How often. The first takes median and percentiles, the others mean and standard deviation of what is left.
    fewest : int
        Columns with fewer values keep them all.
    rounding : float
        Part of the limit, and of the centre, by which a value may lie beyond: rounding rejects none, as of equal ones.
    """

    low: float
    high: float
    passes: int
    fewest: int = FEWEST
    rounding: float = 1e-12


@functools.cache
def comparators(n: int) -> NDArray[np.intp]:
    """Return the pairs (low, high) that Batcher's odd-even merge compares in turn to sort n values, shape (n_pairs, 2).

    Knuth, The Art of Computer Programming 3, 5.2.2, algorithm M. The order does not depend on the values: many columns
    are sorted together by minima and maxima alone.
    """
    pairs = []
    size = 1
    while size < n:
        step = size
        while step:
            pairs += [
                (first, first + step)
                for start in range(step % size, n - step, 2 * step)
                for first in range(start, min(start + step, n - step))
                if first // (2 * size) == (first + step) // (2 * size)
            ]
            step //= 2
        size *= 2
    return np.array(pairs, dtype=np.intp).reshape(-1, 2)


@functools.cache
def quantiles(n: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return between which of 0 to n ordered values the quantiles `SHARES` lie, and how far from the lower one.

    Returns
    -------
    indices : array of int, shape (n + 1, 6)
        Of the values below and above each quantile in turn; by the number of values.
    fractions : array, shape (n + 1, 3)
        Of the distance between the two.
    """
    position = np.maximum(np.arange(n + 1) - 1, 0)[:, None] * np.array(SHARES)
    below = position.astype(np.intp)
    fractions = position - below
    return np.stack([below, below + (fractions > 0)], axis=2).reshape(n + 1, 6), fractions
