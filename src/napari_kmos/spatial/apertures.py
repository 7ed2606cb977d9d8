"""Apertures on the pixel grid: exact weights of circles, and rings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Shape = tuple[int, int]


def aperture_weights(shape: Shape, y: float, x: float, radius_pix: float) -> NDArray[np.float64]:
    """Return the share of each pixel that lies within a circle.

    Parameters
    ----------
    shape : (n_y, n_x)
        Size of the image.
    y, x : float
        Centre, 0-based; integers are pixel centres. It may lie outside the image.
    radius_pix : float
        Radius.

    Returns
    -------
    ndarray of float, shape (n_y, n_x)
        In [0, 1]; the sum is the area of the part of the circle that lies on the image.

    Notes
    -----
    Exact overlap areas of `photutils.aperture.CircularAperture`.

    Examples
    --------
    >>> float(aperture_weights((14, 13), 6.3, 6.8, 2.5).sum().round(6))
    19.634954
    """
    from photutils.aperture import CircularAperture

    image = CircularAperture((x, y), radius_pix).to_mask(method="exact").to_image(shape)
    return np.zeros(shape) if image is None else np.asarray(image, dtype=float)


def annulus_mask(shape: Shape, y: float, x: float, inner_pix: float, outer_pix: float) -> NDArray[np.bool_]:
    """Return which pixels have their centre in a ring: from the inner radius up to, not including, the outer.

    Parameters
    ----------
    shape, y, x
        As in `aperture_weights`.
    inner_pix, outer_pix : float
        Radii.

    Returns
    -------
    ndarray of bool, shape (n_y, n_x)
    """
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    squared = (rows - y) ** 2 + (columns - x) ** 2
    inside: NDArray[np.bool_] = (squared >= inner_pix**2) & (squared < outer_pix**2)
    return inside


def bounding_box(shape: Shape, y: float, x: float, radius_pix: float) -> tuple[slice, slice]:
    """Return the rows and columns of the pixels that a circle touches, cut at the edges of the image.

    Empty slices where the circle lies outside.
    """
    slices = []
    for centre, length in ((y, shape[0]), (x, shape[1])):
        start = min(max(math.floor(centre - radius_pix + 0.5), 0), length)
        stop = min(max(math.ceil(centre + radius_pix + 0.5), start), length)
        slices.append(slice(start, stop))
    return slices[0], slices[1]
