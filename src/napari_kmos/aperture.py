"""Apertures: where on the sky a spectrum is taken, and what it is taken as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

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
    """

    id: str
    kind: str = "star"
    ra: float
    dec: float
    radius_arcsec: float
    extra: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
