"""Straight to the file behind a lazy array: what is read piece by piece while somebody waits takes no task graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from napari_kmos.io._array import FitsArray
from napari_kmos.io.copies import SpectrumCopy, UseSpectra, find_copy
from napari_kmos.io.held import HELD_BYTES, Corners, find_held, keep_held
from napari_kmos.lazy import original_of, plane_blocks, read_piece, read_spectra, scan_rows, spectra_first
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array

#: How much of a file is passed at a time when boxes are read: far more than what of it is kept in memory.
_PASSED_BYTES = 256 * 2**20

#: Rows and columns of a cube, each with start and stop, step 1.
Box = tuple[slice, slice]


def source_of(array: Array) -> FitsArray | None:
    """Return the sliceable array of the file that a lazy array shows unchanged; None of anything else."""
    source = original_of(array)
    return source if isinstance(source, FitsArray) else None


def read_planes(array: Array, planes: slice) -> NDArray[np.float32]:
    """Return some planes, shape (n_planes, n_y, n_x), computed; NaN is no data."""
    return read_piece(array, (planes,))


def read_spaxels(array: Array, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Return all wavelengths of some rows and columns, shape (n_wavelength, n_rows, n_columns), computed.

    From what is held in memory (`hold_box`) or the spectrum-ordered copy (`build_copy`) where there is one, with the
    same values bit for bit; not to be written to.

    Parameters
    ----------
    array : numpy or dask array, shape (n_wavelength, n_y, n_x)
        Flux or noise of a cube.
    rows, columns : slice
        With start and stop, step 1.
    """
    return read_boxes(array, [(rows, columns)])[0]


def read_boxes(array: Array, boxes: Sequence[Box], *, progress: Progress = silent) -> list[NDArray[np.float32]]:
    """Return all wavelengths of many boxes of rows and columns, as `read_spaxels`, in one pass in the file's order.

    Parameters
    ----------
    array : numpy or dask array, shape (n_wavelength, n_y, n_x)
        Flux or noise of a cube.
    boxes : sequence of (rows, columns)
        Slices with start and stop, step 1; they may overlap.
    progress : Progress
        Told between pieces; may raise `Cancelled`.

    Returns
    -------
    list of ndarray
        One of shape (n_wavelength, n_rows, n_columns) a box. Beside them no more than one piece is in memory.
    """
    if len(held := [one for box in boxes if (one := _held_of(array, box)) is not None]) == len(boxes):
        return held
    copy = _copy_of(array)
    if copy is not None:
        with suppress(OSError):  # thrown away meanwhile, to make room or as damaged: the file itself has it all
            return _boxes_of_copy(copy, boxes, progress)
    if isinstance(original_of(array), da.Array):
        progress(0, 1, "computing spaxels")
        return [np.asarray(one, dtype=np.float32) for one in da.compute(*(array[:, *box] for box in boxes))]
    n_planes, n_y, n_x = array.shape
    sizes = [(len(range(*rows.indices(n_y))), len(range(*columns.indices(n_x)))) for rows, columns in boxes]
    found = [np.empty((n_planes, *size), dtype=np.float32) for size in sizes]
    for planes in plane_blocks(array, n_bytes=_PASSED_BYTES):
        progress(planes.start, n_planes, "reading spaxels")
        for one, box in zip(found, boxes, strict=True):
            one[planes] = read_piece(array, (planes, *box))
    return found


def hold_box(array: Array, box: Box, *, progress: Progress = silent) -> None:
    """Read rows and columns and hold them, with others in a bounded part of memory: `read_boxes` has them at once then.

    Parameters
    ----------
    array : numpy or dask array, shape (n_wavelength, n_y, n_x)
        Flux or noise of a cube as it was read from a file; of any other nothing is held.
    box : (rows, columns)
        Slices with start and stop, step 1. What would take more than half of the memory there is for it is not held.
    progress : Progress
        Told between pieces; may raise `Cancelled`, and then nothing is held.
    """
    source, corners = source_of(array), _corners(array, box)
    size = (corners[2] - corners[0]) * (corners[3] - corners[1]) * array.shape[0]
    if source is None or 8 * size > HELD_BYTES or find_held(source, corners) is not None:
        return
    (found,) = read_boxes(array, [box], progress=progress)
    turned = np.moveaxis(found, 0, -1)
    keep_held(source, corners, turned if turned.flags.c_contiguous else spectra_first(found))


def holdable_side(array: Array) -> int:
    """Return how many rows and columns `hold_box` takes of a cube as wide as high."""
    return math.isqrt(HELD_BYTES // (8 * array.shape[0]))


def is_held(array: Array, box: Box) -> bool:
    """Tell whether `read_boxes` has a box without reading anything: it is held, or the array is in memory."""
    return isinstance(original_of(array), np.ndarray) or _held_of(array, box) is not None


def _held_of(array: Array, box: Box) -> NDArray[np.float32] | None:
    """Return a box that is held, with the axes of the cube."""
    source = source_of(array)
    found = None if source is None else find_held(source, _corners(array, box))
    return None if found is None else np.moveaxis(found, -1, 0)


def _corners(array: Array, box: Box) -> Corners:
    """First and last rows and columns of a box."""
    (y0, y1, _), (x0, x1, _) = (part.indices(length) for part, length in zip(box, array.shape[1:], strict=True))
    return y0, x0, y1, x1


def scan_spectra(array: Array, use: UseSpectra, *, progress: Progress = silent, text: str = "reading spectra") -> None:
    """Call a function with all spectra of a cube, in blocks of rows, in two threads, from the copy where there is one.

    Parameters
    ----------
    array : numpy or dask array, shape (n_wavelength, n_y, n_x)
        Flux or noise of a cube.
    use : callable
        As `UseSpectra`.
    progress, text
        As in `scan_rows`.
    """
    copy = _copy_of(array)

    def read(rows: slice) -> NDArray[np.float32]:
        if copy is not None:
            with suppress(OSError):  # as in `read_boxes`
                return copy.read(rows, slice(None))
        return read_spectra(array, rows)

    scan_rows(array.shape, lambda rows: use(rows, read(rows)), progress=progress, text=text)


def _copy_of(array: Array) -> SpectrumCopy | None:
    source = source_of(array)
    return None if source is None else find_copy(source)


def _boxes_of_copy(copy: SpectrumCopy, boxes: Sequence[Box], progress: Progress) -> list[NDArray[np.float32]]:
    found = []
    for done, box in enumerate(boxes):
        progress(done, len(boxes), "reading spaxels")
        found.append(np.moveaxis(copy.read(*box), -1, 0))
    return found
