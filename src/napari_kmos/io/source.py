"""Straight to the file behind a lazy array: what is read piece by piece while somebody waits takes no task graph."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

from napari_kmos.io._array import FitsArray
from napari_kmos.io.copies import SpectrumCopy, UseSpectra, find_copy
from napari_kmos.lazy import original_of, plane_blocks, read_piece, read_spectra, scan_rows
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

    From the spectrum-ordered copy where there is one (`build_copy`), with the same values bit for bit.

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
