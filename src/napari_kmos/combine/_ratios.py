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


def measure_ratio(first: Cube, second: Cube, planes: slice) -> Ratio:
    """Measure the flux of one cube over that of another in a range of planes.

    Parameters
    ----------
    first, second : Cube
        Of the same spaxels, in memory or lazy; a plane of each is read at a time.
    planes : slice
        Where, with start and stop.

    Returns
    -------
    Ratio
        Median over the planes of the slope of the straight line through zero that fits the spaxels of a plane with the
        least sum of absolute residuals: bad planes and bad spaxels do not count for it, spaxels without light hardly.
        Its error is from the scatter of the planes, trends included. NaN if fewer than two planes have common data.
    """
    pairs = (
        (read_piece(cube.flux, (slice(plane, plane + 1),)) for cube in (first, second))
        for plane in range(planes.start, planes.stop)
    )
    slopes = np.array([_slope(*pair) for pair in pairs])
    slopes = slopes[np.isfinite(slopes)]
    if slopes.size < 2:
        return Ratio(value=math.nan, error=math.nan)
    error = _MEDIAN_ERROR * robust_sigma(slopes) / math.sqrt(slopes.size)
    return Ratio(value=float(np.median(slopes)), error=error)


def chain_ratios(ratios: Sequence[Ratio], reference: int) -> list[Ratio]:
    """Return what brings each cube to the level of one of them, 0-based, from the ratios of each to the next."""
    levels = [Ratio()] * (len(ratios) + 1)
    for number in range(reference + 1, len(levels)):
        levels[number] = levels[number - 1] * ratios[number - 1]
    for number in reversed(range(reference)):
        levels[number] = levels[number + 1] * ratios[number].inverse()
    return levels


def _slope(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Slope through zero of the first over the second with the least absolute residuals: a weighted median of ratios.

    Source: Bloomfield & Steiger (1983), Least Absolute Deviations, section 1.3.
    """
    used = np.isfinite(first) & np.isfinite(second) & (second != 0)
    top, bottom = first[used].astype(float), second[used].astype(float)
    if top.size == 0:
        return math.nan
    ratios = top / bottom
    order = np.argsort(ratios)
    weight = np.cumsum(np.abs(bottom[order]))
    return float(ratios[order[np.searchsorted(weight, 0.5 * weight[-1])]])
