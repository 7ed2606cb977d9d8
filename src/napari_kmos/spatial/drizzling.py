"""Drizzle as a linear operator, read off the package `drizzle`.

Reference: Fruchter & Hook (2002), PASP 114, 144.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from napari_kmos.errors import KmosError
from napari_kmos.spatial.operators import Sparse, squares

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spatial.kernels import Floats
    from napari_kmos.spatial.operators import Shape


def make_drizzle(y: Floats, x: Floats, places: Floats, pixfrac: float) -> tuple[Sparse, Sparse]:
    """Build the operators by which drizzle brings values and variances onto a grid.

    Parameters
    ----------
    y, x : ndarray, shape (m_y, m_x)
        Positions of the output pixels in the pixels of the input.
    places : ndarray, shape (2, n_y, n_x)
        Positions (y, x) of the input pixels in those of the output.
    pixfrac : float
        Side of the shrunken input pixels, in input pixels.

    Returns
    -------
    tuple of Sparse
        The weights of each output pixel add up to 1; one that no shrunken pixel touches has none.

    Raises
    ------
    KmosError
        If the package is not installed.

    Notes
    -----
    Drizzle is linear. Images that are 1 in every k-th pixel of every k-th row and 0 elsewhere, so far apart that no
    output pixel sees two of them, give the columns of its matrix.
    """
    shape = places.shape[1], places.shape[2]
    side = _side(places)
    step = int(np.ceil(np.sqrt(2) / side + pixfrac))  # however an output pixel is turned
    border = int(np.ceil(2 * side)) + 1  # drizzle leaves out input pixels that touch the edge
    pixmap = np.ascontiguousarray(np.moveaxis(places[::-1] + border, 0, -1))
    window = y.shape[0], y.shape[1]
    rows, columns, weights = [], [], []
    for first in np.ndindex(min(step, shape[0]), min(step, shape[1])):
        image = np.zeros(shape, dtype=np.float32)
        image[first[0] :: step, first[1] :: step] = 1
        full = _drizzle(image, pixmap, (window[0] + 2 * border, window[1] + 2 * border), pixfrac)
        drizzled = full[border:-border, border:-border].ravel()
        seen = np.flatnonzero(drizzled)
        at = [_nearest((y, x)[axis].ravel()[seen], first[axis], shape[axis], step) for axis in range(2)]
        rows.append(seen)
        columns.append(np.ravel_multi_index(at, shape))
        weights.append(drizzled[seen])
    entries = np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))
    values = Sparse(csr_array(entries, shape=(y.size, shape[0] * shape[1])), window)
    return values, squares(values)


def _side(places: Floats) -> float:
    """Side of an input pixel, in output pixels."""
    _, n_y, n_x = places.shape
    steps = [np.hypot(*np.diff(places, axis=axis)).min() for axis, length in ((1, n_y), (2, n_x)) if length > 1]
    return float(min(steps, default=1.0))


def _drizzle(image: NDArray[np.float32], pixmap: Floats, shape: Shape, pixfrac: float) -> NDArray[np.float32]:
    """Drizzle one image; 0 where nothing falls."""
    try:
        from drizzle.resample import Drizzle
    except ImportError as err:
        msg = "the package drizzle is not installed; install it (pip install drizzle), or take another kernel"
        raise KmosError(msg) from err
    drizzled = Drizzle(out_shape=shape, fillval="0", disable_ctx=True)
    drizzled.add_image(image, exptime=1.0, pixmap=pixmap, pixfrac=pixfrac)
    return np.asarray(drizzled.out_img)


def _nearest(positions: Floats, first: int, size: int, step: int) -> NDArray[np.intp]:
    """Nearest of every step-th pixel from the first."""
    number = np.rint((positions - first) / step).astype(int)
    return np.asarray(first + step * np.clip(number, 0, (size - 1 - first) // step))
