"""Displacements of exposures in pixels, as `kmos_combine` wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import is_parallel, pixel_to_pixel, position_angle_deg

if TYPE_CHECKING:
    from astropy.wcs import WCS


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
    if not is_parallel(first, other):
        angles = f"{position_angle_deg(first):.2f} and {position_angle_deg(other):.2f} deg"
        msg = (
            f"exposures of position angles {angles} have no common displacement; combine them with napari-kmos combine"
        )
        raise AlignmentError(msg)
    y0, x0 = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    y, x = pixel_to_pixel(first, other, y0, x0)
    return float(x - x0), float(y0 - y)
