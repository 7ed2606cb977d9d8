"""Celestial coordinates of cubes: build, compare and correct them, and convert between pixels and the sky.

Pixels are ``(y, x)``, 0-based, centres at integers; angles on the sky are degrees, offsets arcsec
(east and north positive, the first one on the sky, that is with the cosine of the declination).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import GeometryError
from napari_kmos.instrument import SPAXEL_ARCSEC

Shape = tuple[int, int]
Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

_EDGE_TOLERANCE_PIX = 0.01


def make_wcs(
    ra: float, dec: float, *, crpix: tuple[float, float], scale_arcsec: float = SPAXEL_ARCSEC, rotation_deg: float = 0.0
) -> WCS:
    """Build a tangential WCS with square pixels, as KMOS cubes have it.

    Parameters
    ----------
    ra, dec : float
        Sky position of the reference pixel in degrees.
    crpix : tuple of float
        Reference pixel (x, y), **1-based as in FITS**: (7.5, 7.5) is the centre of 14 x 14 spaxels.
    scale_arcsec : float
        Side of a pixel.
    rotation_deg : float
        Position angle of the y axis, from north through east; 0 is north up and east left.

    Examples
    --------
    >>> wcs = make_wcs(266.4, -29.0, crpix=(7.5, 7.5), rotation_deg=30.0)
    >>> round(position_angle_deg(wcs), 6), round(pixel_scale_arcsec(wcs), 6)
    (30.0, 0.2)
    """
    angle = np.deg2rad(rotation_deg)
    sin, cos = np.sin(angle), np.cos(angle)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.radesys, wcs.wcs.equinox = "FK5", 2000.0
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = list(crpix)
    wcs.wcs.cd = scale_arcsec / 3600 * np.array([[-cos, sin], [sin, cos]])
    wcs.wcs.set()
    return wcs


def position_angle_deg(wcs: WCS) -> float:
    """Return the position angle of the y axis from north through east, in (-180, 180]."""
    east, north = _matrix(wcs)[:, 1]
    angle = float(np.rad2deg(np.arctan2(east, north)))
    return 180.0 if angle == -180 else angle


def is_parallel(first: WCS, second: WCS, *, tolerance_deg: float = 0.05) -> bool:
    """Tell whether the axes of two WCS point the same way on the sky (scales may differ)."""
    one, two = _matrix(first), _matrix(second)
    turn = (position_angle_deg(first) - position_angle_deg(second) + 180) % 360 - 180
    same_hand = np.sign(np.linalg.det(one)) == np.sign(np.linalg.det(two))
    return bool(same_hand and abs(turn) <= tolerance_deg)


def shift_wcs(wcs: WCS, dra_arcsec: float, ddec_arcsec: float) -> WCS:
    """Return a copy with a correction added to CRVAL.

    Parameters
    ----------
    wcs : WCS
        It is not modified.
    dra_arcsec, ddec_arcsec : float
        Correction on the sky (dRA cos Dec, dDec): a star moves by it while its pixel stays.
    """
    shifted = wcs.deepcopy()
    ra, dec = (float(value) for value in wcs.wcs.crval)
    shifted.wcs.crval = [(ra + dra_arcsec / 3600 / np.cos(np.deg2rad(dec))) % 360, dec + ddec_arcsec / 3600]
    shifted.wcs.set()
    return shifted


def turn_wcs(wcs: WCS, rotation_deg: float, scale: float = 1.0, *, about: tuple[float, float] | None = None) -> WCS:
    """Return a copy whose position angle is larger by a rotation, and its pixels by a scale.

    Parameters
    ----------
    wcs : WCS
        It is not modified; CRVAL stays.
    rotation_deg, scale : float
        Of the y axis, from north through east; and of the side of a pixel.
    about : tuple of float, optional
        Pixel (y, x), 0-based, that keeps its place on the sky; the reference pixel if not given.
    """
    turned = wcs.deepcopy()
    angle = np.deg2rad(rotation_deg)
    matrix = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ _matrix(wcs)
    if wcs.wcs.has_cd():
        turned.wcs.cd = matrix
    else:
        turned.wcs.pc = matrix / wcs.wcs.cdelt[:, None]
    if about is not None:
        fixed = np.array([about[1], about[0]]) + 1
        turned.wcs.crpix = fixed - np.linalg.solve(matrix, _matrix(wcs) @ (fixed - wcs.wcs.crpix))
    turned.wcs.set()
    return turned


def window_wcs(wcs: WCS, y: float, x: float, *, zoom: float = 1.0) -> WCS:
    """Return the WCS of an image that starts ``(y, x)`` pixels into this one, with pixels ``zoom`` times as large.

    The corner of the first pixel, at (y - 0.5, x - 0.5), is kept; ``y`` and ``x`` may be negative.
    """
    cut = wcs.deepcopy()
    if wcs.wcs.has_cd():
        cut.wcs.cd = wcs.wcs.cd * zoom
    else:
        cut.wcs.cdelt = wcs.wcs.cdelt * zoom
    cut.wcs.crpix = (np.asarray(wcs.wcs.crpix) - 0.5 - np.array([x, y])) / zoom + 0.5
    cut.wcs.set()
    return cut


def pixel_to_sky(wcs: WCS, y: ArrayLike, x: ArrayLike) -> tuple[Any, Any]:
    """Convert 0-based pixels to right ascension and declination in degrees (floats or arrays, as given)."""
    ra, dec = wcs.wcs_pix2world(x, y, 0)
    return (float(ra), float(dec)) if np.ndim(ra) == 0 else (ra, dec)


def sky_to_pixel(wcs: WCS, ra: ArrayLike, dec: ArrayLike) -> tuple[Any, Any]:
    """Convert right ascension and declination in degrees to 0-based pixels (y, x) (floats or arrays, as given)."""
    x, y = wcs.wcs_world2pix(ra, dec, 0)
    return (float(y), float(x)) if np.ndim(y) == 0 else (y, x)


def pixel_to_pixel(source: WCS, target: WCS, y: ArrayLike, x: ArrayLike) -> tuple[Any, Any]:
    """Convert pixels (y, x) of one WCS to the pixels (y, x) of another that show the same sky."""
    return sky_to_pixel(target, *pixel_to_sky(source, y, x))


def offset_arcsec(ra0: float, dec0: float, ra: Number, dec: Number) -> tuple[Number, Number]:
    """Return the offset (east, north) in arcsec of sky positions from a reference, in its tangent plane.

    Examples
    --------
    >>> east, north = offset_arcsec(359.9999, 60.0, 0.0001, 60.0001)
    >>> round(east, 3), round(north, 3)
    (0.36, 0.36)
    """
    dra, d0, d = np.deg2rad(ra - ra0), np.deg2rad(dec0), np.deg2rad(dec)
    depth = np.sin(d0) * np.sin(d) + np.cos(d0) * np.cos(d) * np.cos(dra)
    east = np.rad2deg(np.cos(d) * np.sin(dra) / depth) * 3600
    north = np.rad2deg((np.cos(d0) * np.sin(d) - np.sin(d0) * np.cos(d) * np.cos(dra)) / depth) * 3600
    return (float(east), float(north)) if np.ndim(east) == 0 else (east, north)  # type: ignore[return-value]


def tangent_offsets(wcs: WCS, dy: ArrayLike, dx: ArrayLike) -> tuple[Floats, Floats]:
    """Return steps of so many pixels as offsets (east, north) in arcsec, in the tangent plane: fast, for small fields.

    Examples
    --------
    >>> east, north = tangent_offsets(make_wcs(10.0, 5.0, crpix=(1, 1), rotation_deg=90.0), 5.0, 0.0)
    >>> round(float(east), 6), round(float(north), 6)
    (1.0, 0.0)
    """
    dy, dx = np.asarray(dy, dtype=float), np.asarray(dx, dtype=float)
    east, north = 3600 * _matrix(wcs)
    return east[0] * dx + east[1] * dy, north[0] * dx + north[1] * dy


def offset_between(first: WCS, second: WCS, *, pixel: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return how far (east, north, arcsec) the sky position of a pixel moves from the first WCS to the second.

    It is the correction that, by `shift_wcs`, turns the first into the second where only CRVAL differs.

    Parameters
    ----------
    first, second : WCS
        Of the same pixels.
    pixel : tuple of float, optional
        (y, x); the reference pixel of the first WCS if not given.
    """
    if pixel is None:
        x, y = (float(value) - 1 for value in first.wcs.crpix)
        pixel = (y, x)
    return offset_arcsec(*pixel_to_sky(first, *pixel), *pixel_to_sky(second, *pixel))


def image_grid(fields: Sequence[tuple[WCS, Shape]], *, scale_arcsec: float | None = None) -> tuple[WCS, Shape]:
    """Return the WCS and shape (n_y, n_x) of the smallest grid that holds all fields.

    The grid has the orientation and the pixels of the first field, extended in whole pixels; with another
    ``scale_arcsec`` it keeps the corner of the first field's pixels. A field that sticks out by less than
    0.01 pixel gets no further row or column.

    Parameters
    ----------
    fields : sequence of (WCS, (n_y, n_x))
        Fields to hold.
    scale_arcsec : float, optional
        Side of the grid's pixels; that of the first field if not given.

    Raises
    ------
    GeometryError
        If there is no field, or a field cannot be projected onto the first.
    """
    if not fields:
        msg = "no field given: a grid needs at least one"
        raise GeometryError(msg)
    reference = fields[0][0]
    zoom = 1.0 if scale_arcsec is None else scale_arcsec / pixel_scale_arcsec(reference)
    base = window_wcs(reference, 0, 0, zoom=zoom)
    corners = np.concatenate([_corners(wcs, shape, base) for wcs, shape in fields], axis=1)
    if not np.isfinite(corners).all():
        msg = "the fields lie too far apart on the sky for one grid: combine them by target instead"
        raise GeometryError(msg)
    low = np.floor(corners.min(axis=1) + 0.5 + _EDGE_TOLERANCE_PIX).astype(int)
    high = np.ceil(corners.max(axis=1) + 0.5 - _EDGE_TOLERANCE_PIX).astype(int)
    return window_wcs(base, int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1]))


def _corners(wcs: WCS, shape: Shape, base: WCS) -> Floats:
    """Outer corners of a field in the pixels of another WCS, shape (2, 4)."""
    y = np.array([0, 0, shape[0], shape[0]]) - 0.5
    x = np.array([0, shape[1], 0, shape[1]]) - 0.5
    return np.asarray(pixel_to_pixel(wcs, base, y, x), dtype=float)


def _matrix(wcs: WCS) -> Floats:
    """2 x 2 matrix from pixels (x, y) to degrees (east, north)."""
    return np.asarray(wcs.pixel_scale_matrix, dtype=float)
