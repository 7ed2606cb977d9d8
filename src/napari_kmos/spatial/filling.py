"""Masks of planes, and missing values filled so that an interpolation neither spreads nor sees them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Voxels = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]
    Planes = TypeVar("Planes", NDArray[np.float32], NDArray[np.float64])

_PASSES = 2
#: Neighbours of a voxel, the four nearest first.
_STEPS = np.array([(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)])
_SIDES = 4
#: Spaxels missing in all planes are filled by one matrix if they are no more than this.
_MATRIX_SIZE = 600
#: The images that the matrix is read off have so many values at most, or times a few; of mosaics they would fill GBs.
_MATRIX_VALUES = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """What is missing in planes, sorted by how it is filled; made by `find_gaps`.

    Parameters
    ----------
    ok : ndarray of bool, shape (n, n_y, n_x)
        What is there.
    empty : ndarray of int
        Planes without any data.
    far, near : ndarray of bool, shape (n_y, n_x)
        Spaxels that miss in all planes: out of reach of those with data, and within.
    single : tuple of ndarray of int
        Voxels that miss in some planes.
    """

    ok: Bools
    empty: NDArray[np.intp]
    far: Bools
    near: Bools
    single: Voxels

    def fill(self, planes: Planes) -> Planes:
        """Return planes with missing values replaced by what their neighbours suggest, and by 0 far from any.

        A single missing value gets the value of the quadratic surface through its eight neighbours, others the mean of
        those neighbours that are there, twice over. A plane is filled from itself alone.

        Parameters
        ----------
        planes : ndarray, shape (n, n_y, n_x)
            Floating-point numbers; not modified. What is missing is ignored.
        """
        filled = np.where(self.ok, planes, np.array(np.nan, planes.dtype))
        voxels = self.single
        rows, columns = np.nonzero(self.near)
        if rows.size:
            is_small = rows.size <= _MATRIX_SIZE and rows.size * self.near.size <= _MATRIX_VALUES
            again = self._fill_always(filled) if is_small else np.arange(len(filled))
            again = np.setdiff1d(again, self.empty)
            z = np.concatenate([voxels[0], np.repeat(again, rows.size)])
            y = np.concatenate([voxels[1], np.tile(rows, again.size)])
            voxels = z, y, np.concatenate([voxels[2], np.tile(columns, again.size)])
        _fill_voxels(filled, voxels)
        filled[:, self.far] = 0
        filled[self.empty] = 0
        return filled

    def _fill_always(self, filled: Planes) -> NDArray[np.intp]:
        """Fill spaxels that miss in all planes; return the planes in which they cannot be filled the same way."""
        missing = self.near | self.far
        sources, matrix = _fill_matrix(missing.tobytes(), self.near.tobytes(), (missing.shape[0], missing.shape[1]))
        values = filled.reshape(len(filled), -1)[:, sources] @ matrix.astype(filled.dtype)
        filled[:, self.near] = values  # NaN where a further value is missing among the sources
        return np.flatnonzero(np.isnan(values).any(axis=1))


def find_gaps(ok: Bools) -> Gaps | None:
    """Return what is missing where ``ok``, shape (n, n_y, n_x), is false; None if nothing is."""
    if ok.all():
        return None
    partly, sometimes = np.asarray(ok.any(axis=(1, 2))), np.asarray(ok.any(axis=0))
    near = _near(sometimes) & ~sometimes
    missing = ~ok
    missing &= sometimes
    missing[~partly] = False
    single = np.unravel_index(np.flatnonzero(missing), ok.shape)
    return Gaps(ok, np.flatnonzero(~partly), ~sometimes & ~near, near, (single[0], single[1], single[2]))


def fill_missing(planes: Planes, ok: Bools) -> Planes:
    """Return planes filled where ``ok`` is false, as `Gaps.fill` does; the planes themselves if nothing is missing."""
    gaps = find_gaps(ok)
    return planes if gaps is None else gaps.fill(planes)


def distinct_masks(ok: Bools) -> tuple[list[int], list[int]]:
    """Return the number of the mask of each plane, and the first plane with each: most planes share theirs."""
    if (ok == ok[:1]).all():
        return [0] * len(ok), [0]
    masks: dict[bytes, int] = {}
    packed = np.packbits(ok.reshape(len(ok), -1), axis=1)
    which = [masks.setdefault(plane.tobytes(), len(masks)) for plane in packed]
    first = np.unique(which, return_index=True)[1]
    return which, first.tolist()


def blank(planes: NDArray[np.float32], missing: Bools) -> None:
    """Set what is missing to NaN, in place."""
    if missing.any():
        np.copyto(planes, np.float32(np.nan), where=missing)


def _near(there: Bools) -> Bools:
    """Spaxels that neighbours reach in the passes there are."""
    grown = there
    for _ in range(_PASSES):
        padded = np.pad(grown, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        grown = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
    return grown


@lru_cache(maxsize=64)
def _fill_matrix(missing: bytes, near: bytes, shape: tuple[int, int]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return from which spaxels those near data are filled where some miss, and the matrix that does.

    Filling is linear: the matrix is read off images of one spaxel each.
    """
    gone, wanted = (np.frombuffer(mask, dtype=bool).reshape(shape) for mask in (missing, near))
    sources = np.flatnonzero(_near(wanted) & ~gone)
    units = np.where(gone, np.nan, np.zeros((sources.size, *shape)))
    units.reshape(sources.size, -1)[np.arange(sources.size), sources] = 1
    rows, columns = np.nonzero(wanted)
    z = np.repeat(np.arange(sources.size), rows.size)
    _fill_voxels(units, (z, np.tile(rows, sources.size), np.tile(columns, sources.size)))
    return sources, units[:, wanted]


def _fill_voxels(filled: Planes, voxels: Voxels) -> None:
    """Fill chosen voxels in place, all others being as they are."""
    filled[voxels] = np.nan
    for _ in range(_PASSES):
        if not voxels[0].size:
            return
        filled[voxels] = values = _from_neighbours(filled, *voxels)
        left = np.isnan(values)
        voxels = voxels[0][left], voxels[1][left], voxels[2][left]
    filled[voxels] = 0


def _from_neighbours(planes: Planes, z: NDArray[Any], y: NDArray[Any], x: NDArray[Any]) -> Planes:
    """Estimate of chosen values of planes from their eight neighbours; NaN where there is none."""
    n_y, n_x = planes.shape[1:]
    flat, index = planes.reshape(-1), (z * n_y + y) * n_x + x
    sums: list[Any] = [0, 0]
    counts: list[Any] = [0, 0]
    for number, (dy, dx) in enumerate(_STEPS):
        around = flat.take(index + (dy * n_x + dx), mode="clip")
        inside = (y + dy >= 0) & (y + dy < n_y) & (x + dx >= 0) & (x + dx < n_x)
        there = inside & np.isfinite(around)
        kind = number // _SIDES
        sums[kind] = sums[kind] + np.where(there, around, 0)
        counts[kind] = counts[kind] + there
    total = 2 * counts[0] + counts[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (2 * sums[0] + sums[1]) / total
    surface = (2 * sums[0] - sums[1]) / _SIDES
    estimate: Planes = np.where(total == 3 * _SIDES, surface, mean).astype(planes.dtype)
    return estimate
