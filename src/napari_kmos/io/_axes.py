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

_MEDIA = {"WAVE": "vacuum", "AWAV": "air"}
_CTYPES = {medium: ctype for ctype, medium in _MEDIA.items()}
#: Spellings of the pipeline and of users; per A is per Angstrom, though FITS would read ampere.
_SPELLINGS = ((r"\bADU", "adu"), (r"\bsec\b", "s"), (r"\bangstroms?\b|\bANGSTROM\b", "Angstrom"))
_PER_ANGSTROM = re.compile(r"\bA(?=\s*(?:\*\*|\^)?\s*\(?-1)|(?<=/)A\b")


def _number(header: fits.Header, key: str, where: str, default: float | None = None) -> float:
    value = header.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        found = "is missing" if value is None else f"is {value!r}"
        msg = f"{where}: {key} {found}; expected a finite number"
        raise NotKmosError(msg)
    return float(value)


def read_wcs(header: fits.Header, where: str) -> WCS:
    """Return the celestial axes of an image or cube header: CD, else PC with CDELT, else CDELT with CROTA2."""
    wcs = WCS(naxis=2)
    for axis, kind in ((1, "RA--"), (2, "DEC-")):
        ctype = str(header.get(f"CTYPE{axis}", "")).strip()
        if not ctype.startswith(kind):
            msg = f"{where}: CTYPE{axis} is {ctype!r}; expected a celestial axis such as {kind}-TAN"
            raise NotKmosError(msg)
        wcs.wcs.ctype[axis - 1] = ctype
        wcs.wcs.crval[axis - 1] = _number(header, f"CRVAL{axis}", where)
        wcs.wcs.crpix[axis - 1] = _number(header, f"CRPIX{axis}", where)
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.cd = _read_cd(header, where)
    wcs.wcs.radesys = str(header.get("RADESYS", header.get("RADECSYS", "FK5"))).strip()
    if wcs.wcs.radesys.startswith("FK"):
        wcs.wcs.equinox = _number(header, "EQUINOX", where, 2000.0)
    try:
        wcs.wcs.set()
    except Exception as err:  # wcslib has an exception class for each way in which numbers fail
        msg = f"{where}: the celestial axes cannot be used ({str(err).splitlines()[-1]})"
        raise NotKmosError(msg) from err
    return wcs


def _read_cd(header: fits.Header, where: str) -> np.ndarray:
    if "CD1_1" in header or "CD1_2" in header:
        cd = np.array([[_number(header, f"CD{i}_{j}", where, 0.0) for j in (1, 2)] for i in (1, 2)])
    else:
        cdelt = np.array([_number(header, f"CDELT{axis}", where) for axis in (1, 2)])
        angle = math.radians(_number(header, "CROTA2", where, 0.0))
        turned = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        if "PC1_1" in header:
            turned = [[_number(header, f"PC{i}_{j}", where, float(i == j)) for j in (1, 2)] for i in (1, 2)]
        # CROTA2 turns after scaling, PC before it: for CROTA2 the second column is scaled by CDELT2.
        cd = np.array(turned) * (cdelt[:, None] if "PC1_1" in header else cdelt[None, :])
    if abs(np.linalg.det(cd)) < 1e-20:
        msg = f"{where}: the spaxel size is zero (CD or CDELT); expected degrees per spaxel"
        raise NotKmosError(msg)
    return cd


def read_wavelength(header: fits.Header, n_planes: int, where: str) -> tuple[u.Quantity, str]:
    """Return the plane centres in micron and the medium from the third axis of a cube header."""
    ctype = str(header.get("CTYPE3", "")).strip().upper()
    if ctype not in _MEDIA:
        msg = f"{where}: CTYPE3 is {ctype!r}; expected a wavelength axis (WAVE or AWAV)"
        raise NotKmosError(msg)
    step = _number(header, "CD3_3", where, _number(header, "CDELT3", where, math.nan) if "CDELT3" in header else None)
    reference = _number(header, "CRPIX3", where)
    start = _number(header, "CRVAL3", where)
    if step <= 0:
        msg = f"{where}: CDELT3 is {step}; expected a positive wavelength step"
        raise NotKmosError(msg)
    text = str(header.get("CUNIT3", "um")).strip() or "um"
    try:
        scale = u.Unit(text).to(u.um)
    except (ValueError, TypeError, u.UnitConversionError) as err:
        msg = f"{where}: CUNIT3 is {text!r}; expected a unit of length such as um"
        raise NotKmosError(msg) from err
    return (start + (np.arange(n_planes) + 1 - reference) * step) * scale * u.um, _MEDIA[ctype]


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
