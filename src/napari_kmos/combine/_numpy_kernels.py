"""The kernels that merge in plain numpy, for where numba is not installed; see `napari_kmos.combine._numba_kernels`.

They sort by a network of minima and maxima, and multiply by masks: many times quicker than to sort each column and to
choose by masks, as long as a block of columns fits the cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_kmos.combine._clipping import FAR, comparators, quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine._clipping import Clipping

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Bounds: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]
    Sums: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]


def sort_columns(values: Floats) -> Floats:
    """Return the values in order along the first axis, infinity for each that is not finite."""
    rows = list(_filled(values, np.isfinite(values), np.inf, values.dtype))
    spare = np.empty_like(rows[0])
    for low, high in comparators(len(values)).tolist():
        one, other = rows[low], rows[high]
        np.minimum(one, other, out=spare)
        np.maximum(one, other, out=other)
        rows[low], spare = spare, one
    return np.array(rows)


def clip_bounds(values: Floats, clipping: Clipping) -> Bounds:
    """Return the lowest and the highest value to keep of each column, shape (2, m)."""
    there = np.isfinite(values)
    count = count_rows(there)
    filled = _filled(values, there, FAR)
    with np.errstate(invalid="ignore", divide="ignore"):
        lower, centre, upper = _quantiles(sort_columns(values), count)
        bounds = _limits(centre, (upper - lower) / 2, clipping)
        before = count + 1
        for _ in range(1, clipping.passes):
            inside = _inside(filled, bounds)
            number = count_rows(inside)
            columns = np.flatnonzero(number < before)
            before = number
            where = slice(None) if len(columns) == len(count) else columns
            away = (filled[:, where] - centre[where]) * inside[:, where]
            limits = _limits(*_moments(away, number[where], centre[where]), clipping)
            bounds[0, where] = np.fmax(bounds[0, where], limits[0])
            bounds[1, where] = np.fmin(bounds[1, where], limits[1])
    bounds[:, count < clipping.fewest] = [[-FAR], [FAR]]
    return bounds


def sum_columns(values: Floats, noise: Floats, weights: NDArray[np.float64] | None, bounds: Bounds) -> Sums:
    """Return weighted mean, its noise, and the number of values within the bounds, of each column.

    Weights of shape (n,); without them, those of the inverse variance.
    """
    inside = _inside(values.astype(np.float64), bounds)
    filled = _filled(values, np.isfinite(values), 0.0)
    errors = _filled(noise, inside | np.isfinite(noise), 1.0)
    weight = inside.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight *= errors**-2 if weights is None else weights[:, None]
        total = weight.sum(axis=0)
        filled *= weight
        errors *= weight
        errors *= errors
        return filled.sum(axis=0) / total, np.sqrt(errors.sum(axis=0)) / total, count_rows(inside)


def _filled(values: Floats, keep: Bools, filling: float, dtype: Any = np.float64) -> Floats:
    """Copy with a filling for what is not kept; most blocks keep all, which is quicker."""
    filled: Floats = values.astype(dtype)
    if not keep.all():
        np.copyto(filled, filling, where=~keep)
    return filled


def _inside(filled: Floats, bounds: Bounds) -> Bools:
    """Where the values lie within the bounds."""
    inside: Bools = filled >= bounds[0]
    inside &= filled <= bounds[1]
    return inside


def count_rows(mask: Bools) -> NDArray[np.integer[Any]]:
    """Count along the columns; few rows in bytes, which is ten times quicker."""
    if len(mask) > np.iinfo(np.int8).max:
        return np.asarray(mask.sum(axis=0))
    return np.asarray(mask.view(np.int8).sum(axis=0, dtype=np.int8).astype(np.intp))


def _quantiles(ordered: Floats, count: NDArray[np.integer[Any]]) -> list[Bounds]:
    """Lower percentile, median and upper percentile of each column."""
    indices, fractions = quantiles(len(ordered))
    number = count[0] if (count == count[0]).all() else count
    found = []
    for which in range(3):
        below, above = (
            _take(ordered, indices[number, place]).astype(np.float64) for place in (2 * which, 2 * which + 1)
        )
        found.append(below + (above - below) * fractions[number, which])
    return found


def _take(ordered: Floats, index: Any) -> Floats:
    """One value of each column: all of one row, or each of its own."""
    if np.ndim(index) == 0:
        return np.asarray(ordered[index])
    return np.asarray(np.take_along_axis(ordered, index[None], axis=0)[0])


def _moments(away: Bounds, number: NDArray[np.integer[Any]], centre: Bounds) -> tuple[Bounds, Bounds]:
    """Mean and standard deviation from distances to the centre, zero for what is not kept."""
    total = away.sum(axis=0)
    shift = total / number
    squares = np.maximum(np.multiply(away, away, out=away).sum(axis=0) - shift * total, 0)
    return centre + shift, np.sqrt(squares / np.maximum(number - 1, 1))


def _limits(centre: Bounds, spread: Bounds, clipping: Clipping) -> Bounds:
    """Where rejection begins, beyond what is rounding."""
    margin = clipping.rounding * (np.abs(centre) + spread)
    return np.stack([centre - clipping.low * spread - margin, centre + clipping.high * spread + margin])
