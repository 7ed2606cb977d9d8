"""Star spectra: one-dimensional FITS images that specutils and other readers open without a hint.

The primary extension is the flux on a linear wavelength axis, as IRAF has it (``CTYPE1 = 'LINEAR'``; a FITS ``WAVE``
axis would be read in metres), with the standard axis as its alternative ``A``. The extensions ``STD`` (1 sigma),
``MASK``, ``SKY`` and ``COVERAGE`` follow. Images rather than a table: specutils finds the flux in a table only if its
unit is one of those it knows, which ADU/s, the unit of uncalibrated cubes, is not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits

from napari_kmos import instrument
from napari_kmos.aperture import Aperture
from napari_kmos.errors import GeometryError, KmosError, NotKmosError
from napari_kmos.io import _axes
from napari_kmos.io._cards import escaped, primary_header, set_card, unescaped
from napari_kmos.io._extensions import data_of, legible, open_fits
from napari_kmos.io._psf_cards import psf_cards, psf_fit
from napari_kmos.io.apertures import read_spaxels_text, spaxels_text
from napari_kmos.io.atomic import atomic_path
from napari_kmos.io.exposure_facts import exposure_facts, fact_cards, with_facts
from napari_kmos.io.spectrum_text import is_text, read_spectrum_text
from napari_kmos.spectrum import StarSpectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.provenance import Step

_CARRIED = (
    instrument.KEY_INSTRUMENT,
    instrument.KEY_DATE,
    instrument.KEY_MJD,
    instrument.KEY_OB_NAME,
    instrument.KEY_AIRMASS_START,
    instrument.KEY_AIRMASS_END,
)
_ID = "STARID"
_MEDIA = {"vacuum": "WAVE", "air": "AWAV"}
#: Parameters of the extraction and their keywords.
_PARAMETERS = {
    "sky": ("SKYKIND", "sky subtracted: annulus, areas or none"),
    "inner": ("SKYINNER", "[radii] inner radius of the annulus"),
    "outer": ("SKYOUTER", "[radii] outer radius of the annulus"),
    "side": ("SKYSIDE", "side of the annulus, north up"),
    "side_deg": ("SKYANGLE", "[deg] angle of that side"),
    "avoid_arcsec": ("SKYAVOID", "[arcsec] annulus away from other stars"),
    "ring_statistic": ("SKYSTAT", "statistic of the annulus"),
    "areas_statistic": ("SKYASTAT", "statistic of the areas"),
    "sky_clip": ("SKYCLIP", "[sigma] clip of statistics"),
    "min_coverage": ("MINCOVER", "least share of the aperture with data"),
    "background": ("PSFBACK", "background fitted: constant, plane or none"),
    "min_light": ("MINLIGHT", "least share of the star's light on data"),
}
_SNR_DEFINITION = "median/stddev of the flux over a fitted continuum, per pixel"


def write_spectrum(
    spectrum: StarSpectrum,
    path: Path | str,
    *,
    step: Step | None = None,
    primary: fits.Header | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a spectrum to a FITS file that `specutils.Spectrum.read` opens without a hint.

    Parameters
    ----------
    spectrum : StarSpectrum
        Arrays of shape (n_wavelength,), written in double precision; NaN is kept. An unknown unit is a blank BUNIT.
    path : path
        Output; a temporary file beside it is renamed when complete.
    step : Step, optional
        What made it; its block and a HISTORY line go into the header.
    primary : Header, optional
        Primary header of the cube's file; instrument, date and OB are carried over.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    GeometryError
        If the wavelengths are not evenly spaced.
    """
    carried = fits.Header([card for card in (primary or fits.Header()).cards if card.keyword in _CARRIED])
    header = primary_header(carried, step)
    for key, value, comment in _cards(with_facts(spectrum, primary)):
        set_card(header, key, value, comment)
    mask = fits.ImageHDU(spectrum.mask.astype(np.uint8), name="MASK")
    mask.header["BFORM"] = ("L", "boolean: 1 is no data")
    hdus = [
        fits.PrimaryHDU(np.asarray(spectrum.flux, dtype=float), header),
        fits.ImageHDU(np.asarray(spectrum.noise, dtype=float), name="STD"),
        mask,
        fits.ImageHDU(np.asarray(spectrum.sky, dtype=float), name="SKY"),
        fits.ImageHDU(np.asarray(spectrum.coverage, dtype=float), name="COVERAGE"),
    ]
    with atomic_path(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True, checksum=True)
    return Path(path)


def read_spectrum(path: Path | str) -> StarSpectrum:
    """Read a spectrum written by `write_spectrum`, or by `write_spectrum_text`.

    Returns
    -------
    StarSpectrum
        The same as was written; further columns of the aperture table are not in the file. Text tells less.

    Raises
    ------
    NotKmosError
        If the file is neither FITS nor text, or not such a spectrum.
    """
    path = Path(path)
    if is_text(path):
        return read_spectrum_text(path)
    with open_fits(path) as hdus:
        header = legible(hdus[0]).copy()
        images = [hdu for hdu in hdus if _ID in header and hdu.is_image]  # of a mosaic no planes are read
        found = {hdu.name: data_of(hdu, path) for hdu in images[1:]}
        arrays = {name: data for name, data in found.items() if data is not None}
        flux = data_of(images[0], path) if images else None
        arrays["FLUX"] = np.empty(0) if flux is None else flux.astype(float)
    missing = [name for name in ("STD", "MASK", "SKY", "COVERAGE") if name not in arrays]
    if _ID not in header or arrays["FLUX"].ndim != 1 or missing:
        msg = f"{path}: not a star spectrum of napari-kmos; expected a file written by `napari-kmos extract`"
        raise NotKmosError(msg)
    try:
        return _spectrum(header, arrays, path)
    except (KeyError, TypeError, ValueError) as err:
        if isinstance(err, NotKmosError):
            raise
        reason = str(err) if isinstance(err, KmosError) else f"{type(err).__name__} {err}"
        msg = f"{path}: damaged star spectrum ({reason}); extract it again"
        raise NotKmosError(msg) from err


def _cards(spectrum: StarSpectrum) -> Iterator[tuple[str, Any, str]]:
    """Cards of the primary header, those without a value left out."""
    cards = (*_axis_cards(spectrum), *_star_cards(spectrum), *_result_cards(spectrum), *psf_cards(spectrum.psf))
    for key, value, comment in cards:
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            continue
        yield key, value, comment


def _axis_cards(spectrum: StarSpectrum) -> list[tuple[str, Any, str]]:
    """Wavelength axis: linear in micron, and again as the standard has it."""
    wave = spectrum.wavelength_um
    step = _axes.even_step(wave)
    if step is None:
        msg = f"spectrum {spectrum.aperture.id}: the wavelengths are not evenly spaced; resample it before writing it"
        raise GeometryError(msg)
    cards: list[tuple[str, Any, str]] = []
    for alternative, kind in (("", "LINEAR"), ("A", _MEDIA[spectrum.medium])):
        cards += [
            (f"CTYPE1{alternative}", kind, f"wavelength in {spectrum.medium}"),
            (f"CUNIT1{alternative}", "um", "micron"),
            (f"CRPIX1{alternative}", 1.0, "reference pixel"),
            (f"CRVAL1{alternative}", float(wave[0]), "[um] wavelength there"),
            (f"CDELT1{alternative}", step, "[um] step"),
        ]
    return [*cards, _unit_card(spectrum)]


def _unit_card(spectrum: StarSpectrum) -> tuple[str, str, str]:
    """Return the unit of flux, STD and SKY; without the card specutils could not read STD."""
    if spectrum.unit is None:
        return "BUNIT", "", "the unit is unknown"
    try:
        return "BUNIT", spectrum.unit.to_string("fits"), ""
    except ValueError:  # FITS knows powers of ten only
        return "BUNIT", spectrum.unit.to_string(), ""


def _star_cards(spectrum: StarSpectrum) -> list[tuple[str, Any, str]]:
    """Return what was extracted from where."""
    aperture = spectrum.aperture
    cards: list[tuple[str, Any, str]] = [
        ("OBJECT", escaped(spectrum.target), "target of the cube"),
        (_ID, escaped(aperture.id), "id of the aperture"),
        ("APKIND", aperture.kind, "star: sum over the aperture; sky: per spaxel"),
        ("RA", aperture.ra, "[deg] centre of the aperture"),
        ("DEC", aperture.dec, "[deg] centre of the aperture"),
        ("APRADIUS", aperture.radius_arcsec, "[arcsec] radius of the aperture"),
        ("APSIDE", aperture.sky_side or None, "its own side of the annulus"),
        ("APEXCL", spaxels_text(aperture.excluded_spaxels) or None, ""),
        ("APAREA", spectrum.area_pix, "area of the aperture in spaxels"),
        (instrument.KEY_IFU, spectrum.ifu, "IFU number"),
        *fact_cards(spectrum),
        ("SRCCUBE", escaped(spectrum.source), "cube"),
        ("EXTMETH", spectrum.method, "method of extraction"),
        ("NSKY", spectrum.n_sky, "spaxels (annulus) or areas of the sky"),
    ]
    for name, (key, comment) in _PARAMETERS.items():
        cards.append((key, spectrum.parameters.get(name), comment))
    return cards


def _result_cards(spectrum: StarSpectrum) -> list[tuple[str, Any, str]]:
    """Return how good it is."""
    windows = ",".join(f"{start:.6g}-{end:.6g}" for start, end in spectrum.snr_windows)
    covered = spectrum.coverage[~spectrum.mask]
    return [
        ("SNR", spectrum.snr, "median/stddev, normalised"),
        ("SNRNOISE", spectrum.snr_noise, "median of flux/STD in the same windows"),
        ("SNRWIN", windows, "[um]"),
        ("SNRDEF", _SNR_DEFINITION, ""),
        ("COVERMED", float(np.median(covered)) if covered.size else None, "median share of the aperture with data"),
        (instrument.KEY_NOISE_ESTIMATED, spectrum.noise_estimated, "1 sigma estimated from the flux"),
        (instrument.KEY_NOISE_CORRELATED, spectrum.noise_correlated, "1 sigma with correlation of spaxels"),
        ("NOTE", escaped(spectrum.note) or None, ""),
    ]


def _spectrum(header: fits.Header, arrays: Mapping[str, NDArray[Any]], path: Path) -> StarSpectrum:
    """Build the object from the header and the arrays."""
    n_waves = arrays["FLUX"].size
    wave = header["CRVAL1"] + (np.arange(n_waves) + 1 - header["CRPIX1"]) * header["CDELT1"]
    exptime = header.get(instrument.KEY_EXPTIME)
    parameters = {name: header[key] for name, (key, _) in _PARAMETERS.items() if key in header}
    return StarSpectrum(
        aperture=Aperture(
            id=unescaped(header[_ID]),
            kind=str(header["APKIND"]),
            ra=float(header["RA"]),
            dec=float(header["DEC"]),
            radius_arcsec=float(header["APRADIUS"]),
            sky_side=str(header.get("APSIDE", "")),
            excluded_spaxels=read_spaxels_text(header.get("APEXCL")),
        ),
        wavelength=wave * u.um,
        flux=arrays["FLUX"],
        noise=arrays["STD"].astype(float),
        sky=arrays["SKY"].astype(float),
        mask=arrays["MASK"].astype(bool),
        unit=_axes.read_unit(header, fits.Header(), path.name),
        target=unescaped(header.get("OBJECT", "")),
        ifu=header.get(instrument.KEY_IFU),
        area_pix=float(header["APAREA"]),
        coverage=arrays["COVERAGE"].astype(float),
        snr=float(header.get("SNR", math.nan)),
        snr_noise=float(header.get("SNRNOISE", math.nan)),
        snr_windows=_windows(str(header.get("SNRWIN", ""))),
        method=str(header.get("EXTMETH", "aperture")),
        parameters=MappingProxyType(parameters),
        n_sky=int(header.get("NSKY", 0)),
        noise_estimated=bool(header.get(instrument.KEY_NOISE_ESTIMATED, False)),
        noise_correlated=bool(header.get(instrument.KEY_NOISE_CORRELATED, False)),
        medium="air" if header.get("CTYPE1A") == _MEDIA["air"] else "vacuum",
        exptime=None if exptime is None else float(exptime),
        **exposure_facts(header, None),
        note=unescaped(header.get("NOTE", "")),
        source=unescaped(header.get("SRCCUBE", "")),
        psf=psf_fit(header),
    )


def _windows(text: str) -> tuple[tuple[float, float], ...]:
    """Windows as the header has them."""
    pairs = [window.split("-") for window in text.split(",") if window]
    return tuple((float(start), float(end)) for start, end in pairs)
