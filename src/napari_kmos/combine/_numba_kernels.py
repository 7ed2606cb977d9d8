"""The kernels that merge, compiled: columns side by side in the lanes of the processor.

The functions of `napari_kmos.combine._numpy_kernels`, by the same operations and so with the same numbers to rounding.
Nothing is compiled with ``fastmath``, which would take NaN for a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numba
import numpy as np

from napari_kmos.combine._clipping import FAR, comparators, quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine._clipping import Clipping
    from napari_kmos.combine._numpy_kernels import Bounds, Floats, Sums

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Columns at a time: some vectors of the widest processors; all that is known of them fits the fastest cache.
_LANES = 64


def sort_columns(values: Floats) -> Floats:
    """Return the values in order along the first axis, infinity for each that is not finite."""
    return _sorted(values)[0]


def clip_bounds(values: Floats, clipping: Clipping) -> Bounds:
    """Return the lowest and the highest value to keep of each column, shape (2, m)."""
    ordered, count = _sorted(values)
    bounds, centre = np.empty((2, values.shape[1])), np.empty(values.shape[1])
    limits = bounds[0], bounds[1]
    _first_bounds(limits, centre, ordered, count, quantiles(len(values)), clipping)
    for _ in range(1, clipping.passes):
        number, total, square = np.zeros((3, values.shape[1]))
        _add_moments((number, total, square), ordered, limits, centre)
        _next_bounds(limits, (number, total, square), centre, count, clipping)
    return bounds


def sum_columns(values: Floats, noise: Floats, weights: NDArray[np.float64] | None, bounds: Bounds) -> Sums:
    """Return weighted mean, its noise, and the number of values within the bounds, of each column.

    Weights of shape (n,); without them, those of the inverse variance.
    """
    used, total, mean, square = np.zeros((4, values.shape[1]))
    given = np.zeros(len(values)) if weights is None else weights
    _add(used, (total, mean, square), (values, noise), given, (bounds[0], bounds[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean / total, np.sqrt(square) / total, used


def _sorted(values: Floats) -> tuple[Floats, NDArray[np.int32]]:
    """Values in order, and how many there are."""
    ordered, count = np.empty_like(values), np.zeros(values.shape[1], dtype=np.int32)
    _sort(ordered, count, values, comparators(len(values)))
    return ordered, count


def _compiled(function: _Function) -> _Function:
    """Compile on the first call, and keep the result on the disk if there is a place for it."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    try:
        compiled: _Function = numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder that can be written to
        compiled = numba.njit(function, **options)
    return compiled


@_compiled
def _sort(ordered: Any, count: Any, values: Any, pairs: Any) -> None:
    """Copy the values, infinity for what is not finite, count the others, and sort by a network."""
    for row in range(len(values)):
        for lane in range(len(count)):
            value = values[row, lane]
            there = np.isfinite(value)
            ordered[row, lane] = value if there else np.inf
            count[lane] += there
    for pair in range(len(pairs)):
        lower, upper = ordered[pairs[pair, 0]], ordered[pairs[pair, 1]]
        for lane in range(len(count)):
            one, other = lower[lane], upper[lane]
            lower[lane] = one if one < other else other
            upper[lane] = other if one < other else one


@_compiled
def _first_bounds(bounds: Any, centre: Any, ordered: Any, count: Any, positions: Any, clipping: Any) -> None:
    """Bounds by the median and half the distance of the percentiles."""
    low, high = bounds
    indices, fractions = positions
    for lane in range(len(low)):
        number = count[lane]
        below, above = np.float64(ordered[indices[number, 0], lane]), np.float64(ordered[indices[number, 1], lane])
        lower = below + (above - below) * fractions[number, 0]
        below, above = np.float64(ordered[indices[number, 2], lane]), np.float64(ordered[indices[number, 3], lane])
        middle = below + (above - below) * fractions[number, 1]
        below, above = np.float64(ordered[indices[number, 4], lane]), np.float64(ordered[indices[number, 5], lane])
        spread = (below + (above - below) * fractions[number, 2] - lower) / 2
        margin = clipping.rounding * (abs(middle) + spread)
        centre[lane] = middle
        low[lane] = middle - clipping.low * spread - margin if number >= clipping.fewest else -FAR
        high[lane] = middle + clipping.high * spread + margin if number >= clipping.fewest else FAR


@_compiled
def _add_moments(sums: Any, ordered: Any, bounds: Any, centre: Any) -> None:
    """Count what lies within the bounds, and sum distances to the centre and their squares."""
    number, total, squares = sums
    low, high = bounds
    for row in range(len(ordered)):
        values = ordered[row]
        for lane in range(len(low)):
            value = np.float64(values[lane])
            inside = (value >= low[lane]) & (value <= high[lane])
            away = value - centre[lane] if inside else 0.0
            number[lane] += 1.0 if inside else 0.0
            total[lane] += away
            squares[lane] += away * away


@_compiled
def _next_bounds(bounds: Any, sums: Any, centre: Any, count: Any, clipping: Any) -> None:
    """Narrow bounds by mean and standard deviation."""
    low, high = bounds
    number, total, square = sums
    for lane in range(len(low)):
        shift = total[lane] / number[lane]
        squares = max(square[lane] - shift * total[lane], 0.0)
        spread = math.sqrt(squares / max(number[lane] - 1, 1.0))
        mean = centre[lane] + shift
        margin = clipping.rounding * (abs(mean) + spread)
        lower, upper = mean - clipping.low * spread - margin, mean + clipping.high * spread + margin
        clips = count[lane] >= clipping.fewest
        low[lane] = max(low[lane], lower) if clips else low[lane]
        high[lane] = min(high[lane], upper) if clips else high[lane]


@_compiled
def _add(used: Any, sums: Any, data: Any, weights: Any, bounds: Any) -> None:
    """Count, and sum w, w v and w² s², within the bounds; w of zero stands for 1 / s²."""
    total, mean, square = sums
    values, noise = data
    low, high = bounds
    for row in range(len(values)):
        given = weights[row]
        for lane in range(len(used)):
            value, error = np.float64(values[row, lane]), np.float64(noise[row, lane])
            inside = (value >= low[lane]) & (value <= high[lane])
            weight = given if given != 0 else 1 / (error * error)
            used[lane] += 1.0 if inside else 0.0
            total[lane] += weight if inside else 0.0
            mean[lane] += weight * value if inside else 0.0
            square[lane] += (weight * error) * (weight * error) if inside else 0.0
