"""Which positions on the sky lie in fields, each the WCS of an image with its shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from napari_kmos.cube import Cube, Image, pixel_scale_arcsec
from napari_kmos.spatial.wcs import pixel_to_pixel, pixel_to_sky, sky_to_pixel

Field: TypeAlias = tuple[WCS, tuple[int, int]]
Floats: TypeAlias = NDArray[np.float64]

#: Radius of the circle about a field in its diagonals: a half, and a little more.
_RADIUS = 0.51


def field_of(item: Cube | Image) -> Field:
    """Return the field that a cube or an image covers."""
    n_y, n_x = (item.flux if isinstance(item, Cube) else item.data).shape[-2:]
    return item.wcs, (n_y, n_x)


def centre_of(field: Field) -> tuple[float, float]:
    """Return right ascension and declination of the centre of a field, in degrees."""
    wcs, (n_y, n_x) = field
    ra, dec = pixel_to_sky(wcs, (n_y - 1) / 2, (n_x - 1) / 2)
    return float(ra), float(dec)


def is_inside(field: Field, ra: Floats, dec: Floats) -> NDArray[np.bool_]:
    """Tell which positions, in degrees, lie on a pixel of a field, its edges included; none on the far side does."""
    wcs, (n_y, n_x) = field
    y, x = sky_to_pixel(wcs, ra, dec)
    return np.asarray((np.abs(y - (n_y - 1) / 2) <= n_y / 2) & (np.abs(x - (n_x - 1) / 2) <= n_x / 2))


def rows_near(fields: Sequence[Field], ra: Floats, dec: Floats, *, reach_arcsec: float = 0.0) -> NDArray[np.intp]:
    """Return the indices of the positions, in degrees, in the circle about all fields, or so much further out.

    It cuts a large catalogue down before each field is looked at, by three products a source; poles and right ascension
    zero are as any other place.
    """
    centres = _vectors(*np.array([centre_of(field) for field in fields]).T)
    middle = centres.mean(axis=0) / np.linalg.norm(centres.mean(axis=0))
    reach = np.arccos(np.clip(centres @ middle, -1, 1)).max() + max(_radius(field) for field in fields)
    reach += float(np.deg2rad(reach_arcsec / 3600))
    return np.flatnonzero(_vectors(ra, dec) @ middle >= np.cos(min(reach, np.pi)))


def near_pairs(fields: Sequence[Field], *, reach_arcsec: float = 0.0) -> list[tuple[int, int]]:
    """Return the pairs of fields, the first one first, whose circles overlap or come so near to each other."""
    centres = _vectors(*np.array([centre_of(field) for field in fields]).reshape(-1, 2).T)
    radii = np.array([_radius(field) for field in fields])
    apart = 2 * np.arcsin(np.clip(np.linalg.norm(centres[:, None] - centres, axis=-1) / 2, 0, 1))
    is_near = apart <= radii[:, None] + radii + np.deg2rad(reach_arcsec / 3600)
    return [(int(first), int(second)) for first, second in np.argwhere(np.triu(is_near, 1))]


def common_share(field: Field, other: Field) -> float:
    """Return the part of the pixels of the smaller of two fields whose centres lie in the other one."""
    return max(float(is_inside(one, *_centres(two)).mean()) for one, two in ((field, other), (other, field)))


def window_near(field: Field, other: Field, *, reach_arcsec: float) -> tuple[slice, slice] | None:
    """Return the rows and columns of a field that another one covers, and some more about them; None without any.

    Parameters
    ----------
    field, other : (WCS, (n_y, n_x))
        Of any rotation and pixel size.
    reach_arcsec : float
        How much more.
    """
    wcs, shape = field
    n_y, n_x = other[1]
    corners = [(0, 0, n_y - 1, n_y - 1), (0, n_x - 1, 0, n_x - 1)]
    at = np.asarray(pixel_to_pixel(other[0], wcs, *corners), dtype=float)
    if not np.isfinite(at).all():
        return None
    reach = reach_arcsec / pixel_scale_arcsec(wcs)
    low = np.clip(np.floor(at.min(axis=1) - reach), 0, shape).astype(int)
    high = np.clip(np.ceil(at.max(axis=1) + reach) + 1, 0, shape).astype(int)
    return (slice(low[0], high[0]), slice(low[1], high[1])) if (high > low).all() else None


def _centres(field: Field) -> tuple[Floats, Floats]:
    """Right ascension and declination of the centres of its pixels."""
    ra, dec = pixel_to_sky(field[0], *np.indices(field[1]))
    return np.asarray(ra), np.asarray(dec)


def _vectors(ra: Floats, dec: Floats) -> Floats:
    """Return unit vectors, shape (n, 3)."""
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def _radius(field: Field) -> float:
    """Radius of the circle about a field in radians."""
    wcs, shape = field
    return float(np.deg2rad(_RADIUS * pixel_scale_arcsec(wcs) * np.hypot(*shape) / 3600))
