"""Axes and units in FITS headers, both ways: (x, y, wavelength), 1-based, only here."""

from __future__ import annotations

import contextlib
import math
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.wcs import WCS

from napari_kmos.errors import GeometryError, KmosWarning, NotKmosError
from napari_kmos.instrument import KEY_CUBE_UNIT

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.cube import Cube, Image

#: Where the pole of the projection is, and what names the celestial frame.
_POLES = ("LONPOLE", "LATPOLE")
_FRAME = ("RADESYS", "RADECSYS", "EQUINOX", "EPOCH")
_SIP = "-SIP"
_CTYPES = {"vacuum": "WAVE", "air": "AWAV"}
#: Spellings of the pipeline and of users; per A is per Angstrom, though FITS would read ampere.
_SPELLINGS = (
    (r"\bADU", "adu"),
    (r"\bsec\b", "s"),
    (r"\b(angstroms?|ANGSTROM|[Aa]ng)\b", "Angstrom"),
    (r"\s*/\s*spaxel$", ""),  # what every unit of a cube is meant for
)
_PER_ANGSTROM = re.compile(r"\bA(?=\s*(?:\*\*|\^)?\s*\(?-1)|(?<=/)A\b")


def read_number(header: fits.Header, key: str, where: str, default: float | None = None) -> float:
    """Return a number of a header, or the default where it is missing.

    Raises
    ------
    NotKmosError
        If it is missing without a default, not a number, or not finite.
    """
    value = header.get(key)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        found = "is missing" if value is None else f"is {value!r}"
        msg = f"{where}: {key} {found}; expected a finite number"
        raise NotKmosError(msg)
    return float(value)


def axis_type(header: fits.Header, axis: int) -> str:
    """Return CTYPE of an axis, in capitals."""
    return str(header.get(f"CTYPE{axis}", "")).strip().upper()


def celestial_axes(header: fits.Header, n_axes: int, where: str) -> tuple[int, int]:
    """Return the numbers, 1-based, of the axes of right ascension and declination.

    Raises
    ------
    NotKmosError
        If there are none.
    """
    numbers = range(1, n_axes + 1)
    found = [[axis for axis in numbers if axis_type(header, axis).startswith(kind)] for kind in ("RA--", "DEC-")]
    if not all(found):
        types = ", ".join(f"CTYPE{axis} is {axis_type(header, axis)!r}" for axis in numbers)
        msg = f"{where}: {types}; expected world coordinates: axes such as RA---TAN and DEC--TAN"
        raise NotKmosError(msg)
    return found[0][0], found[1][0]


def read_wcs(header: fits.Header, primary: fits.Header, where: str, axes: tuple[int, int]) -> WCS:
    """Return the world coordinates of the axes (RA, Dec): CD, else PC with CDELT, else CDELT with CROTA."""
    wcs = WCS(naxis=2)
    degrees = np.array([read_degrees(header, axis, where) for axis in axes])
    for number, axis in enumerate(axes):
        wcs.wcs.ctype[number] = axis_type(header, axis).removesuffix(_SIP)
        wcs.wcs.crpix[number] = read_number(header, f"CRPIX{axis}", where)
    wcs.wcs.crval = degrees * [read_number(header, f"CRVAL{axis}", where) for axis in axes]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.cd = degrees[:, None] * _read_cd(header, where, axes)
    for key in _POLES:
        if key in header:
            setattr(wcs.wcs, key.lower(), read_number(header, key, where))
    wcs.wcs.set_pv(_read_pv(header, where, axes))
    wcs.wcs.radesys, wcs.wcs.equinox = _read_frame(header, primary, where)
    try:
        wcs.wcs.set()
    except Exception as err:  # wcslib has an exception class for each way in which numbers fail
        msg = f"{where}: the celestial axes cannot be used ({str(err).splitlines()[-1]})"
        raise NotKmosError(msg) from err
    if axis_type(header, axes[0]).endswith(_SIP):
        text = f"{where}: the distortion of its field (SIP) is not applied; positions are off by as much"
        warnings.warn(text, KmosWarning, stacklevel=2)
    return wcs


def read_degrees(header: fits.Header, axis: int, where: str) -> float:
    """Return how many degrees the unit of a celestial axis is.

    Raises
    ------
    NotKmosError
        If it is no unit of angle.
    """
    text = str(header.get(f"CUNIT{axis}", "")).strip() or "deg"
    unit = _parse_unit(text) or _parse_unit(text.lower().removesuffix("s"))
    if unit is None or not unit.is_equivalent(u.deg):
        msg = f"{where}: CUNIT{axis} is {text!r}; expected a unit of angle such as deg"
        raise NotKmosError(msg)
    return float(unit.to(u.deg))


def _read_pv(header: fits.Header, where: str, axes: tuple[int, int]) -> list[tuple[int, int, float]]:
    """Return the parameters of the projection: axis (1 or 2), number, value."""
    keys = [key for key in header if key.startswith("PV")]
    found = [(n, re.fullmatch(rf"PV{axis}_(\d+)", key)) for n, axis in enumerate(axes, start=1) for key in keys]
    return [(number, int(match[1]), read_number(header, match[0], where)) for number, match in found if match]


def _read_frame(header: fits.Header, primary: fits.Header, where: str) -> tuple[str, float]:
    """Return RADESYS and equinox of the extension, else of the file; where it is not said, as FITS has it."""
    told = next((one for one in (header, primary) if any(key in one for key in _FRAME)), header)
    year = read_number(told, "EQUINOX", where, read_number(told, "EPOCH", where, math.nan))
    name = next((str(told[key]).strip().upper() for key in _FRAME[:2] if key in told), "")
    name = name or ("ICRS" if math.isnan(year) else "FK4" if year < 1984 else "FK5")
    if not name.startswith("FK"):
        return name, math.nan
    year = year if math.isfinite(year) else 1950.0 if name.startswith("FK4") else 2000.0
    if (name, year) != ("FK5", 2000.0):
        text = (
            f"{where}: positions are {name} of {year:g}, taken as they are; those of catalogues and apertures are ICRS"
        )
        warnings.warn(text, KmosWarning, stacklevel=2)
    return name, year


def _read_cd(header: fits.Header, where: str, axes: tuple[int, int]) -> np.ndarray:
    def matrix(name: str, diagonal: float) -> np.ndarray:
        return np.array(
            [[read_number(header, f"{name}{i}_{j}", where, diagonal * (i == j)) for j in axes] for i in axes]
        )

    if any(f"CD{i}_{j}" in header for i in axes for j in axes):
        cd = matrix("CD", 0.0)
    else:
        cdelt = np.array([read_number(header, f"CDELT{axis}", where) for axis in axes])
        if any(f"PC{i}_{j}" in header for i in axes for j in axes):
            cd = matrix("PC", 1.0) * cdelt[:, None]
        else:
            # CROTA turns after scaling, PC before it: here the second column is scaled by CDELT of the second axis.
            angle = math.radians(read_number(header, f"CROTA{axes[1]}", where, 0.0))
            cd = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]) * cdelt[None, :]
    if abs(np.linalg.det(cd)) < 1e-20:
        msg = f"{where}: the spaxel size is zero (CD or CDELT); expected degrees per spaxel"
        raise NotKmosError(msg)
    return cd


def read_unit(header: fits.Header, primary: fits.Header, where: str) -> u.UnitBase | None:
    """Return the unit of BUNIT, else of the pipeline's CUBE_UNIT, else None: unknown."""
    for source, key in ((header, "BUNIT"), (header, KEY_CUBE_UNIT), (primary, KEY_CUBE_UNIT)):
        text = str(source.get(key, "")).strip()
        if not text:
            continue
        for old, new in _SPELLINGS:
            text = re.sub(old, new, text)
        unit = _parse_unit(_PER_ANGSTROM.sub("Angstrom", text))
        if unit is not None:
            return unit
        warnings.warn(f"{where}: unit {text!r} ({key}) is not understood, taken as unknown", KmosWarning, stacklevel=2)
    return None


def _parse_unit(text: str) -> u.UnitBase | None:
    for form in ("fits", "generic", "cds", "ogip"):
        with warnings.catch_warnings(), contextlib.suppress(ValueError, TypeError):
            warnings.simplefilter("ignore", u.UnitsWarning)
            return u.Unit(text, format=form)
    return None


def wcs_cards(wcs: WCS) -> list[tuple[str, object, str]]:
    """Return the celestial cards, CD and CDELT both, as the pipeline writes them."""
    cd = np.asarray(wcs.pixel_scale_matrix)
    cards: list[tuple[str, object, str]] = []
    for axis, name in ((1, "RA"), (2, "DEC")):
        cards += [
            (f"CTYPE{axis}", str(wcs.wcs.ctype[axis - 1]), "projection used"),
            (f"CRPIX{axis}", float(wcs.wcs.crpix[axis - 1]), f"[pix] Reference pixel in {'xy'[axis - 1]}"),
            (f"CRVAL{axis}", float(wcs.wcs.crval[axis - 1]), f"[deg] {name} at ref. pixel"),
            (f"CUNIT{axis}", "deg", ""),
        ]
    cards += [
        ("CD1_1", float(cd[0, 0]), "[deg] x-component of East"),
        ("CD1_2", float(cd[0, 1]), "[deg] y-component of East"),
        ("CD2_1", float(cd[1, 0]), "[deg] x-component of North"),
        ("CD2_2", float(cd[1, 1]), "[deg] y-component of North"),
        ("CDELT1", math.copysign(math.hypot(*cd[:, 0]), cd[0, 0] or -1.0), "[deg] Pixel resolution in x"),
        ("CDELT2", math.copysign(math.hypot(*cd[:, 1]), cd[1, 1] or 1.0), "[deg] Pixel resolution in y"),
    ]
    if wcs.wcs.radesys:
        cards.append(("RADESYS", str(wcs.wcs.radesys), "Coordinate reference frame"))
    if not (str(wcs.wcs.ctype[0]).endswith("TAN") and wcs.wcs.lonpole == 180):
        cards += [(key, float(getattr(wcs.wcs, key.lower())), "[deg] Pole of the projection") for key in _POLES]
    cards += [(f"PV{axis}_{number}", value, "Projection parameter") for axis, number, value in wcs.wcs.get_pv()]
    if math.isfinite(wcs.wcs.equinox):
        cards.append(("EQUINOX", float(wcs.wcs.equinox), "Equinox"))
    return cards


def even_step(wavelength_um: np.ndarray) -> float | None:
    """Return the step of wavelengths that are even to a thousandth of it, 1 for a single one; None if they are not."""
    n_waves = len(wavelength_um)
    step = float((wavelength_um[-1] - wavelength_um[0]) / (n_waves - 1)) if n_waves > 1 else 1.0
    even = wavelength_um[0] + step * np.arange(n_waves)
    return step if step > 0 and np.max(np.abs(even - wavelength_um)) <= 1e-3 * step else None


def wavelength_cards(cube: Cube) -> list[tuple[str, object, str]]:
    """Return the cards of the third axis.

    Raises
    ------
    GeometryError
        If the planes are not evenly spaced to a thousandth of a step: a FITS axis could not say so.
    """
    wave = cube.wavelength_um
    step = even_step(wave)
    if step is None:
        msg = f"{cube.label}: the wavelength planes are not evenly spaced; resample the cube before writing it"
        raise GeometryError(msg)
    cards: list[tuple[str, object, str]] = [
        ("CTYPE3", _CTYPES[cube.medium], "Coordinate system of z-axis"),
        ("CUNIT3", "um", "Unit of z-axis"),
        ("CRPIX3", 1.0, "[pix] Reference pixel in z"),
        ("CRVAL3", float(wave[0]), "[um] Wavelength at ref. pixel"),
        ("CDELT3", step, "[um] Spectral resolution"),
        ("CD3_3", step, "[um] Spectral resolution"),
    ]
    return cards + [(key, 0.0, "no rotation") for key in ("CD1_3", "CD2_3", "CD3_1", "CD3_2")]


def unit_cards(item: Cube | Image) -> list[tuple[str, object, str]]:
    """Return BUNIT, or nothing where the unit is unknown."""
    if item.unit is None:
        return []
    return [("BUNIT", item.unit.to_string("fits"), "unit of the flux per spaxel")]
