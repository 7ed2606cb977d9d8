"""All IFUs of one exposure as one array: each plane is put together from those of the IFUs when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_kmos._napari.planes import Planes, is_too_large, refuse
from napari_kmos.errors import GeometryError

#: Axes and sizes of the spaxels of IFUs that share a grid agree to this: less than a tenth of a spaxel over a field.
_LINEAR_TOLERANCE = 0.01
#: The whole field of the instrument, 7.2 arcmin across, is 4.7 million spaxels; a plane of more is not drawn while
#: the slider moves.
_MOST_PIXELS = 5_000_000

#: How an image is drawn: its pixel size in arcsec and the 3 x 3 matrix applied after it.
Home = tuple[float, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Grid:
    """A common grid for images that are turned alike, each in it at the nearest whole pixel.

    Parameters
    ----------
    home : (float, ndarray of shape (3, 3))
        How the grid is drawn: pixel size in arcsec, and the matrix applied after it.
    shape : tuple of int
        Rows and columns.
    origins : tuple of (int, int)
        Row and column of the first pixel of each image.
    """

    home: Home
    shape: tuple[int, int]
    origins: tuple[tuple[int, int], ...]


def grid_of(homes: Sequence[Home], shapes: Sequence[tuple[int, int]]) -> Grid:
    """Return the smallest grid that holds all images, with the pixels of the first.

    Parameters
    ----------
    homes : sequence of (float, ndarray)
        How each image is drawn.
    shapes : sequence of (int, int)
        Rows and columns of each.

    Raises
    ------
    GeometryError
        If images are turned or scaled against the first, or lie so far apart that the grid is too large to draw.
    """
    linear = homes[0][1][:2, :2] * homes[0][0]
    start = homes[0][1][:2, 2]
    turns = [np.linalg.solve(linear, matrix[:2, :2] * scale) for scale, matrix in homes]
    if not np.allclose(turns, np.eye(2), atol=_LINEAR_TOLERANCE):
        msg = "its IFUs are turned or scaled against each other and have no common grid; look at them as layers"
        raise GeometryError(msg)
    middles = (np.array(shapes) - 1) / 2
    drawn = np.array([m[:2, :2] @ (s * mid) + m[:2, 2] for (s, m), mid in zip(homes, middles, strict=True)])
    origins = np.round(np.linalg.solve(linear, (drawn - start).T).T - middles).astype(int)
    low, high = origins.min(axis=0), (origins + shapes).max(axis=0)
    n_y, n_x = (int(size) for size in high - low)
    if n_y * n_x > _MOST_PIXELS:
        msg = f"its IFUs lie on {n_y} x {n_x} spaxels of the sky, too many for one layer; split it, or show the sheet"
        raise GeometryError(msg)
    matrix = homes[0][1].copy()
    matrix[:2, 2] = start + linear @ low
    return Grid((homes[0][0], matrix), (n_y, n_x), tuple((int(y), int(x)) for y, x in origins - low))


class Composite:
    """Cubes placed on a common grid, NaN between them; sliceable, and read only where it is asked for.

    Parameters
    ----------
    parts : sequence of Planes
        The cubes, of one length. What they show, planes or an image, or how they put planes together, is seen here.
    grid : Grid
        Where they lie. Where two overlap, the later one lies on top with its data.
    """

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, parts: Sequence[Planes], grid: Grid) -> None:
        self.parts, self.grid = tuple(parts), grid
        self.shape = (len(self.parts[0]), *grid.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Put a piece together.

        Raises
        ------
        GeometryError
            If the piece is too large to be held in memory at once.
        """
        whole_key = _whole_key(key)
        planes, spans, rest = whole_key[0], *zip(*map(_window, whole_key[1:], self.shape[1:]), strict=True)
        pieces = self._pieces(planes, spans)
        asked = np.broadcast_to(np.float32(np.nan), self.shape)[(planes, *(slice(*span) for span in spans))]
        lead = pieces[0][2].shape[:-2] if pieces else asked.shape[:-2]
        piece = np.broadcast_to(np.float32(np.nan), (*lead, *asked.shape[-2:]))
        if is_too_large(piece):
            return refuse(piece, is_volume=isinstance(key, tuple))
        whole = np.array(piece)
        for y, x, data in pieces:
            np.copyto(whole[..., y, x], data, where=~np.isnan(data))
        return whole[(..., *rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Put all of it together, if it is small enough."""
        return np.asarray(self[:], dtype=dtype)

    def _pieces(self, planes: Any, spans: Sequence[tuple[int, int]]) -> list[tuple[slice, slice, NDArray[Any]]]:
        """Slice each part in a window; with its rows and columns there."""
        found = []
        for part, origin in zip(self.parts, self.grid.origins, strict=True):
            overlaps = [_overlap(*one) for one in zip(spans, origin, part.shape[1:], strict=True)]
            if all(cut is not None for cut in overlaps):
                (y, y_part), (x, x_part) = overlaps
                found.append((y, x, part[planes, y_part, x_part]))
        return found


def _whole_key(key: Any) -> tuple[Any, Any, Any]:
    """Key of all three axes."""
    given = key if isinstance(key, tuple) else (key,)
    first, second, third = (*given, *(slice(None),) * (3 - len(given)))
    return first, second, third


def _window(key: Any, length: int) -> tuple[tuple[int, int], Any]:
    """Span of an axis that a key asks for, and the key within that span."""
    chosen = range(length)[key]
    if isinstance(chosen, int):
        return (chosen, chosen + 1), 0
    if not len(chosen):
        return (0, 0), slice(None)
    low, high = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return (low, high + 1), slice(None, None, chosen.step)


def _overlap(span: tuple[int, int], origin: int, size: int) -> tuple[slice, slice] | None:
    """Where a part lies in a span, and what of the part lies there; None if nothing does."""
    low, high = max(span[0], origin), min(span[1], origin + size)
    return (slice(low - span[0], high - span[0]), slice(low - origin, high - origin)) if low < high else None
