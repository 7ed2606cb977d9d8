"""Positions of exposures from the offsets of all pairs of them: least squares over a network, wrong pairs left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

_ITERATIONS = 20
#: A residual of so many standard deviations halves the weight of a pair.
_TAIL_SIGMA = 3.0
#: Scatter of pairs is counted as if so many of the expected one had been seen before.
_PRIOR_CLOSURES = 4.0
#: Pairs share at least this part of the variance with others of the same exposure, in simulations.
_LEAST_SHARED = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """What a pair of exposures says.

    Parameters
    ----------
    first, second : int
        Exposures, 0-based.
    shift : tuple of float
        Offset of the second one less that of the first, (east, north) in arcsec.
    err_arcsec : float
        1 sigma of each.
    weight : float
        How much is believed that the pair is no mistake, such as the evidence of its match.
    """

    first: int
    second: int
    shift: tuple[float, float]
    err_arcsec: float
    weight: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """Solved positions.

    Parameters
    ----------
    offsets : ndarray, shape (n, 2)
        (East, north) in arcsec; NaN where nothing ties an exposure to a fixed one.
    err_arcsec : ndarray, shape (n,)
        1 sigma of each coordinate.
    is_used : ndarray of bool
        For each tie whether it agrees with the rest.
    """

    offsets: Floats
    err_arcsec: Floats
    is_used: Bools


def solve_network(number: int, ties: Sequence[Tie], *, fixed: Sequence[int], agreement_arcsec: float) -> Network:
    """Solve the ties between exposures for their positions.

    Parameters
    ----------
    number : int
        Exposures.
    ties : sequence of Tie
        Pairs that were matched.
    fixed : sequence of int
        Exposures whose offset is zero.
    agreement_arcsec : float
        A tie that misses the rest by more contradicts it and is left out.

    Returns
    -------
    Network
        Positions of all exposures that are tied, at first hand or through others, to a fixed one.

    Notes
    -----
    The start is the tree of the ties that are believed most (Kruskal 1956); from there reweighted least squares. What
    two pairs that share an exposure have in common, such as its noise, closes every loop and is not seen in the scatter
    of the ties; what part of their errors that is follows from the scatter, and is not averaged away.
    """
    start = _along_tree(number, ties, fixed)
    is_tied = np.isfinite(start[:, 0])
    shifts = np.array([tie.shift for tie in ties]).reshape(-1, 2)
    ends = np.array([(tie.first, tie.second) for tie in ties], dtype=int).reshape(-1, 2)
    errors = np.array([tie.err_arcsec for tie in ties], dtype=float)
    free = np.setdiff1d(np.flatnonzero(is_tied), fixed)
    offsets, used = start, np.zeros(len(ties), dtype=bool)
    for _ in range(_ITERATIONS):
        misses = np.hypot(*(offsets[ends[:, 1]] - offsets[ends[:, 0]] - shifts).T)
        used = misses <= agreement_arcsec
        weights = np.where(used, 1 / errors**2 / (1 + (misses / errors / _TAIL_SIGMA) ** 2), 0.0)
        design = _design(ends, free, number)
        inverse = np.asarray(np.linalg.pinv(design.T @ (weights[:, None] * design)))
        found = offsets.copy()
        found[free] = inverse @ (design.T @ (weights[:, None] * np.nan_to_num(shifts)))
        if np.allclose(found[free], offsets[free], atol=1e-6):
            break
        offsets = found
    scatter = _scatter(misses[used] / errors[used], int(used.sum()) - free.size)
    variance = np.where(is_tied, 0.0, np.nan)
    variance[free] = scatter * np.diag(inverse)
    for one in free:
        own = errors[used & (ends == one).any(axis=1)]
        variance[one] += max(_LEAST_SHARED, 1 - scatter) * float(np.median(own**2)) if own.size else 0.0
    return Network(offsets=offsets, err_arcsec=np.sqrt(variance), is_used=used)


def _along_tree(number: int, ties: Sequence[Tie], fixed: Sequence[int]) -> Floats:
    """Positions by the strongest ties alone."""
    group, chosen = list(range(number)), []
    for one in fixed:
        group[one] = fixed[0]
    for tie in sorted(ties, key=lambda one: -one.weight):
        first, second = group[tie.first], group[tie.second]
        if first != second:
            group = [first if one == second else one for one in group]
            chosen.append(tie)
    offsets = np.full((number, 2), np.nan)
    offsets[list(fixed)] = 0.0
    for _ in range(number):
        for tie in chosen:
            if np.isnan(offsets[tie.second, 0]):
                offsets[tie.second] = offsets[tie.first] + tie.shift
            elif np.isnan(offsets[tie.first, 0]):
                offsets[tie.first] = offsets[tie.second] - tie.shift
    return offsets


def _design(ends: NDArray[np.int_], free: NDArray[np.intp], number: int) -> Floats:
    """Matrix from the positions of the free exposures to the shifts of the ties."""
    full = np.zeros((len(ends), number))
    rows = np.arange(len(ends))
    full[rows, ends[:, 1]] = 1.0
    full[rows, ends[:, 0]] = -1.0
    return full[:, free]


def _scatter(residuals: Floats, redundant: int) -> float:
    """Mean square of the residuals over what is expected of independent ties."""
    return float((np.sum(residuals**2) + 2 * _PRIOR_CLOSURES) / (2 * redundant + 2 * _PRIOR_CLOSURES))
