"""What is taken of a cube that is combined: its own spaxels, without its error of wavelength."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import pixel_to_pixel, window_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.spatial.fields import Field
    from napari_kmos.spatial.resample import Resampler

    Bools = NDArray[np.bool_]
    Shape: TypeAlias = tuple[int, int]
    Area: TypeAlias = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """What is taken of a cube.

    Parameters
    ----------
    own : ndarray of bool, shape (n_y, n_x), optional
        Spaxels that are taken, as if the others had no data. All if not given.
    zero_pix : float
        Planes by which its lines lie towards longer wavelengths than they should. The resampling takes that out.
    """

    own: Bools | None = None
    zero_pix: float = 0.0


def own_field(wcs: WCS, shape: tuple[int, int], part: Part) -> Field:
    """Return the smallest field that holds the own spaxels of a cube."""
    if part.own is None or part.own.all():
        return wcs, shape
    return _window(wcs, _box(part.own))


def area_of(part: Part, shape: Shape) -> Area:
    """Return the rows and columns of a cube that matter: those of its own spaxels."""
    return (slice(0, shape[0]), slice(0, shape[1])) if part.own is None else _box(part.own)


def resample_part(field: Field, target: Field, part: Part, *, n_planes: int, **how: Any) -> Resampler | None:
    """Return the resampler from what matters of a cube to a grid, which fills the places of its own spaxels only.

    None if no own spaxel lies on the grid.

    Parameters
    ----------
    field, target : tuple of WCS and shape
        Of the cube, all of it, and of the grid.
    part : Part
        What is taken, with its wavelengths put right.
    n_planes : int
        Of the cube.
    **how
        For `make_resampler`.
    """
    if part.own is None:
        whole = make_resampler(*field, *target, **how)
        return None if whole is None else whole.shifted(part.zero_pix, n_planes)
    area = area_of(part, field[1])
    place = _place_on(_window(field[0], _box(part.own)), target)
    near = None if place is None else make_resampler(*_window(field[0], area), *_window(target[0], place), **how)
    if place is None or near is None:
        return None
    inside = near.inside & (near.area(part.own[area][None].astype(np.float32))[0] > near.min_coverage)
    rows, columns = (
        slice(one.start + at.start, one.stop + at.start) for one, at in zip(near.window, place, strict=True)
    )
    moved = near.shifted(part.zero_pix, n_planes)
    return dataclasses.replace(moved, inside=inside, window=(rows, columns)) if inside.any() else None


def _place_on(field: Field, target: Field) -> Area | None:
    """Rows and columns of a grid that a field can reach."""
    wcs, (n_y, n_x) = field
    y, x = np.array([0, 0, n_y, n_y]) - 0.5, np.array([0, n_x, 0, n_x]) - 0.5
    corners = np.asarray(pixel_to_pixel(wcs, target[0], y, x), dtype=float)
    if not np.isfinite(corners).all():
        return None
    low, high = np.floor(corners.min(axis=1)).astype(int), np.ceil(corners.max(axis=1)).astype(int) + 1
    rows, columns = (
        slice(max(int(first), 0), min(int(last), size)) for first, last, size in zip(low, high, target[1], strict=True)
    )
    return (rows, columns) if rows.stop > rows.start and columns.stop > columns.start else None


def _window(wcs: WCS, area: Area) -> Field:
    """Part of a field."""
    rows, columns = area
    return window_wcs(wcs, rows.start, columns.start), (rows.stop - rows.start, columns.stop - columns.start)


def _box(own: Bools) -> Area:
    """Smallest rows and columns that hold the own spaxels."""
    rows, columns = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
