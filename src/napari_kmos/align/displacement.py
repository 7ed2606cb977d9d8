"""Displacements of exposures in pixels, as `kmos_combine` wants them, and the corrections that they imply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import (
    is_parallel,
    offset_arcsec,
    pixel_to_pixel,
    pixel_to_sky,
    position_angle_deg,
    shift_wcs,
)

if TYPE_CHECKING:
    from astropy.wcs import WCS

#: A correction is added to CRVAL, where the sky is turned against the place of the IFU; the second step allows for it.
_STEPS = 2


def displacement_pix(first: WCS, other: WCS, *, shape: tuple[int, int]) -> tuple[float, float]:
    """Return how far a star lies apart in two exposures, with the signs of the shift file of `kmos_combine`.

    Parameters
    ----------
    first, other : WCS
        Corrected WCS of frame 0 and of frame i, so that dither and pointing error are both in it.
    shape : tuple of int
        (n_y, n_x) of frame 0: the star is taken at its centre.

    Returns
    -------
    tuple of float
        dx = x_i - x_0 and dy = y_0 - y_i, in pixels, where (x, y) is the place of the same point of the sky.

    Raises
    ------
    AlignmentError
        If the exposures differ in rotation: `kmos_combine` refuses them, and no one displacement exists.
    """
    _check_parallel(first, other)
    y0, x0 = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    y, x = pixel_to_pixel(first, other, y0, x0)
    return float(x - x0), float(y0 - y)


def correction_arcsec(
    first: WCS, other: WCS, displacement: tuple[float, float], *, shape: tuple[int, int]
) -> tuple[float, float]:
    """Return what has to be added to a header so that an exposure is displaced from another one as is told.

    The inverse of `displacement_pix`: `shift_wcs` of the second by the result gives back the displacement.

    Parameters
    ----------
    first, other : WCS
        Corrected WCS of frame 0, header WCS of frame i.
    displacement : tuple of float
        dx = x_i - x_0 and dy = y_0 - y_i, in pixels.
    shape : tuple of int
        (n_y, n_x) of frame 0.

    Returns
    -------
    tuple of float
        (dRA cos Dec, dDec) in arcsec.

    Raises
    ------
    AlignmentError
        If the exposures differ in rotation.
    """
    _check_parallel(first, other)
    y0, x0 = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    point = pixel_to_sky(first, y0, x0)
    east = north = 0.0
    for _ in range(_STEPS):
        seen = pixel_to_sky(shift_wcs(other, east, north), y0 - displacement[1], x0 + displacement[0])
        further = offset_arcsec(*seen, *point)
        east, north = east + further[0], north + further[1]
    return east, north


def _check_parallel(first: WCS, other: WCS) -> None:
    """Refuse exposures that differ in rotation."""
    if not is_parallel(first, other):
        angles = f"{position_angle_deg(first):.2f} and {position_angle_deg(other):.2f} deg"
        msg = (
            f"exposures of position angles {angles} have no common displacement; combine them with napari-kmos combine"
        )
        raise AlignmentError(msg)
