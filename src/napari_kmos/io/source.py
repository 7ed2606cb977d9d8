"""Straight to the file behind a lazy array: what is read piece by piece while somebody waits takes no task graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.io._array import FitsArray
from napari_kmos.io.copies import find_copy
from napari_kmos.lazy import original_of, read_piece
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array

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
    source = source_of(array)
    copy = None if source is None else find_copy(source)
    if copy is None:
        return read_piece(array, (slice(None), rows, columns))
    return np.ascontiguousarray(np.moveaxis(copy[rows, columns], -1, 0))


def read_boxes(array: Array, boxes: Sequence[Box], *, progress: Progress = silent) -> list[NDArray[np.float32]]:
    """Return all wavelengths of many boxes of rows and columns, in one pass in the order of the file.

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
        One of shape (n_wavelength, n_rows, n_columns) a box.
    """
    found = []
    for done, (rows, columns) in enumerate(boxes):
        progress(done, len(boxes), "reading spaxels")
        found.append(read_spaxels(array, rows, columns))
    return found
