"""Values along the wavelength: spectra of standard stars and responses, of the pipeline or of this project."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from napari_kmos.curve import Curve
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.instrument import KEY_AIRMASS_END, KEY_AIRMASS_START, KEY_ZERO_MAGNITUDE
from napari_kmos.io._axes import axis_type
from napari_kmos.io._extensions import data_of, legible, open_fits
from napari_kmos.io._spectral_axis import is_spectral, read_wavelength
from napari_kmos.io.atomic import FITS_ENDINGS
from napari_kmos.io.records import read_table
from napari_kmos.io.spectra import read_spectrum

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

_IFU = re.compile(r"^IFU\.(\d+)\.(DATA|NOISE)$", re.IGNORECASE)
_STAR = "STARID"
_ZERO_POINT, _AIRMASS = "zero_point", "airmass"
_NUMBER = (int, float)


def read_curves(path: Path | str) -> tuple[Curve, ...]:
    """Read what a file holds along the wavelength.

    Parameters
    ----------
    path : path
        ``STAR_SPEC``, ``TELLURIC``, ``RESPONSE`` or ``EXTRACT_SPEC`` of the pipeline, any FITS file of images with one
        axis of wavelengths, a star spectrum of `write_spectrum`, or a table of `response_table`.

    Returns
    -------
    tuple of Curve
        One for each IFU with data, or the only one. Exact zeros of FITS images, with which the pipeline fills, are NaN.

    Raises
    ------
    NotKmosError
        If the file cannot be read, or holds nothing along the wavelength, as a cube does not.
    """
    file = Path(path)
    if not file.name.lower().endswith(FITS_ENDINGS):
        return (_from_table(file),)
    with open_fits(file) as hdus:
        primary = legible(hdus[0]).copy()
        is_star = _STAR in primary
        found = [] if is_star else [_line_of(hdu, file) for hdu in hdus if _is_line(hdu)]
    if is_star:
        star = read_spectrum(file)
        noise = star.noise if np.isfinite(star.noise).any() else None
        flux = np.where(star.mask, np.nan, star.flux)
        airmass = read_airmass(primary)
        return (Curve(name=file.name, wavelength_um=star.wavelength_um, flux=flux, noise=noise, airmass=airmass),)
    curves = _from_images(file, primary, found)
    if not curves:
        msg = f"{file}: nothing along the wavelength; expected a spectrum or a response, one image axis of wavelengths"
        raise NotKmosError(msg)
    return curves


def read_primary(path: Path | str) -> fits.Header:
    """Return the primary header of a FITS file.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    """
    with open_fits(Path(path)) as hdus:
        return legible(hdus[0]).copy()


def read_airmass(primary: fits.Header) -> float:
    """Return the mean airmass of an exposure, of a combined cube that of its first; NaN where it is not told."""
    told = [primary.get(key) for key in (KEY_AIRMASS_START, KEY_AIRMASS_END)]
    values = [float(value) for value in told if isinstance(value, _NUMBER) and value >= 1]
    return sum(values) / len(values) if values else math.nan


def response_table(curve: Curve) -> Table:
    """Return a response as a table that `read_curves` reads, its zero point and airmass among the meta data."""
    meta = {name: getattr(curve, name) for name in (_ZERO_POINT, _AIRMASS) if math.isfinite(getattr(curve, name))}
    table = Table({"wavelength_um": curve.wavelength_um, "response": curve.flux}, meta={"name": curve.name, **meta})
    table["wavelength_um"].info.format, table["response"].info.format = ".7f", ".7g"
    return table


def _from_table(file: Path) -> Curve:
    """Read a table of `response_table`."""
    table = read_table(file, required=("wavelength_um", "response"))
    wave, flux = (np.asarray(table[name], dtype=float) for name in ("wavelength_um", "response"))
    numbers: dict[str, Any] = {name: float(table.meta.get(name, math.nan)) for name in (_ZERO_POINT, _AIRMASS)}
    return Curve(name=file.name, wavelength_um=wave, flux=flux, **numbers)


def _is_line(hdu: Any) -> bool:
    """Whether an extension is an image with one axis, of wavelengths."""
    return bool(hdu.is_image and hdu.header.get("NAXIS") == 1 and is_spectral(axis_type(hdu.header, 1)))


def _line_of(hdu: Any, file: Path) -> tuple[str, fits.Header, NDArray[Any]]:
    """Name, header and values of such an extension."""
    data = data_of(hdu, file)
    return hdu.name, legible(hdu).copy(), np.empty(0) if data is None else data


def _from_images(
    file: Path, primary: fits.Header, found: list[tuple[str, fits.Header, NDArray[Any]]]
) -> tuple[Curve, ...]:
    """Pair values with their noise by the names of the extensions."""
    noises = {match[1]: data for name, _, data in found if (match := _IFU.match(name)) and match[2].upper() == "NOISE"}
    curves = []
    for name, header, data in found:
        match = _IFU.match(name)
        if match and match[2].upper() == "NOISE":
            continue
        wave, medium, is_reversed = read_wavelength(header, 1, data.size, f"{file.name} {name}")
        if medium != "vacuum":
            msg = f"{file}: wavelengths are in {medium}; expected vacuum"
            raise KmosError(msg)
        order = slice(None, None, -1 if is_reversed else 1)
        flux, noise = np.asarray(data[order], dtype=float), noises.get(match[1]) if match else None
        zero = header.get(KEY_ZERO_MAGNITUDE, primary.get(KEY_ZERO_MAGNITUDE, math.nan))
        curves.append(
            Curve(
                name=f"{file.name} {name}".strip(),
                wavelength_um=wave.to_value("um"),
                flux=np.where(flux == 0, np.nan, flux),
                noise=None if noise is None or noise.size != flux.size else np.asarray(noise[order], dtype=float),
                ifu=int(match[1]) if match else None,
                zero_point=float(zero) if isinstance(zero, _NUMBER) else math.nan,
                airmass=read_airmass(primary),
            )
        )
    return tuple(one for one in curves if np.isfinite(one.flux).any())
