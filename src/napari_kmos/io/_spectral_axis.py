"""The spectral axis of a FITS header as wavelengths in micron: from lengths, frequencies, energies and velocities."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.wcs import WCS

from napari_kmos.errors import NotKmosError
from napari_kmos.io._axes import axis_type, read_number

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

#: What the first letters of CTYPE say, and the unit of such an axis in wcslib.
_SPECTRAL = {"WAVE": u.m, "AWAV": u.m, "FREQ": u.Hz, "ENER": u.J, "WAVN": 1 / u.m}
_DOPPLER = {"VRAD": u.doppler_radio, "VOPT": u.doppler_optical, "VELO": u.doppler_relativistic}
#: FELO is AIPS's name for optical velocities on even frequencies.
_UNITS = _SPECTRAL | dict.fromkeys([*_DOPPLER, "FELO"], u.m / u.s)
#: Even in itself, in its logarithm or in another quantity; or with the frame of rest that AIPS puts there.
_CTYPE = re.compile(rf"({'|'.join(_UNITS)})(-(LOG|[FVWA]2[FVWA]|LSR|HEL|OBS|LSD|GEO|BAR|SOU|GAL))?")
#: Names outside the standard for an axis of wavelengths, told by its unit of length.
_LENGTHS = ("", "LINEAR", "LAMBDA", "WAVELENGTH")
#: Spellings of units that are met on spectral axes; A is the ampere elsewhere.
_SPELLINGS = {
    "a": "Angstrom",
    "angstrom": "Angstrom",
    "angstroms": "Angstrom",
    "angstroem": "Angstrom",
    "micron": "um",
    "microns": "um",
    "micrometer": "um",
    "nanometer": "nm",
    "nm": "nm",
    "um": "um",
    "hz": "Hz",
    "ev": "eV",
}
#: A missing CUNIT is micron, as in files of the pipeline, if that gives wavelengths which can be believed.
_PLAUSIBLE_UM = (0.05, 1000.0)


def is_spectral(ctype: str) -> bool:
    """Tell whether the name of an axis is one of wavelength, frequency, energy or velocity."""
    return bool(ctype) and (ctype in _LENGTHS or _CTYPE.fullmatch(ctype) is not None)


def read_wavelength(header: fits.Header, axis: int, n_planes: int, where: str) -> tuple[u.Quantity, str, bool]:
    """Return the ascending plane centres in micron, the medium, and whether the stored planes run the other way.

    Parameters
    ----------
    header : Header
        Of the cube.
    axis : int
        Number of the spectral axis, 1-based.
    n_planes : int
        Its length.
    where : str
        Names the extension in messages.

    Raises
    ------
    NotKmosError
        If the axis is not spectral, or a keyword is missing or makes no sense.
    """
    ctype = axis_type(header, axis)
    if not is_spectral(ctype) and ctype:
        msg = f"{where}: CTYPE{axis} is {ctype!r}; expected a spectral axis: {', '.join(_UNITS)}, or LINEAR with CUNIT"
        raise NotKmosError(msg)
    with np.errstate(all="ignore"):  # what is not finite is found below
        wave = _wavelength_um(header, axis, n_planes, where)
    is_reversed = bool(wave[0] > wave[-1])
    ascending = wave[::-1] if is_reversed else wave
    if not (np.isfinite(ascending).all() and ascending[0] > 0 and (np.diff(ascending) > 0).all()):
        msg = f"{where}: axis {axis} runs from {wave[0]:g} to {wave[-1]:g} um; expected positive, monotonic wavelengths"
        raise NotKmosError(msg)
    return np.ascontiguousarray(ascending) * u.um, "air" if ctype.startswith("AWAV") else "vacuum", is_reversed


def _wavelength_um(header: fits.Header, axis: int, n_planes: int, where: str) -> NDArray[np.float64]:
    """Return the plane centres in their stored order."""
    ctype = axis_type(header, axis)
    kind = "WAVE" if ctype in _LENGTHS else ctype[:4]
    unit = _unit(header, axis, _UNITS[kind], where)
    start = read_number(header, f"CRVAL{axis}", where)
    pixels = np.arange(1.0, n_planes + 1) - read_number(header, f"CRPIX{axis}", where)
    step = _step(header, axis, where)
    if ctype in (*_LENGTHS, *_SPECTRAL, *_DOPPLER) and not (ctype == "VELO" and "VELREF" in header):
        values = (start + pixels * step) * unit
    else:
        kind, values = _by_wcslib(header, ctype, (start * unit, pixels, step * unit), where)
    if kind in _DOPPLER:
        rest = _rest(header, axis, where)
        return np.asarray(values.to_value(u.um, equivalencies=_DOPPLER[kind](rest)), dtype=float)
    wave = np.asarray(values.to_value(u.um, equivalencies=u.spectral()), dtype=float)
    low, high = _PLAUSIBLE_UM
    if f"CUNIT{axis}" not in header and not (low < wave.min() and wave.max() < high):
        msg = f"{where}: CUNIT{axis} is missing, and {wave[0]:g} to {wave[-1]:g} um is no wavelength; write the unit"
        raise NotKmosError(msg)
    return wave


def _step(header: fits.Header, axis: int, where: str) -> float:
    """Return the step of an axis: CD, else CDELT (with PC)."""
    key = f"CD{axis}_{axis}"
    if key in header:
        step = read_number(header, key, where)
    else:
        key = f"CDELT{axis}"
        step = read_number(header, key, where) * read_number(header, f"PC{axis}_{axis}", where, 1.0)
    if step == 0:
        msg = f"{where}: {key} is {step}; expected a step other than zero"
        raise NotKmosError(msg)
    return step


def _unit(header: fits.Header, axis: int, expected: u.UnitBase, where: str) -> u.UnitBase:
    """Return CUNIT of an axis; micron, or the SI unit, where it is missing."""
    text = str(header.get(f"CUNIT{axis}", "")).strip()
    if not text and axis_type(header, axis) not in _LENGTHS:
        return u.um if expected == u.m else expected
    try:
        unit = u.Unit(_SPELLINGS.get(text.lower(), text))
        if not unit.is_equivalent(expected):
            raise u.UnitConversionError(text)
    except (ValueError, TypeError) as err:
        what = "length such as um" if expected == u.m else f"{expected.physical_type} such as {expected}"
        msg = f"{where}: CUNIT{axis} is {text!r}; expected a unit of {what}"
        raise NotKmosError(msg) from err
    return unit


def _by_wcslib(
    header: fits.Header, ctype: str, axis: tuple[u.Quantity, NDArray[Any], u.Quantity], where: str
) -> tuple[str, u.Quantity]:
    """Return the kind and values of an axis that is even in another quantity, or has a name of AIPS."""
    start, pixels, step = axis
    unit = _UNITS[ctype[:4]]
    wcs = WCS(naxis=1)
    wcs.wcs.ctype, wcs.wcs.cunit = [ctype], [unit.to_string("fits")]
    wcs.wcs.crval, wcs.wcs.cdelt, wcs.wcs.crpix = [start.to_value(unit)], [step.to_value(unit)], [0]
    wcs.wcs.restfrq = read_number(header, "RESTFRQ", where, header.get("RESTFREQ", 0.0))
    wcs.wcs.restwav = read_number(header, "RESTWAV", where, 0.0)
    wcs.wcs.velref = int(read_number(header, "VELREF", where, 0))
    try:
        wcs.wcs.fix()
        values = wcs.wcs_pix2world(pixels, 1)[0]
    except Exception as err:  # wcslib has an exception class for each way in which numbers fail
        msg = f"{where}: the spectral axis {ctype} cannot be used ({str(err).splitlines()[-1]})"
        raise NotKmosError(msg) from err
    return str(wcs.wcs.ctype[0])[:4], values * unit


def _rest(header: fits.Header, axis: int, where: str) -> u.Quantity:
    """Return the rest frequency or wavelength that a velocity axis counts from."""
    for key, unit in (("RESTFRQ", u.Hz), ("RESTFREQ", u.Hz), ("RESTWAV", u.m)):
        if read_number(header, key, where, 0.0) > 0:
            return read_number(header, key, where) * unit
    kind = axis_type(header, axis)
    msg = f"{where}: CTYPE{axis} is {kind!r}, and RESTFRQ and RESTWAV are missing; a velocity axis needs one of them"
    raise NotKmosError(msg)
