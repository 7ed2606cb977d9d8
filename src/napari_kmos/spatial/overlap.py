"""Where on a grid of the sky another one lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spatial.fields import Field
    from napari_kmos.spatial.kernels import Floats

    Bools = NDArray[np.bool_]
    Window = tuple[slice, slice]


def find_overlap(source: Field, target: Field, overhang: float) -> tuple[Window, Floats, Floats, Bools] | None:
    """Find the part of a grid that lies on another.

    Parameters
    ----------
    source, target : tuple of WCS and shape (n_y, n_x)
        The other grid, and the grid.
    overhang : float
        How far, in pixels of the source, pixels may lie outside the centres of its outermost pixels.

    Returns
    -------
    window, y, x, inside, or None
        Smallest rows and columns of the target that hold all its pixels on the source; positions of the pixels there
        in those of the source; and which of them lie on it. None if none does.
    """
    outer = _reached(source, target)
    if outer is None:
        return None
    grid = np.mgrid[outer]
    y, x = (np.asarray(each, dtype=float) for each in pixel_to_pixel(target[0], source[0], grid[0], grid[1]))
    inside = _within(y, source[1][0], overhang) & _within(x, source[1][1], overhang)
    if not inside.any():
        return None
    used = _box(inside)
    rows, columns = (
        slice(one.start + part.start, one.start + part.stop) for one, part in zip(outer, used, strict=True)
    )
    return (rows, columns), y[used], x[used], inside[used]


def _within(positions: Floats, size: int, overhang: float) -> Bools:
    """Positions on an axis of ``size`` pixels, a little overhang allowed."""
    return (positions >= -overhang) & (positions <= size - 1 + overhang)


def _box(mask: Bools) -> Window:
    """Smallest rows and columns that hold all true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _reached(source: Field, target: Field) -> Window | None:
    """Rows and columns of the target that the source can reach."""
    y = np.array([0, 0, source[1][0], source[1][0]]) - 0.5
    x = np.array([0, source[1][1], 0, source[1][1]]) - 0.5
    corners = np.asarray(pixel_to_pixel(source[0], target[0], y, x), dtype=float)
    if not np.isfinite(corners).all():
        return None
    low = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=1)) + 1, target[1]).astype(int)
    if (high <= low).any():
        return None
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
