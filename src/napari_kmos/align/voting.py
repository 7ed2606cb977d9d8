"""Shifts between two lists of places on which many pairs agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter
from scipy.stats import poisson

from napari_kmos.align.star_pairs import pair_stars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Pairs are counted in cells of this part of the radius, over three by three of them.
_CELL = 2 / 3
_ROUNDS = 5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Vote:
    """A shift, and the pairs that agree on it.

    Parameters
    ----------
    shift : tuple of float
        What has to be added to the places of the first list.
    pairs : ndarray of int, shape (n_pairs, 2)
        Rows of the first list and of the second, each at most once.
    evidence : float
        Logarithm of the odds against so many pairs by chance anywhere within reach.
    rms : float
        Root mean square of the distances of the pairs that are left; NaN without one.
    """

    shift: tuple[float, float]
    pairs: NDArray[np.intp]
    evidence: float
    rms: float


def vote(first: Floats, second: Floats, *, reach: float, radius: float, number: int) -> list[Vote]:
    """Return the shifts on which most pairs agree, that with most evidence first.

    Parameters
    ----------
    first, second : ndarray, shapes (n, 2) and (m, 2)
        Places in one unit.
    reach : float
        Largest shift in each axis.
    radius : float
        Pairs closer than this agree.
    number : int
        How many shifts are tried.
    """
    counts = count_pairs(first, second, reach=reach, radius=radius)
    peaks = np.argwhere((counts == maximum_filter(counts, 5)) & (counts > 0))
    order = np.argsort(-counts[peaks[:, 0], peaks[:, 1]], kind="stable")[:number]
    starts = (peaks[order] - (np.array(counts.shape) - 1) / 2) * _CELL * radius
    votes = [settle(first, second, start, reach=reach, radius=radius) for start in starts]
    return sorted(votes, key=lambda one: -one.evidence)


def count_pairs(first: Floats, second: Floats, *, reach: float, radius: float) -> Floats:
    """Count the pairs near each shift, on a grid of cells about shift zero, shape (n_cells, n_cells)."""
    cell = _CELL * radius
    n_half = int(np.ceil(reach / cell))
    limits = (np.arange(2 * n_half + 2) - n_half - 0.5) * cell
    apart = (second[None] - first[:, None]).reshape(-1, 2)
    apart = apart[np.abs(apart).max(axis=1, initial=0.0) <= reach]
    counts, *_ = np.histogram2d(apart[:, 0], apart[:, 1], bins=(limits, limits))
    return np.asarray(np.round(uniform_filter(counts, 3, mode="constant") * 9))


def settle(first: Floats, second: Floats, shift: Floats, *, reach: float, radius: float) -> Vote:
    """Move a shift to the mean of the pairs that agree on it, until they are the same, and weigh them."""
    pairs = pair_stars(first + shift, second, radius=radius)
    for _ in range(_ROUNDS):
        if not len(pairs):
            break
        shift = np.mean(second[pairs[:, 1]] - first[pairs[:, 0]], axis=0)
        before, pairs = pairs, pair_stars(first + shift, second, radius=radius)
        if np.array_equal(before, pairs):
            break
    left = second[pairs[:, 1]] - first[pairs[:, 0]] - shift
    return Vote(
        shift=(float(shift[0]), float(shift[1])),
        pairs=pairs,
        evidence=evidence(len(pairs), (first + shift, second), reach=reach, radius=radius),
        rms=float(np.sqrt(np.mean(np.sum(left**2, axis=1)))) if len(pairs) else float("nan"),
    )


def evidence(n_pairs: int, lists: tuple[Floats, Floats], *, reach: float, radius: float, n_tries: float = 1.0) -> float:
    """Return the logarithm of the odds against so many pairs by chance, at any shift within reach.

    Parameters
    ----------
    n_pairs : int
        Pairs found.
    lists : (ndarray, ndarray)
        Both lists, shifted onto each other: what is near another list's star by chance is told by how dense it is.
    reach, radius : float
        As of `vote`.
    n_tries : float
        How many times as many shifts were tried, such as rotations.
    """
    first, second = lists
    if not (n_pairs and len(first) and len(second)):
        return 0.0
    low, high = second.min(axis=0) - radius, second.max(axis=0) + radius
    n_inside = int(np.all((first >= low) & (first <= high), axis=1).sum())
    by_chance = n_inside * len(second) * np.pi * radius**2 / float(np.prod(high - low))
    trials = n_tries * max(1.0, (2 * reach) ** 2 / (np.pi * radius**2))
    return float(max(0.0, -poisson.logsf(n_pairs - 1, by_chance) - np.log(trials)))
