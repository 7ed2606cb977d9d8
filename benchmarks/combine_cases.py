"""Exposures that are combined in the benchmarks: a star in each IFU, noise, cosmic rays, dithers that are known.

The dithers are in the headers, in spaxels: pixel p of exposure e is pixel p + d[e] of the first one, whose grid the
result extends. Random numbers come from a pool that is read from another place for each cube.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits

from napari_kmos.cube import Cube
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.instrument import BANDS
from napari_kmos.io import write_exposure
from napari_kmos.spatial.wcs import make_wcs, shift_wcs, window_wcs

RA, DEC = 266.41, -28.93
#: Exposures lie up to so many spaxels from the first one.
LARGEST_DITHER = 8
N_ARMS, FIELD_ARCSEC, SPACING_ARCSEC = 24, 2.8, 10.0
STAR_FLUX, FWHM_PIX, SIGMA = 3000.0, 3.5, 1.0
COSMICS, COSMIC_FLUX = 0.003, 300.0
BAND = "K"


def dithers(n_exposures: int) -> list[tuple[float, float]]:
    """Return (y, x) of each exposure in spaxels of the first one, 0 or more, the first 0 and the largest kept."""
    places = np.random.default_rng(1).uniform(0, LARGEST_DITHER, size=(n_exposures, 2))
    places[0] = 0.0
    return [(float(y), float(x)) for y, x in places]


def grid_shape(side: int) -> tuple[int, int]:
    """Return rows and columns of the grid that holds all exposures."""
    return side + LARGEST_DITHER, side + LARGEST_DITHER


def write_exposures(
    folder: Path, places: Sequence[tuple[float, float]], *, n_ifus: int, shape: tuple[int, int, int]
) -> list[Path]:
    """Write exposures at places such as `dithers` as the pipeline does; IFU n is extensions 2n - 1 and 2n."""
    folder.mkdir()
    rng = np.random.default_rng(2)
    pool = rng.standard_normal(4 * int(np.prod(shape)), dtype=np.float32)
    pool[rng.random(pool.size) < COSMICS] += COSMIC_FLUX
    paths = []
    for number, dither in enumerate(places):
        start = rng.integers(0, 3 * np.prod(shape), n_ifus)
        cubes = [
            _cube(ifu + 1, shape, dither, pool[start[ifu] :][: np.prod(shape)].reshape(shape)) for ifu in range(n_ifus)
        ]
        arms = tuple(_arm(ifu, cubes) for ifu in range(1, N_ARMS + 1))
        exposure = Exposure(arms=arms, band=BAND, object_name="field", header=_header(cubes, number))
        paths.append(write_exposure(exposure, folder / f"exposure{number:02d}.fits"))
    return paths


def _cube(ifu: int, shape: tuple[int, int, int], dither: Sequence[float], noise: np.ndarray) -> Cube:
    """Return a star that does not move on the sky, in noise."""
    n_planes, n_y, n_x = shape
    band = BANDS[BAND]
    wcs = make_wcs(RA, DEC, crpix=(n_x / 2, n_y / 2), scale_arcsec=FIELD_ARCSEC / n_x)
    wcs = shift_wcs(wcs, SPACING_ARCSEC * (ifu % 6), SPACING_ARCSEC * (ifu // 6))
    sigma = FWHM_PIX / 2.3548
    y, x = (np.arange(n) - n / 2 + by for n, by in zip((n_y, n_x), dither, strict=True))
    star = np.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2)) * STAR_FLUX / (2 * np.pi * sigma**2)
    return Cube(
        flux=(star + SIGMA * noise).astype(np.float32),
        noise=np.full(shape, SIGMA, dtype=np.float32),
        wavelength=np.linspace(band.start_um, band.end_um, n_planes) * u.um,
        wcs=window_wcs(wcs, *dither),
        unit=u.adu / u.s,
        name=f"star{ifu}",
        ifu=ifu,
        exptime=300.0,
    )


def _arm(number: int, cubes: Sequence[Cube]) -> Arm:
    if number > len(cubes):
        return Arm(number=number, role="off", original=number, not_used="NotInPAF/Locked")
    return Arm(number=number, name=cubes[number - 1].name, original=number, cube=cubes[number - 1])


def _header(cubes: Sequence[Cube], number: int) -> fits.Header:
    """Return a primary header as the pipeline writes it, in short."""
    header = fits.Header([("INSTRUME", "KMOS"), ("OBJECT", "field"), ("MJD-OBS", 59000.2 + 0.01 * number)])
    header["EXPTIME"] = 300.0
    header["HIERARCH ESO PRO CATG"] = "SCI_RECONSTRUCTED"
    for detector in (1, 2, 3):
        header[f"HIERARCH ESO INS GRAT{detector} ID"] = BAND
    for cube in cubes:
        header[f"HIERARCH ESO OCS ARM{cube.ifu} NAME"] = cube.name
        header[f"HIERARCH ESO OCS ARM{cube.ifu} ORIGARM"] = cube.ifu
        header[f"HIERARCH ESO OCS ARM{cube.ifu} TYPE"] = "O"
    for unused in range(len(cubes) + 1, N_ARMS + 1):
        header[f"HIERARCH ESO OCS ARM{unused} NOTUSED"] = "NotInPAF/Locked"
    return header
