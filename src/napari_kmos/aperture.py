"""Apertures: where on the sky a spectrum is taken, and what it is taken as."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from napari_kmos.errors import ExtractionError

KINDS = ("star", "sky")
#: Sides of a star on the sky, with north up: left is east. Empty is the side that the parameters of the extraction say.
SIDES = ("", "all", "left", "right", "up", "down")


@dataclass(frozen=True, slots=True, kw_only=True)
class Aperture:
    """A circle on the sky.

    Parameters
    ----------
    id : str
        Identity of the star or sky area.
    kind : str
        ``"star"`` or ``"sky"``.
    ra, dec : float
        Centre in degrees, ICRS (KMOS headers say FK5; the two agree to 0.03 arcsec).
    radius_arcsec : float
        Radius.
    sky_side : str
        Side of the star from which the sky of its ring comes: ``"all"``, ``"left"`` (east), ``"right"`` (west),
        ``"up"`` (north), ``"down"`` (south), or ``""``, which leaves it to the parameters of the extraction.
    excluded_spaxels : tuple of (float, float)
        Right ascension and declination, in degrees, in spaxels of which neither star nor ring makes use. Of each cube
        it is the one spaxel that holds the position, so that they serve every epoch and every pixel size.
    extra : mapping
        Further columns of the user's table, kept as they are.

    Raises
    ------
    ExtractionError
        If it has no id, the position is not on the sky, the radius not positive, or the kind or side unknown.
    """

    id: str
    kind: str = "star"
    ra: float
    dec: float
    radius_arcsec: float
    sky_side: str = ""
    excluded_spaxels: tuple[tuple[float, float], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not self.id.strip():
            msg = f"aperture at ({self.ra}, {self.dec}): it has no id; give it a name or a number"
            raise ExtractionError(msg)
        if self.kind not in KINDS:
            msg = f"aperture {self.id!r}: kind is {self.kind!r}; expected {' or '.join(KINDS)}"
            raise ExtractionError(msg)
        if self.sky_side not in SIDES:
            msg = f"aperture {self.id!r}: sky_side is {self.sky_side!r}; expected {', '.join(SIDES[1:])} or nothing"
            raise ExtractionError(msg)
        for ra, dec in ((self.ra, self.dec), *self.excluded_spaxels):
            if not (math.isfinite(ra) and -90 <= dec <= 90):
                msg = f"aperture {self.id!r}: position is ({ra}, {dec}); expected RA and Dec in degrees"
                raise ExtractionError(msg)
        if not 0 < self.radius_arcsec < math.inf:
            msg = f"aperture {self.id!r}: radius is {self.radius_arcsec} arcsec; expected a positive number"
            raise ExtractionError(msg)


def separation_arcsec(one: Aperture, other: Aperture) -> float:
    """Return how far the centres of two apertures lie from each other, where that is a small angle."""
    east = (other.ra - one.ra + 180) % 360 - 180
    return 3600 * math.hypot(east * math.cos(math.radians(one.dec)), other.dec - one.dec)


def check_apertures(apertures: Iterable[Aperture], where: str = "apertures") -> tuple[Aperture, ...]:
    """Return the apertures if there are some and their ids differ.

    Raises
    ------
    ExtractionError
        If there is none, or two of a kind share an id: their spectra would share a file.
    """
    rows = tuple(apertures)
    if not rows:
        msg = f"{where}: no aperture; expected at least one row or circle"
        raise ExtractionError(msg)
    repeated = [row for row, count in Counter((row.kind, row.id) for row in rows).items() if count > 1]
    if repeated:
        kind, name = repeated[0]
        msg = f"{where}: the id {name!r} is used by more than one {kind} aperture; give each its own"
        raise ExtractionError(msg)
    return rows
