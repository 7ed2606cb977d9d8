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
    extra : mapping
        Further columns of the user's table, kept as they are.

    Raises
    ------
    ExtractionError
        If it has no id, the position is not on the sky, the radius not positive, or the kind unknown.
    """

    id: str
    kind: str = "star"
    ra: float
    dec: float
    radius_arcsec: float
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not self.id.strip():
            msg = f"aperture at ({self.ra}, {self.dec}): it has no id; give it a name or a number"
            raise ExtractionError(msg)
        if self.kind not in KINDS:
            msg = f"aperture {self.id!r}: kind is {self.kind!r}; expected {' or '.join(KINDS)}"
            raise ExtractionError(msg)
        if not (math.isfinite(self.ra) and -90 <= self.dec <= 90):
            msg = f"aperture {self.id!r}: position is ({self.ra}, {self.dec}); expected RA and Dec in degrees"
            raise ExtractionError(msg)
        if not 0 < self.radius_arcsec < math.inf:
            msg = f"aperture {self.id!r}: radius is {self.radius_arcsec} arcsec; expected a positive number"
            raise ExtractionError(msg)


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
