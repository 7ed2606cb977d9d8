"""By what factor one cube is brighter than another of the same light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.lazy import read_piece
from napari_kmos.spectral.nan import robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube

#: Error of a median of normal values over that of their mean.
_MEDIAN_ERROR = math.sqrt(math.pi / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A factor and its error, 1 sigma; NaN where it could not be measured."""

    value: float = 1.0
    error: float = 0.0

    def __mul__(self, other: Ratio) -> Ratio:
        """Return the product of independent factors."""
        value = self.value * other.value
        error = abs(value) * math.hypot(self.error / self.value, other.error / other.value)
        return Ratio(value=value, error=error)

    def inverse(self) -> Ratio:
        """Return one over it."""
        return Ratio(value=1 / self.value, error=self.error / self.value**2)


def measure_ratio(first: Cube, second: Cube, place: int, reach: int) -> Ratio:
    """Measure the flux of one cube over that of another between two planes.

    Parameters
    ----------
    first, second : Cube
        Of the same spaxels, in memory or lazy; a plane of each is read at a time.
    place : int
        The plane behind.
    reach : int
        Planes on each side that are used, as far as the cubes have them.

    Returns
    -------
    Ratio
        Of each plane the median of the ratios in its spaxels, weighted with the square of their light: a few bad ones
        do not count for it, dark ones hardly. Through these goes a straight line over the planes by the median slope
        of all pairs; its value between the two planes is the ratio, with an error from the scatter about it. NaN if
        fewer than three planes have common data.
    """
    planes = np.arange(max(place - reach, 0), min(place + reach, first.shape[0]))
    pairs = ((read_piece(cube.flux, (slice(k, k + 1),)) for cube in (first, second)) for k in planes.tolist())
    ratios = np.array([_plane_ratio(*pair) for pair in pairs])
    there = np.isfinite(ratios)
    return _value_at_zero(planes[there] - (place - 0.5), ratios[there])


def chain_ratios(ratios: Sequence[Ratio], reference: int) -> list[Ratio]:
    """Return what brings each cube to the level of one of them, 0-based, from the ratios of each to the next."""
    levels = [Ratio()] * (len(ratios) + 1)
    for number in range(reference + 1, len(levels)):
        levels[number] = levels[number - 1] * ratios[number - 1]
    for number in reversed(range(reference)):
        levels[number] = levels[number + 1] * ratios[number].inverse()
    return levels


def _plane_ratio(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Median of the ratios in a plane, each weighted with the product of the two values, where that is positive.

    The median minds no outlier. Exchanging the cubes gives the inverse: independent noise, if there is any, does not
    bias it, as it does the slope of a line fitted to one as a function of the other.
    """
    product = first.astype(float) * second
    used = product > 0
    if not used.any():
        return math.nan
    ratios = first[used].astype(float) / second[used]
    order = np.argsort(ratios)
    weight = np.cumsum(product[used][order])
    return float(ratios[order[np.searchsorted(weight, 0.5 * weight[-1])]])


def _value_at_zero(x: NDArray[Any], y: NDArray[Any]) -> Ratio:
    """Value and error at zero of a straight line by the medians of Theil (1950) and Sen (1968)."""
    if len(x) < 3:
        return Ratio(value=math.nan, error=math.nan)
    one, two = np.triu_indices(len(x), 1)
    levels = y - x * np.median((y[two] - y[one]) / (x[two] - x[one]))
    lever = x.mean() ** 2 / x.var()
    return Ratio(
        value=float(np.median(levels)),
        error=_MEDIAN_ERROR * robust_sigma(levels) * math.sqrt((1 + lever) / len(x)),
    )
