"""Copies of cubes in the order of spectra: one spaxel of a cold mosaic is one reading instead of thousands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.io import cache
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._array import FitsArray

_NAME = "spectra.npy"
#: Changes with what is written, so that copies of older versions are not taken for new ones.
_VERSION = 1
_ROWS = 8


def identity_of(source: FitsArray) -> cache.Identity:
    """Return what the values of an array depend on: its file, extension, and how they are read.

    Raises
    ------
    OSError
        If the file is gone.
    """
    stat = source.path.stat()
    how = source.hdu, source.shape, source.scale, source.blank, source.zeros, _VERSION
    return (str(source.path.resolve()), stat.st_size, stat.st_mtime_ns, *how)


def find_copy(source: FitsArray) -> NDArray[np.float32] | None:
    """Return the copy of an array mapped from disk, shape (n_y, n_x, n_wavelength); None where there is none."""
    try:
        path = cache.find(identity_of(source), _NAME)
    except OSError:
        return None
    return None if path is None else _mapped(path, source)


def build_copy(source: FitsArray, *, progress: Progress = silent) -> NDArray[np.float32]:
    """Return the copy of an array, made if there is none.

    Parameters
    ----------
    source : FitsArray
        With three axes, shape (n_wavelength, n_y, n_x).
    progress : Progress
        Told each block; may raise `Cancelled`, and then nothing is left.

    Raises
    ------
    WriteError
        As in `cache.find_or_make`.
    """

    def write(path: Path) -> None:
        n_wave, n_y, n_x = source.shape
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, _header((n_y, n_x, n_wave)))
            for row in range(0, n_y, _ROWS):
                progress(row, n_y, "copying spectra")
                np.ascontiguousarray(np.moveaxis(source[:, row : row + _ROWS], 0, -1)).tofile(stream)

    n_bytes = 4 * int(np.prod(source.shape))
    path = cache.find_or_make(identity_of(source), _NAME, n_bytes, write, progress=progress)
    copy: NDArray[np.float32] = np.load(path, mmap_mode="r")
    return copy


def _header(shape: tuple[int, ...]) -> dict[str, Any]:
    return {"descr": np.lib.format.dtype_to_descr(np.dtype(np.float32)), "fortran_order": False, "shape": shape}


def _mapped(path: Path, source: FitsArray) -> NDArray[np.float32] | None:
    """Map a copy; one that is not of the array's shape is thrown away."""
    try:
        copy: NDArray[np.float32] = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        copy = np.empty(0, dtype=np.float32)
    if copy.shape != (*source.shape[1:], source.shape[0]) or copy.dtype != np.float32:
        cache.discard(path, f"it is no copy of {source.shape} values")
        return None
    return copy
