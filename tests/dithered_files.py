"""Exposures in files whose dither and pointing errors are known, with arms that swap their targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.time import Time
from factories import DEC, RA, make_cube, primary_header

from napari_kmos.exposure import Arm, Exposure
from napari_kmos.io import write_exposure
from napari_kmos.offset import Offset
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, shift_wcs, sky_to_pixel

SHAPE = (6, 13, 14)
#: East of the field centre, arcsec: where each target is.
TARGETS = {"gc1": 0.0, "gc2": 40.0}


@dataclass(frozen=True)
class Visit:
    """How an exposure was taken."""

    dither: tuple[float, float] = (0.0, 0.0)
    error: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    arms: tuple[tuple[int, str], ...] = ((3, "gc1"), (12, "gc2"))


#: Dither and pointing error are never zero, never equal, and the arms swap in the second.
VISITS = (
    Visit(dither=(0.02, -0.03), error=(0.08, 0.05)),
    Visit(dither=(0.42, -0.31), error=(-0.17, 0.23), arms=((3, "gc2"), (12, "gc1"))),
    Visit(dither=(-0.36, 0.28), error=(0.21, -0.14)),
)


def true_wcs(visit: Visit, target: str):
    """The WCS that is right."""
    centre = make_wcs(RA, DEC, crpix=(7.5, 7.0), rotation_deg=visit.rotation)
    return shift_wcs(shift_wcs(centre, TARGETS[target], 0), *visit.dither)


def star_sky(target: str) -> tuple[float, float]:
    """Where the only star of a target is, if it has one: in its middle."""
    return pixel_to_sky(shift_wcs(make_wcs(RA, DEC, crpix=(1, 1)), TARGETS[target], 0), 0.0, 0.0)


def stars_of(target: str, visit: Visit, *, crowded: bool) -> list[tuple[float, float, float]]:
    """Stars in the pixels of an exposure."""
    wcs = true_wcs(visit, target)
    if not crowded:
        return [(*sky_to_pixel(wcs, *star_sky(target)), 900.0)]
    rng = np.random.default_rng(list(TARGETS).index(target))
    field = shift_wcs(make_wcs(RA, DEC, crpix=(1, 1), scale_arcsec=1.0), TARGETS[target], 0)
    y, x = rng.uniform(-2.2, 2.2, (2, 60))
    at_y, at_x = sky_to_pixel(wcs, *pixel_to_sky(field, y, x))
    return list(zip(at_y, at_x, 60 + 2000 * rng.random(60) ** 5, strict=True))


def true_rows(visits: Sequence[Visit] = VISITS) -> list[Offset]:
    """Return the correction of every IFU of every exposure."""
    return [
        Offset(
            exposure=number,
            file=f"exp{number}.fits",
            ifu=ifu,
            dra_arcsec=visit.error[0],
            ddec_arcsec=visit.error[1],
            err_arcsec=0.01,
            method="truth",
        )
        for number, visit in enumerate(visits)
        for ifu, _ in visit.arms
    ]


def write_visits(
    folder: Path,
    visits: Sequence[Visit] = VISITS,
    *,
    crowded: bool = False,
    sigma: float = 0.1,
    **cube: object,
) -> list[Path]:
    """Write an exposure a visit: ``exp0.fits``, ``exp1.fits``, ..."""
    return [
        write_exposure(make_visit(visit, number, crowded=crowded, sigma=sigma, **cube), folder / f"exp{number}.fits")
        for number, visit in enumerate(visits)
    ]


def make_visit(visit: Visit, number: int, *, crowded: bool, sigma: float, **cube: object) -> Exposure:
    """Return an exposure whose header is wrong by the pointing error."""
    names = dict(visit.arms)
    header = primary_header(tuple(names), band="K", mjd=59000.2 + number)
    arms = [_arm(ifu, names, visit, number, crowded=crowded, sigma=sigma, **cube) for ifu in range(1, 25)]
    for ifu, name in names.items():
        header[f"HIERARCH ESO OCS ARM{ifu} NAME"] = name
    return Exposure(arms=tuple(arms), band="K", date=Time(59000.2 + number, format="mjd"), header=header)


def _arm(
    ifu: int, names: Mapping[int, str], visit: Visit, number: int, *, crowded: bool, sigma: float, **facts: object
) -> Arm:
    if ifu not in names:
        return Arm(number=ifu, role="off", original=ifu, not_used="NotInPAF/Locked")
    east, north = visit.error
    cube = make_cube(
        shape=SHAPE,
        stars=stars_of(names[ifu], visit, crowded=crowded),
        sigma=sigma,
        seed=100 * number + ifu,
        wcs=shift_wcs(true_wcs(visit, names[ifu]), -east, -north),
        name=names[ifu],
        ifu=ifu,
    )
    return Arm(number=ifu, name=names[ifu], original=ifu, cube=dataclasses.replace(cube, **facts))
