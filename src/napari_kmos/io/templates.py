"""Spectra to compare stars with: FITS images and tables, ECSV and other text tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io._axes import axis_type
from napari_kmos.io._columns import listed, numbers_of, plain_name
from napari_kmos.io._extensions import data_of, open_fits
from napari_kmos.io._spectral_axis import is_spectral, read_wavelength
from napari_kmos.io.catalogue import read_any_table
from napari_kmos.spectrum import Template

if TYPE_CHECKING:
    from astropy.table import Table

_WAVELENGTH = re.compile(r"wave(length)?s?(um|micron|nm|aa?|angstrom)?|lambda|wl|col1")
_NORMALISED = "(norm|normalised|normalized)"
_FLUX = re.compile(rf"flux(es)?{_NORMALISED}?|{_NORMALISED}(flux)?|intensity|spectrum|data|col2")
#: What the end of a column's name says of its unit, where it has none.
_UNITS = (("um", u.um), ("micron", u.um), ("nm", u.nm), ("angstrom", u.AA), ("aa", u.AA))
#: Wavelengths without a unit are micron below this, else Angstrom.
_LONGEST_UM = 100.0
_FITS = (".fits", ".fit", ".fits.gz", ".fts")


def read_template(path: Path | str, *, resolution: float = float("inf")) -> Template:
    """Read a template.

    Parameters
    ----------
    path : path
        A FITS image with one axis of wavelengths, or a table (FITS, ECSV, CSV, text) with columns such as
        ``wavelength_um`` and ``flux``, or just two columns. Wavelengths are in vacuum unless the type of the axis or
        ``medium`` among the table's meta data says air; without a unit they are micron below 100, else Angstrom.
        What is not finite is left out.
    resolution : float
        Resolving power that it has; infinite if its lines have their own width.

    Returns
    -------
    Template
        At rest, in its medium, its flux over its median.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    KmosError
        If it holds no spectrum.
    """
    file = Path(path)
    image = _from_image(file) if file.name.lower().endswith(_FITS) else None
    wave, flux, medium = image or _from_table(read_any_table(file), file)
    known = np.isfinite(wave) & np.isfinite(flux) & (wave > 0)
    middle = float(np.median(flux[known])) if known.any() else 0.0
    if np.count_nonzero(known) < 4 or middle <= 0:
        msg = f"{file}: no spectrum; expected four wavelengths or more, and flux above zero"
        raise KmosError(msg)
    wave, first = np.unique(wave[known], return_index=True)
    return Template(
        name=file.name.partition(".")[0],
        wavelength_um=wave,
        flux=flux[known][first] / middle,
        resolution=resolution,
        medium=medium,
        source=file.name,
    )


def _from_image(file: Path) -> tuple[np.ndarray, np.ndarray, str] | None:
    """Read the first image with one axis, of wavelengths; None if there is none."""
    with open_fits(file) as hdus:
        for hdu in hdus:
            is_line = hdu.is_image and hdu.header.get("NAXIS") == 1
            if is_line and is_spectral(axis_type(hdu.header, 1)):
                flux = np.asarray(data_of(hdu, file), dtype=float)
                wave, medium, is_reversed = read_wavelength(hdu.header, 1, flux.size, file.name)
                return wave.to_value(u.um), flux[::-1] if is_reversed else flux, medium
    return None


def _from_table(table: Table, file: Path) -> tuple[np.ndarray, np.ndarray, str]:
    """Return the wavelengths in micron, the flux and the medium of a table."""
    names = {plain_name(name): name for name in table.colnames}
    found = [next((names[one] for one in names if form.fullmatch(one)), None) for form in (_WAVELENGTH, _FLUX)]
    if None in found and len(table.colnames) == 2:
        found = list(table.colnames)
    if None in found:
        msg = f"{file}: columns {listed(table)}; expected wavelengths and flux, as wavelength_um and flux"
        raise KmosError(msg)
    wave, flux = (numbers_of(table[name], str(name)) for name in found)
    unit = table[found[0]].unit or _unit_of(str(found[0]), wave)
    try:
        wave_um = (wave * unit).to_value(u.um)
    except u.UnitConversionError as err:
        msg = f"{file}: wavelengths are in {unit}; expected a length"
        raise NotKmosError(msg) from err
    return wave_um, flux, str(_meta(table).get("medium", "vacuum"))


def _unit_of(name: str, wave: np.ndarray) -> u.UnitBase:
    """Guess the unit of wavelengths."""
    told = next((unit for end, unit in _UNITS if plain_name(name).endswith(end)), None)
    return told or (u.um if np.nanmax(wave, initial=0.0) < _LONGEST_UM else u.AA)


def _meta(table: Table) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in (table.meta or {}).items()}
