"""Copies of cubes in the order of spectra: one spaxel of a cold mosaic is one reading instead of thousands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.io import cache
from napari_kmos.lazy import read_spectra, scan_rows
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from io import FileIO

    from numpy.typing import NDArray

    from napari_kmos.io._array import FitsArray

_NAME = "spectra.npy"
#: Changes with how files are read or copies written, so that what older versions kept is not taken for new.
_VERSION = 1

#: Given the rows as a slice and their spectra, shape (n_rows, n_x, n_wavelength), to be changed at will.
UseSpectra = Callable[[slice, "NDArray[np.float32]"], object]


@dataclass(frozen=True, slots=True)
class SpectrumCopy:
    """The copy of a cube in which the values of one spectrum lie together.

    Pieces are read, not mapped: reading a row of spaxels at once is what makes a cold disk quick.

    Parameters
    ----------
    path : Path
        A file in numpy's format, native float32.
    shape : tuple of int
        (n_y, n_x, n_wavelength).
    offset : int
        Byte at which the values start.
    """

    path: Path
    shape: tuple[int, int, int]
    offset: int

    def read(self, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return the spectra of some rows and columns, shape (n_rows, n_columns, n_wavelength).

        Raises
        ------
        OSError
            If the file is gone or shorter than it was.
        """
        n_y, n_x, n_wave = self.shape
        row, end, _ = rows.indices(n_y)
        first, last, _ = columns.indices(n_x)
        spectra = np.empty((end - row, last - first, n_wave), dtype=np.float32)
        with self.path.open("rb", buffering=0) as stream:
            for number, one in enumerate(spectra):
                stream.seek(self.offset + 4 * n_wave * ((row + number) * n_x + first))
                _fill(stream, one)
        return spectra


def identity_of(source: FitsArray) -> cache.Identity:
    """Return what the values of an array depend on: the state of its file, its extension, and how they are read."""
    return (*source.identity, repr(source), _VERSION)


def find_copy(source: FitsArray) -> SpectrumCopy | None:
    """Return the copy of an array; None where there is none. One that is no copy of it is thrown away."""
    try:
        path = cache.find(identity_of(source), _NAME)
        return None if path is None else _opened(path, source)
    except OSError:
        return None


def copy_bytes(source: FitsArray) -> int:
    """Return how large the copy of an array is, but for its short header."""
    return 4 * math.prod(source.shape)


def build_copy(source: FitsArray, *, use: UseSpectra | None = None, progress: Progress = silent) -> bool:
    """Make the copy of an array if there is none; tell whether it was made.

    Parameters
    ----------
    source : FitsArray
        With three axes, shape (n_wavelength, n_y, n_x).
    use : callable, optional
        Given all spectra while they are in memory, block by block, from two threads; not called where there is a copy.
    progress : Progress
        Told each block; may raise `Cancelled`, and then nothing is left.

    Raises
    ------
    WriteError
        As in `cache.find_or_make`.
    """
    n_wave, n_y, n_x = source.shape
    made = []

    def write(path: Path) -> None:
        header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (n_y, n_x, n_wave)}
        with path.open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            start = stream.tell()

        def copy(rows: slice) -> None:
            spectra = read_spectra(source, rows)
            with path.open("r+b", buffering=0) as stream:
                stream.seek(start + 4 * n_wave * n_x * rows.start)
                spectra.tofile(stream)
            if use is not None:
                use(rows, spectra)

        scan_rows(source.shape, copy, progress=progress, text="copying spectra")
        made.append(path)

    cache.find_or_make(identity_of(source), _NAME, copy_bytes(source), write, progress=progress)
    return bool(made)


def _opened(path: Path, source: FitsArray) -> SpectrumCopy | None:
    n_wave, n_y, n_x = source.shape
    expected = (n_y, n_x, n_wave), False, np.dtype(np.float32)
    with path.open("rb") as stream:
        try:
            np.lib.format.read_magic(stream)
            found = np.lib.format.read_array_header_1_0(stream)
        except ValueError:
            found = None
        if found == expected and path.stat().st_size == stream.tell() + 4 * math.prod(source.shape):
            return SpectrumCopy(path, (n_y, n_x, n_wave), stream.tell())
    cache.discard(path, f"it holds no spectra of {n_y} x {n_x} spaxels and {n_wave} wavelengths")
    return None


def _fill(stream: FileIO, values: NDArray[np.float32]) -> None:
    """Read values until an array is full; the system may give a large piece in parts."""
    left = values.data.cast("B")
    while len(left):
        n_read = stream.readinto(left)
        if not n_read:
            msg = f"{stream.name}: ends too early"
            raise OSError(msg)
        left = left[n_read:]
