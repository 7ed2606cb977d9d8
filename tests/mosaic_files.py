"""Tiles of a field of stars in two epochs, as exposures and mosaics; the second epoch's header is wrong by IFU."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.time import Time
from factories import DEC, RA, make_cube, primary_header

from napari_kmos.combine import CombineParameters
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.io import CutRow, write_cuts, write_exposure
from napari_kmos.recipes.combine import combine
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, shift_wcs, sky_to_pixel

SIDE = PITCH = 14
#: First row and column of each IFU in the mosaic: two by two, side by side.
TILES: Mapping[int, tuple[int, int]] = {3: (0, 0), 5: (0, PITCH), 12: (PITCH, 0), 20: (PITCH, PITCH)}
#: East and north, arcsec: what the header of the second epoch lacks, by IFU.
ERRORS: Mapping[int, tuple[float, float]] = {3: (0.13, 0.07), 5: (-0.11, 0.16), 12: (0.05, -0.17), 20: (-0.15, -0.06)}
NIGHTS = ("2021-05-03", "2022-06-11")
#: Rows and columns of stars in the mosaic: within tiles, and across the seams between them.
STARS = ((6.2, 5.7), (6.6, 19.8), (20.3, 6.4), (19.7, 20.9), (13.1, 6.8), (6.9, 13.3))
FLUX = 900.0
AVERAGE = CombineParameters(cmethod="average")
GRID = make_wcs(RA, DEC, crpix=(1, 1))


def star_skies() -> list[tuple[float, float]]:
    """Where the stars are."""
    return [pixel_to_sky(GRID, *star) for star in STARS]


def write_tiles(
    path: Path,
    *,
    epoch: int,
    errors: Mapping[int, tuple[float, float]] = {},
    dither: tuple[float, float] = (0.0, 0.0),
    minutes: float = 0.0,
    sigma: float = 0.0,
    **facts: object,
) -> Path:
    """Write an exposure of all tiles; its header is wrong by the errors of its IFUs and by nothing else."""
    date = Time(f"{NIGHTS[epoch]}T03:00:00").mjd + minutes / 1440
    header = primary_header(tuple(TILES), band="K", mjd=date)
    arms = []
    for ifu in range(1, 25):
        if ifu not in TILES:
            arms.append(Arm(number=ifu, role="off", original=ifu, not_used="NotInPAF/Locked"))
            continue
        y, x = TILES[ifu]
        said = shift_wcs(make_wcs(*pixel_to_sky(GRID, y, x), crpix=(1, 1)), *dither)
        true = shift_wcs(said, *errors.get(ifu, (0, 0)))
        stars = [(*map(float, sky_to_pixel(true, *sky)), FLUX) for sky in star_skies()]
        cube = make_cube(
            shape=(4, SIDE, SIDE),
            stars=stars,
            background=0.0,
            sigma=sigma,
            seed=100 * epoch + ifu,
            wcs=said,
            ifu=ifu,
            name=f"t{ifu}",
        )
        cube = dataclasses.replace(cube, noise=np.ones(cube.shape, dtype=np.float32), **facts)
        header[f"HIERARCH ESO OCS ARM{ifu} NAME"] = f"t{ifu}"
        arms.append(Arm(number=ifu, name=f"t{ifu}", original=ifu, cube=cube))
    exposure = Exposure(arms=tuple(arms), band="K", date=Time(date, format="mjd"), header=header)
    return write_exposure(exposure, path)


def write_mosaics(folder: Path, *, cuts: bool = True) -> list[Path]:
    """Write the mosaic of each epoch, and beside it where its IFUs are; none is resampled."""
    mosaics = []
    for epoch, errors in enumerate(({}, ERRORS)):
        tiles = write_tiles(folder / f"epoch{epoch}.fits", epoch=epoch, errors=errors)
        (made,) = combine([tiles], folder / str(epoch), mosaic=True, parameters=AVERAGE).products
        mosaics.append(made.rename(folder / f"M{epoch}.fits"))
        if cuts:
            rows = [CutRow(ifu=ifu, x=x + 1, y=y + 1, n_x=SIDE, n_y=SIDE) for ifu, (y, x) in TILES.items()]
            write_cuts(rows, folder / f"M{epoch}_cuts.ecsv")
    return mosaics
