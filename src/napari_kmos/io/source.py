"""Straight to the file behind a lazy array: what is read piece by piece while somebody waits takes no task graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.io._array import FitsArray

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array


def source_of(array: Array) -> FitsArray | None:
    """Return the sliceable array of the file that a lazy array shows unchanged; None of anything else."""
    if isinstance(array, np.ndarray):
        return None
    kept = f"original-{array.name}"
    source = array.dask.layers.get(kept, {}).get(kept)
    return source if isinstance(source, FitsArray) else None


def read_planes(array: Array, planes: slice) -> NDArray[np.float32]:
    """Return some planes, shape (n_planes, n_y, n_x), computed; NaN is no data."""
    source = source_of(array)
    return np.asarray(array[planes] if source is None else source[planes], dtype=np.float32)


def read_spaxels(array: Array, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Return all wavelengths of some rows and columns, shape (n_wavelength, n_rows, n_columns), computed.

    Parameters
    ----------
    array : numpy or dask array, shape (n_wavelength, n_y, n_x)
        Flux or noise of a cube.
    rows, columns : slice
        With start and stop, step 1.
    """
    source = source_of(array)
    return np.asarray(array[:, rows, columns] if source is None else source[:, rows, columns], dtype=np.float32)
