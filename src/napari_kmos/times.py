"""When the exposures were taken of which a cube, or a spectrum of it, is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ExposureTime(NamedTuple):
    """One exposure: its middle, UTC as modified Julian date, and how long it is in seconds; 0 is not known."""

    middle_mjd: float
    seconds: float


def shares_of(times: Sequence[ExposureTime]) -> list[float]:
    """Return by which share each exposure counts: by its length, or all alike where that of one is not known."""
    lengths = [one.seconds for one in times]
    if not all(length > 0 for length in lengths):
        lengths = [1.0] * len(times)
    return [length / sum(lengths) for length in lengths]


def mean_mjd(times: Sequence[ExposureTime]) -> float | None:
    """Return the mean of the middles of exposures by their shares; None without any."""
    if not times:
        return None
    first = times[0].middle_mjd  # days from the first keep the digits of the seconds
    return first + sum(share * (one.middle_mjd - first) for share, one in zip(shares_of(times), times, strict=True))
