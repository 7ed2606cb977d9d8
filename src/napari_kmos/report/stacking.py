"""Where spectra are put so that they lie above each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Of the values of a spectrum, in per cent: between these it is taken to lie.
_LOW, _HIGH = 2.0, 98.0


def stacked_levels(fluxes: Sequence[Floats], spacing: float) -> list[float]:
    """Return what is to be added to each spectrum so that it lies above the one before; 0 for the first.

    Spectra about one level, as normalised ones, get equal steps: how far a typical one reaches from its lowest to its
    highest values, times the spacing. Else, as with stars of different magnitudes, each step is that of the two: their
    middles come to lie half of what both reach over apart, times the spacing.

    Parameters
    ----------
    fluxes : sequence of ndarray, shape (n,)
        NaN is a gap; a spectrum without data takes no room.
    spacing : float
        1 puts the lowest values of a spectrum where the highest of the one before are.
    """
    reaches = np.array([_reach(flux) for flux in fluxes]).reshape(-1, 2)
    middles, sizes = reaches.mean(axis=1), np.ptp(reaches, axis=1)
    has_data = np.array([bool(np.isfinite(flux).any()) for flux in fluxes], dtype=bool)
    if not has_data.any():
        return [0.0] * len(fluxes)
    typical = float(np.median(sizes[has_data]))
    if np.ptp(middles[has_data]) <= typical:
        steps = np.full(len(fluxes) - 1, spacing * typical)
    else:
        steps = spacing * (sizes[1:] + sizes[:-1]) / 2 - np.diff(middles)
    return [0.0, *np.cumsum(steps).tolist()]


def _reach(flux: Floats) -> tuple[float, float]:
    """Between which values a spectrum lies, but for its most extreme ones; 0 and 0 without any."""
    known = flux[np.isfinite(flux)]
    low, high = np.percentile(known, [_LOW, _HIGH]) if known.size else (0.0, 0.0)
    return float(low), float(high)
