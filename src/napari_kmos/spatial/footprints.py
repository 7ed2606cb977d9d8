"""Where fields lie in the pixels of a mosaic, and cubes cut out there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_kmos.errors import GeometryError
from napari_kmos.lazy import BLOCK_BYTES, Sliceable, original_of, read_piece
from napari_kmos.spatial.wcs import pixel_to_pixel, window_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.cube import Array, Cube
    from napari_kmos.spatial.fields import Field

#: A field that reaches less than this into a pixel, in pixels, does not touch it.
_EDGE_TOLERANCE_PIX = 0.01
#: Pieces of a cut, of which a writer takes a few at a time.
_PIECE_BYTES = BLOCK_BYTES // 8
_ALL = (slice(None),) * 2


@dataclass(frozen=True, slots=True)
class Footprint:
    """A rectangle of whole pixels of an image; it may reach beyond the edges.

    Parameters
    ----------
    y, x : int
        Its first row and column, 0-based; negative before those of the image.
    n_y, n_x : int
        Its rows and columns.

    Raises
    ------
    GeometryError
        If it has none.
    """

    y: int
    x: int
    n_y: int
    n_x: int

    def __post_init__(self) -> None:
        if min(self.n_y, self.n_x) < 1:
            msg = f"a footprint of {self.n_y} rows and {self.n_x} columns; expected one at least of each"
            raise GeometryError(msg)

    def is_in(self, shape: tuple[int, int]) -> bool:
        """Tell whether a part of it lies in an image of shape (n_y, n_x)."""
        return self.y < shape[0] and self.x < shape[1] and self.y + self.n_y > 0 and self.x + self.n_x > 0


def footprint_between(low: Sequence[float], high: Sequence[float]) -> Footprint:
    """Return the pixels between two corners (y, x), in pixels whose centres are integers.

    A corner that reaches less than 0.01 pixel into a pixel does not take it along.

    Examples
    --------
    >>> footprint_between((-0.5, 2.7), (13.495, 16.3))
    Footprint(y=0, x=3, n_y=14, n_x=14)
    """
    first = [int(np.floor(value + 0.5 + _EDGE_TOLERANCE_PIX)) for value in low]
    last = [int(np.ceil(value + 0.5 - _EDGE_TOLERANCE_PIX)) for value in high]
    return Footprint(*first, *(stop - start for start, stop in zip(first, last, strict=True)))


def footprint_of(exposed: Field, wcs: WCS) -> Footprint | None:
    """Return the smallest rectangle of pixels of a WCS that holds a field; None if it is on the far side of the sky.

    Of a field that is turned against the WCS it holds the corners, and more than the field.
    """
    own, (n_y, n_x) = exposed
    y = np.array([0, 0, n_y, n_y]) - 0.5
    x = np.array([0, n_x, 0, n_x]) - 0.5
    corners = np.asarray(pixel_to_pixel(own, wcs, y, x), dtype=float)
    return footprint_between(corners.min(axis=1), corners.max(axis=1)) if np.isfinite(corners).all() else None


def hull(footprints: Sequence[Footprint]) -> Footprint:
    """Return the smallest footprint that holds all of them."""
    y, x = min(one.y for one in footprints), min(one.x for one in footprints)
    last_y, last_x = max(one.y + one.n_y for one in footprints), max(one.x + one.n_x for one in footprints)
    return Footprint(y, x, last_y - y, last_x - x)


def cut_out(cube: Cube, footprint: Footprint) -> Cube:
    """Cut a footprint out of a cube; where it leaves the cube there is no data.

    Parameters
    ----------
    cube : Cube
        Arrays of shape (n_wavelength, n_y, n_x); it is not modified.
    footprint : Footprint
        What to keep, in its spaxels.

    Returns
    -------
    Cube
        Shape (n_wavelength, footprint.n_y, footprint.n_x), NaN beyond the edges of the cube; every spaxel keeps its
        flux, noise and place on the sky. Lazy if the input was: pieces of some MB read nothing but the footprint.

    Raises
    ------
    GeometryError
        If no part of the footprint lies in the cube.
    """
    if not footprint.is_in(cube.shape[1:]):
        msg = (
            f"{cube.label}: nothing of it is left by the cut; it has {cube.shape[1]} rows and {cube.shape[2]} columns, "
            f"the footprint starts at row {footprint.y}, column {footprint.x}, from 0"
        )
        raise GeometryError(msg)
    return dataclasses.replace(
        cube,
        flux=_cut_array(cube.flux, footprint),
        noise=None if cube.noise is None else _cut_array(cube.noise, footprint),
        wcs=window_wcs(cube.wcs, footprint.y, footprint.x),
    )


def _cut_array(array: Array, footprint: Footprint) -> Array:
    """Cut a footprint out of an array of a cube, lazily if it is lazy."""
    window = _Window(original_of(array), footprint, (array.shape[0], footprint.n_y, footprint.n_x), array.shape[1:])
    if isinstance(array, np.ndarray):
        return window[:]
    n_planes = max(1, _PIECE_BYTES // (4 * footprint.n_y * footprint.n_x))
    meta = np.empty((0, 0, 0), dtype=np.float32)
    lazy: da.Array = da.from_array(window, chunks=(n_planes, -1, -1), name=False, meta=meta)
    return lazy


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """A footprint of an array, read when asked; it has no ``copy``, by which dask would load it whole."""

    array: Sliceable
    footprint: Footprint
    shape: tuple[int, int, int]
    outer: tuple[int, int]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))
    ndim: int = 3

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Read planes and put them where they belong among no data."""
        parts = (*key, *_ALL) if isinstance(key, tuple) else (key, *_ALL)
        planes, rows, columns = parts[:3]
        taken = slice(planes, planes + 1 or None) if isinstance(planes, int | np.integer) else planes
        place = (self.footprint.y, self.footprint.x)
        spans = [_overlap(*one) for one in zip(place, self.shape[1:], self.outer, strict=True)]
        data = read_piece(self.array, (taken, *(source for source, _ in spans)))
        cut = np.full((len(data), *self.shape[1:]), np.nan, dtype=np.float32)
        cut[(slice(None), *(target for _, target in spans))] = data
        return cut[slice(None) if taken is planes else 0, rows, columns]


def _overlap(start: int, length: int, outer: int) -> tuple[slice, slice]:
    """Return which elements of an axis a window holds, and where in the window they are."""
    first, last = max(start, 0), min(start + length, outer)
    return slice(first, last), slice(first - start, last - start)
