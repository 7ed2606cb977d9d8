"""Positions of exposures from the offsets of pairs of them: least squares over a network, wrong pairs left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import nnls
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int_]

_ITERATIONS = 20
#: A residual of so many standard deviations halves the weight of a pair.
_TAIL_SIGMA = 3.0
#: Scatter of pairs is counted as if so many had been seen before, with this part of the variance that is expected.
_PRIOR_CLOSURES, _PRIOR_SCATTER = 4.0, 0.5
#: Exposures have this part of the variance of their pairs or more: what errors of pairs exceed their closures by, in
#: simulations of 3-45 stars a field.
_LEAST_OWN = 0.7
#: That an exposure has half of the variance of its pairs counts as so many more of them.
_HALVES = 0.3
#: Eigenvalues below this part of the largest are those of what nothing ties.
_UNTIED = 1e-10


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
        (East, north) in arcsec; NaN where nothing ties an exposure to a reference, unless headers are trusted.
    err_arcsec : ndarray, shape (n,)
        1 sigma of each coordinate; 0 for what is the only reference of those that it is tied to.
    is_tied : ndarray of bool, shape (n,)
        Whether it is a reference or tied to one, at first hand or through others.
    is_placed : ndarray of bool, shape (n,)
        Whether it is in the largest part that has a reference: how others lie to that only headers tell.
    is_used : ndarray of bool
        For each tie whether it agrees with the rest.
    """

    offsets: Floats
    err_arcsec: Floats
    is_tied: Bools
    is_placed: Bools
    is_used: Bools


def solve_network(
    number: int,
    ties: Sequence[Tie],
    *,
    references: Sequence[int],
    agreement_arcsec: float,
    header_arcsec: float = np.nan,
) -> Network:
    """Solve the ties between exposures for their positions.

    Parameters
    ----------
    number : int
        Exposures: of one field, or of many that overlap.
    ties : sequence of Tie
        Pairs that were matched.
    references : sequence of int
        Exposures whose headers are right on average: the mean of the offsets of those that are tied to each other is
        zero.
    agreement_arcsec : float
        A tie that misses the rest by more contradicts it and is left out.
    header_arcsec : float
        What any header is trusted to, 1 sigma in each axis: the mean offset of exposures that are tied to each other
        but to no reference is zero within it, and so is that of the references in all parts but the largest one, where
        nothing ties these to each other. NaN: nothing is known of them.

    Returns
    -------
    Network
        Positions of all exposures.

    Notes
    -----
    The start is the tree of the ties that are believed most (Kruskal 1956); from there reweighted least squares. Ties
    are so much better known than headers that headers decide only what ties leave open, the mean.

    The error of a pair is that of either exposure, by its noise and its PSF in a field of this form, and one of the
    pair. Those of exposures close every loop: they are neither seen in the scatter of the ties nor averaged away. That
    scatter tells how much of the variance is the pairs'; the rest is shared out among the exposures, by non-negative
    least squares, and an offset has both its own and its reference's.
    """
    ends = np.array([(tie.first, tie.second) for tie in ties], dtype=int).reshape(-1, 2)
    shifts = np.array([tie.shift for tie in ties]).reshape(-1, 2)
    errors = np.array([tie.err_arcsec for tie in ties], dtype=float)
    design, offsets = _design(ends, number), _along_tree(number, ties)
    for _ in range(_ITERATIONS):
        before = design @ offsets
        misses = np.hypot(*(before - shifts).T)
        used = misses <= agreement_arcsec
        weights = np.where(used, 1 / errors**2 / (1 + (misses / errors / _TAIL_SIGMA) ** 2), 0.0)
        inverse = np.asarray(np.linalg.pinv(design.T @ (weights[:, None] * design), rcond=_UNTIED, hermitian=True))
        offsets = inverse @ (design.T @ (weights[:, None] * shifts))
        if np.allclose(design @ offsets, before, atol=1e-6):
            break
    groups = connected_components(_adjacency(ends[used], number), directed=False)[1]
    scatter = _scatter(misses[used] / errors[used], int(used.sum()) - number + groups.max() + 1)
    own = max(_LEAST_OWN, 1 - scatter) * _own_variances(ends[used], errors[used], number)
    zero, is_tied, is_placed = _zero_points(groups, references)
    from_zero = np.eye(number) - zero
    variance = np.diag(from_zero @ (scatter * inverse + np.diag(own)) @ from_zero.T).copy()
    variance[~is_placed] += header_arcsec**2 * np.sum(zero**2, axis=1)[~is_placed]
    offsets = np.where(np.isfinite(variance)[:, None], from_zero @ offsets, np.nan)
    return Network(offsets=offsets, err_arcsec=np.sqrt(variance), is_tied=is_tied, is_placed=is_placed, is_used=used)


def _along_tree(number: int, ties: Sequence[Tie]) -> Floats:
    """Positions by the strongest ties alone; the first exposure of those that they tie is at zero."""
    group, offsets = np.arange(number), np.zeros((number, 2))
    for tie in sorted(ties, key=lambda one: -one.weight):
        first, second = group[tie.first], group[tie.second]
        if first != second:
            offsets[group == second] += offsets[tie.first] + tie.shift - offsets[tie.second]
            group[group == second] = first
    return offsets


def _design(ends: Ints, number: int) -> Floats:
    """Matrix from the positions of exposures to the shifts of the ties."""
    design, rows = np.zeros((len(ends), number)), np.arange(len(ends))
    design[rows, ends[:, 1]] = 1.0
    design[rows, ends[:, 0]] = -1.0
    return design


def _adjacency(ends: Ints, number: int) -> Bools:
    """Matrix of which exposures are tied to which."""
    is_tied = np.zeros((number, number), dtype=bool)
    is_tied[ends[:, 0], ends[:, 1]] = True
    return is_tied


def _zero_points(groups: Ints, references: Sequence[int]) -> tuple[Floats, Bools, Bools]:
    """Matrix from offsets to what is zero in the group of each; whether that has a reference, and is the largest so."""
    is_reference = np.isin(np.arange(groups.size), references)
    is_one = groups[:, None] == groups
    is_tied = (is_one & is_reference).any(axis=1)
    counted = is_one & (is_reference | ~is_tied)
    largest = groups[np.argmax(is_one.sum(axis=1) * is_tied)]
    return np.asarray(counted / counted.sum(axis=1, keepdims=True)), is_tied, is_tied & (groups == largest)


def _own_variances(ends: Ints, errors: Floats, number: int) -> Floats:
    """Variances of single exposures, the sums of two of which are about those of their pairs; 0 for one without."""
    has = [(ends == one).any(axis=1) for one in range(number)]
    typical = np.array([np.median(errors[own] ** 2) / 2 if own.any() else 1.0 for own in has])
    pairs = np.abs(_design(ends, number)) / errors[:, None] ** 2
    halves = _HALVES * np.diag(1 / typical)
    found, _ = nnls(np.vstack([pairs, halves]), np.concatenate([np.ones(len(ends)), np.full(number, _HALVES)]))
    return np.where([own.any() for own in has], found, 0.0)


def _scatter(residuals: Floats, redundant: int) -> float:
    """Mean square of the residuals over what is expected of independent ties."""
    expected = 2 * _PRIOR_CLOSURES * _PRIOR_SCATTER
    return float((np.sum(residuals**2) + expected) / (2 * redundant + 2 * _PRIOR_CLOSURES))
