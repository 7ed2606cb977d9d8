"""Small cubes and exposures whose truth is known: never square, never symmetric."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from napari_kmos.cube import Cube
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.instrument import BANDS, SPAXEL_ARCSEC

RA, DEC = 266.41, -28.93
#: A star: (y, x) in spaxels, and its flux summed over the plane.
Star = tuple[float, float, float]
STARS: tuple[Star, ...] = ((4.3, 8.7, 500.0), (9.2, 3.6, 300.0))


def make_wcs(
    *, rotation_deg: float = 0.0, ra: float = RA, dec: float = DEC, scale_arcsec: float = SPAXEL_ARCSEC
) -> WCS:
    """Return a celestial WCS; the y axis points ``rotation_deg`` east of north."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [7.5, 6.5]
    angle, scale = math.radians(rotation_deg), scale_arcsec / 3600
    wcs.wcs.cd = scale * np.array([[-math.cos(angle), math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    wcs.wcs.radesys, wcs.wcs.equinox = "FK5", 2000.0
    wcs.wcs.set()
    return wcs


def star_image(shape: tuple[int, int], stars: Sequence[Star] = STARS, fwhm_pix: float = 3.0) -> np.ndarray:
    """Return the image of Gaussian stars, shape (y, x)."""
    y, x = np.indices(shape)
    sigma = fwhm_pix / 2.3548
    image = np.zeros(shape)
    for star_y, star_x, flux in stars:
        squared = ((y - star_y) ** 2 + (x - star_x) ** 2) / (2 * sigma**2)
        image += flux / (2 * math.pi * sigma**2) * np.exp(-squared)
    return image


def make_cube(
    *,
    shape: tuple[int, int, int] = (40, 13, 15),
    band: str = "K",
    stars: Sequence[Star] = STARS,
    background: float = 10.0,
    sigma: float = 1.0,
    seed: int = 1,
    **facts: object,
) -> Cube:
    """Return a cube in memory: flat-spectrum stars on a constant background with white noise of known sigma."""
    rng = np.random.default_rng(seed)
    flux = background + star_image(shape[1:], stars) + sigma * rng.standard_normal(shape)
    limits = BANDS[band]
    step = (limits.end_um - limits.start_um) / shape[0]
    cube = Cube(
        flux=flux.astype(np.float32),
        noise=np.full(shape, sigma or np.nan, dtype=np.float32),
        wavelength=(limits.start_um + step * np.arange(shape[0])) * u.um,
        wcs=make_wcs(),
        unit=u.adu / u.s,
        name="target",
        ifu=5,
        exptime=100.0,
    )
    return dataclasses.replace(cube, **facts)


def make_exposure(
    *, ifus: Sequence[int] = (3, 5, 22), band: str = "K", mjd: float = 58000.25, seed: int = 1, **cube: object
) -> Exposure:
    """Return an exposure in memory; IFU n looks at the target ``star<n>``, all others are not used."""
    arms = []
    header = primary_header(ifus, band=band, mjd=mjd)
    for number in range(1, 25):
        if number not in ifus:
            arms.append(Arm(number=number, role="off", original=number, not_used="NotInPAF/Locked"))
            continue
        name = f"star{number}"
        arms.append(
            Arm(
                number=number,
                name=name,
                original=number,
                cube=make_cube(band=band, seed=100 * seed + number, **{"name": name, "ifu": number, **cube}),
            )
        )
    return Exposure(arms=tuple(arms), band=band, object_name="field", ob_name="GC_OB1", header=header)


def primary_header(ifus: Sequence[int], *, band: str, mjd: float) -> fits.Header:
    """Return a primary header as the pipeline writes it, in short."""
    header = fits.Header()
    header["INSTRUME"] = "KMOS"
    header["OBJECT"] = "field"
    header["MJD-OBS"] = mjd
    header["HIERARCH ESO OBS NAME"] = "GC_OB1"
    header["HIERARCH ESO PRO CATG"] = "SCI_RECONSTRUCTED"
    for detector in (1, 2, 3):
        header[f"HIERARCH ESO INS GRAT{detector} ID"] = band
    for number in range(1, 25):
        header[f"HIERARCH ESO OCS ARM{number} NAME"] = f"star{number}" if number in ifus else ""
        header[f"HIERARCH ESO OCS ARM{number} ORIGARM"] = number
        if number in ifus:
            header[f"HIERARCH ESO OCS ARM{number} TYPE"] = "O"
        else:
            header[f"HIERARCH ESO OCS ARM{number} NOTUSED"] = "NotInPAF/Locked"
    return header


def two_dithers(*, dither_arcsec: tuple[float, float] = (0.5, -0.3), sigma: float = 1.0) -> tuple[Cube, Cube]:
    """Return one field seen twice: the telescope moved by (east, north), and the second header says so."""
    first = make_cube(sigma=sigma)
    east, north = dither_arcsec
    wcs = make_wcs(ra=RA + east / 3600 / math.cos(math.radians(DEC)), dec=DEC + north / 3600)
    # East is -x: a telescope moved east sees its stars moved to larger x.
    moved = [(y - north / SPAXEL_ARCSEC, x + east / SPAXEL_ARCSEC, flux) for y, x, flux in STARS]
    return first, make_cube(stars=moved, sigma=sigma, seed=2, wcs=wcs)
