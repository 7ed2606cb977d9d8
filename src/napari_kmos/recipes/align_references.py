"""What exposures are measured against when it is none of them: another epoch, a combined cube, a mosaic, an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align import white_light
from napari_kmos.errors import GeometryError, NotKmosError
from napari_kmos.io import read_exposure
from napari_kmos.recipes.sky_images import read_image_under
from napari_kmos.spatial.fields import centre_of, field_of, window_near
from napari_kmos.spatial.wcs import image_grid, offset_arcsec, window_wcs

if TYPE_CHECKING:
    from napari_kmos.cube import Cube, Image
    from napari_kmos.spatial.fields import Field


def reference_under(path: Path, cubes: Sequence[Cube], *, reach_arcsec: float) -> Image:
    """Read what a file shows of the field of some cubes.

    Parameters
    ----------
    path : Path
        Exposure or combined cube, whose white light is taken, or any FITS image with celestial coordinates. Of several
        cubes that which is nearest is taken.
    cubes : sequence of Cube
        Of one field.
    reach_arcsec : float
        How much is read around them.

    Raises
    ------
    NotKmosError
        If the file holds neither.
    GeometryError
        If it does not cover the field, or has no data there.
    """
    wcs, shape = image_grid([field_of(cube) for cube in cubes])
    try:
        held = read_exposure(path).cubes
    except NotKmosError:
        return read_image_under(path, (wcs, shape), reach_arcsec=reach_arcsec)
    near = [cube for cube in held if _is_over(cube, (wcs, shape))]
    if near:
        image = white_light(
            _window(min(near, key=lambda cube: _distance(cube, (wcs, shape))), (wcs, shape), reach_arcsec)
        )
        if np.isfinite(image.data).any():
            return image
    ra, dec = centre_of((wcs, shape))
    msg = f"{path}: has no data at RA {ra:.5f}, Dec {dec:.5f}, where {cubes[0].label} is; take another reference"
    raise GeometryError(msg)


def _is_over(cube: Cube, field: Field) -> bool:
    return window_near(field_of(cube), field, reach_arcsec=0.0) is not None


def _distance(cube: Cube, field: Field) -> float:
    """Return how far the centres lie apart, in arcsec."""
    return float(np.hypot(*offset_arcsec(*centre_of(field_of(cube)), *centre_of(field))))


def _window(cube: Cube, field: Field, reach_arcsec: float) -> Cube:
    """Return the part of a cube about a field; lazy if the cube is."""
    window = window_near(field_of(cube), field, reach_arcsec=reach_arcsec) or (slice(None), slice(None))
    part = (slice(None), *window)
    return dataclasses.replace(
        cube,
        flux=cube.flux[part],
        noise=None if cube.noise is None else cube.noise[part],
        wcs=window_wcs(cube.wcs, window[0].start or 0, window[1].start or 0),
    )
