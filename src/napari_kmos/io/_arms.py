"""The arms of an exposure and the facts of a primary header."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from astropy.time import Time

from napari_kmos import instrument
from napari_kmos.exposure import Arm

if TYPE_CHECKING:
    from astropy.io import fits

_ROLES = {"O": "object", "S": "sky"}


def sexagesimal_to_deg(number: float) -> float:
    """Return an angle written as the number DDMMSS.TTT in degrees (or HHMMSS.TTT in hours).

    Examples
    --------
    >>> round(sexagesimal_to_deg(-274535.0), 6)
    -27.759722
    """
    seconds = abs(number)
    whole, seconds = divmod(seconds, 10000)
    minutes, seconds = divmod(seconds, 100)
    return math.copysign(whole + minutes / 60 + seconds / 3600, number)


def deg_to_sexagesimal(degrees: float) -> float:
    """Return degrees (or hours) as the number DDMMSS.TTT, rounded to a thousandth of a second."""
    total = round(abs(degrees) * 3_600_000)
    minutes, milliseconds = divmod(total, 60_000)
    whole, minutes = divmod(minutes, 60)
    return math.copysign(whole * 10000 + minutes * 100 + milliseconds / 1000, degrees)


def read_arm(primary: fits.Header, number: int) -> Arm:
    """Return what the primary header says of one arm; its cube is attached by the reader."""
    name = str(primary.get(instrument.key_arm(number, "NAME"), "")).strip()
    not_used = str(primary.get(instrument.key_arm(number, "NOTUSED"), "")).strip()
    kind = str(primary.get(instrument.key_arm(number, "TYPE"), "")).strip()
    alpha = primary.get(instrument.key_arm(number, "ALPHA"))
    delta = primary.get(instrument.key_arm(number, "DELTA"))
    return Arm(
        number=number,
        name=name,
        role="off" if not_used else _ROLES.get(kind, "object" if name else "off"),
        not_used=not_used,
        original=_integer(primary.get(instrument.key_arm(number, "ORIGARM"))),
        ra=None if not _is_number(alpha) else 15 * sexagesimal_to_deg(float(alpha)),
        dec=None if not _is_number(delta) else sexagesimal_to_deg(float(delta)),
    )


def read_band(headers: list[fits.Header]) -> str:
    """Return the grating named by the first header that names one."""
    for header in headers:
        for detector in (1, 2, 3):
            band = str(header.get(instrument.key_band(detector), "")).strip()
            if band in instrument.BANDS:
                return band
    return ""


def read_date(primary: fits.Header) -> Time | None:
    """Return the start of the exposure, or None if the header has no usable date."""
    mjd = primary.get(instrument.KEY_MJD)
    if _is_number(mjd):
        return Time(float(mjd), format="mjd")
    try:
        return Time(str(primary[instrument.KEY_DATE]), format="isot")
    except (KeyError, ValueError):
        return None


def read_float(header: fits.Header, key: str, default: float = 0.0) -> float:
    """Return a number of a header, or the default where it is missing or not a number."""
    value = header.get(key)
    return float(value) if _is_number(value) else default


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _integer(value: Any) -> int | None:
    return int(value) if _is_number(value) else None
