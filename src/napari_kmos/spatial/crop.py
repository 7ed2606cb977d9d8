"""Cut cubes out of cubes: a range of planes, a box on the sky."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.spatial.wcs import make_wcs, pixel_to_pixel, window_wcs

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

#: A box that reaches less than this into a spaxel, in spaxels, does not hold it.
_EDGE_TOLERANCE_PIX = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyBox:
    """A box on the sky, its sides along east and north.

    Parameters
    ----------
    ra, dec : float
        Centre in degrees.
    width_arcsec, height_arcsec : float
        Sides from east to west and from north to south, on the sky.

    Raises
    ------
    KmosError
        If it is not on the sky, or a side is not positive.
    """

    ra: float
    dec: float
    width_arcsec: float
    height_arcsec: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ra) and -90 <= self.dec <= 90):
            msg = f"the box is centred on ({self.ra}, {self.dec}); expected RA and Dec in degrees"
            raise KmosError(msg)
        if not (0 < self.width_arcsec < math.inf and 0 < self.height_arcsec < math.inf):
            msg = f"the box is {self.width_arcsec:g} x {self.height_arcsec:g} arcsec; expected two positive numbers"
            raise KmosError(msg)


def crop_cube(
    cube: Cube, *, planes: slice = slice(None), rows: slice = slice(None), columns: slice = slice(None)
) -> Cube:
    """Cut planes, rows and columns out of a cube.

    Parameters
    ----------
    cube : Cube
        Arrays of shape (n_wavelength, n_y, n_x); it is not modified.
    planes, rows, columns : slice
        What to keep, step 1; all by default.

    Returns
    -------
    Cube
        Flux and noise are views, lazy if the input was; wavelengths and WCS are those of the spaxels kept.

    Raises
    ------
    GeometryError
        If nothing is left.
    """
    key = (planes, rows, columns)
    spans = [range(*part.indices(length)) for part, length in zip(key, cube.shape, strict=True)]
    if not all(spans):
        msg = f"{cube.label}: nothing of it is left by the cut; it has {cube.shape} planes, rows and columns"
        raise GeometryError(msg)
    return dataclasses.replace(
        cube,
        flux=cube.flux[key],
        noise=None if cube.noise is None else cube.noise[key],
        wavelength=cube.wavelength[planes],
        wcs=window_wcs(cube.wcs, spans[1].start, spans[2].start),
    )


def spaxels_in(cube: Cube, box: SkyBox) -> tuple[slice, slice]:
    """Return the rows and columns of the smallest part of a cube that holds a box; outside the cube there is none.

    Raises
    ------
    GeometryError
        If the box does not touch the cube.
    """
    north, west = box.height_arcsec / 2, box.width_arcsec / 2
    tangent = make_wcs(box.ra, box.dec, crpix=(1.0, 1.0), scale_arcsec=1.0)
    corners = pixel_to_pixel(tangent, cube.wcs, [-north, -north, north, north], [-west, west, -west, west])
    spans = []
    for places, length in zip(corners, cube.shape[1:], strict=True):
        low, high = np.min(places), np.max(places)  # NaN where a corner is on the other side of the sky
        start, stop = np.floor(low + 0.5 + _EDGE_TOLERANCE_PIX), np.ceil(high + 0.5 - _EDGE_TOLERANCE_PIX)
        if not (start < length and stop > 0):
            msg = (
                f"{cube.label}: the box of {box.width_arcsec:g} x {box.height_arcsec:g} arcsec about RA {box.ra:.6f}, "
                f"Dec {box.dec:.6f} lies outside it; see where it is with `napari-kmos info`"
            )
            raise GeometryError(msg)
        start = max(start, 0)
        spans.append(slice(int(start), int(min(max(stop, start + 1), length))))
    return spans[0], spans[1]
