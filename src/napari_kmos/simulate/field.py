"""Where the arms look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.instrument import ARMS_PER_DETECTOR, N_ARMS

if TYPE_CHECKING:
    from napari_kmos.simulate.parameters import SimulationParameters

#: Centre of the field, and of the sky field 20 arcmin away; degrees.
FIELD = (266.4168, -28.9400)
SKY_FIELD = (266.1500, -28.7000)
_COLUMNS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an arm looks at: its number, the name in the header, and the position in degrees."""

    ifu: int
    name: str
    ra: float
    dec: float


def choose_arms(number: int) -> tuple[int, ...]:
    """Return the arms of a night: detector after detector in turn, in ascending order."""
    order = [detector * ARMS_PER_DETECTOR + k for k in (3, 1, 6, 5, 7, 2, 8, 4) for detector in range(N_ARMS // 8)]
    return tuple(sorted(order[:number]))


def make_targets(parameters: SimulationParameters, *, on_sky: bool = False) -> tuple[Target, ...]:
    """Return the targets of the arms in use, on a grid of 6 x 4."""
    ra0, dec0 = SKY_FIELD if on_sky else FIELD
    targets = []
    for ifu in choose_arms(parameters.ifus):
        row, column = divmod(ifu - 1, _COLUMNS)
        east = (column - 2.5) * parameters.spacing_arcsec
        north = (1.5 - row) * parameters.spacing_arcsec
        ra, dec = moved(ra0, dec0, east, north)
        targets.append(Target(ifu=ifu, name=f"{'dark_cloud' if on_sky else 'nsd'}_{ifu:02d}", ra=ra, dec=dec))
    return tuple(targets)


def moved(ra: float, dec: float, east_arcsec: Any, north_arcsec: Any) -> tuple[Any, Any]:
    """Return a position moved on the sky, as `shift_wcs` moves it."""
    return ra + east_arcsec / 3600 / np.cos(np.deg2rad(dec)), dec + north_arcsec / 3600
