"""Images of the sky by others as references: the part under a field, whatever the size of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError
from napari_kmos.io import open_sky_image
from napari_kmos.spatial.fields import centre_of, window_near

if TYPE_CHECKING:
    from napari_kmos.cube import Image
    from napari_kmos.spatial.fields import Field

#: What headers are wrong by, several times.
REACH_ARCSEC = 5.0


def read_image_under(path: Path | str, *fields: Field, reach_arcsec: float = REACH_ARCSEC) -> Image:
    """Read the part of an image that covers fields; all of it if there are none.

    Parameters
    ----------
    path : path
        As of `napari_kmos.io.open_sky_image`.
    fields : (WCS, (n_y, n_x))
        What is to be covered, each of any rotation and pixel size; those that lie elsewhere are left out.
    reach_arcsec : float
        How much is read around them.

    Returns
    -------
    Image
        Shape (n_y, n_x); the exact zeros of images that were put together are NaN.

    Raises
    ------
    NotKmosError
        If the file holds no image with world coordinates.
    GeometryError
        If it covers none of the fields, or has no data there.
    """
    sky = open_sky_image(path)
    whole = (sky.wcs, sky.shape)
    windows = [window_near(whole, field, reach_arcsec=reach_arcsec) for field in fields or (whole,)]
    near = [window for window in windows if window is not None]
    image = sky.cut(*_around(near)) if near else None
    if image is not None and np.isfinite(image.data).any():
        return image
    here, there = centre_of((fields or (whole,))[0]), centre_of(whole)
    found = "does not cover" if image is None else "has no data at"
    msg = (
        f"{sky.source}: {found} RA {here[0]:.5f}, Dec {here[1]:.5f}; it has {sky.shape[0]} x {sky.shape[1]} pixels "
        f"about RA {there[0]:.5f}, Dec {there[1]:.5f}: take another image"
    )
    raise GeometryError(msg)


def _around(windows: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    """Return the smallest window that holds all."""
    rows, columns = (
        slice(min(one.start for one in some), max(one.stop for one in some)) for some in zip(*windows, strict=True)
    )
    return rows, columns
