"""Past the task graph of a lazy array: what is read piece by piece goes straight to the object that dask shows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import dask.array as da
import numpy as np
from dask.base import compute

from napari_kmos.progress import Progress, silent
from napari_kmos.threads import compute_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array

#: Size in memory of the pieces in which a cube is read: large enough to be quick, small against any machine's memory.
BLOCK_BYTES = 24 * 2**20
#: So many planes are turned at a time: what is written lies together in the processor's cache.
_TURNED_PLANES = 256


class Sliceable(Protocol):
    """An array as far as pieces can be taken from it: numpy's, dask's, or one of a file."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return a piece."""


def original_of(array: Sliceable) -> Any:
    """Return the object that a dask array was made from and shows unchanged; the array itself where there is none.

    A graph of thousands of tasks, one a block of planes, takes longer than reading a row across all planes does.
    """
    if not isinstance(array, da.Array):
        return array
    kept = f"original-{array.name}"
    return array.dask.layers.get(kept, {}).get(kept, array)


class LastPlanes:
    """A cube of which many parts are read, planes after planes: whole planes once, of which each thread keeps its last.

    Parameters
    ----------
    array : Sliceable
        Shape (n_wavelength, n_y, n_x).
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self._kept = threading.local()  # else a thread that is ahead would take them from the other
        self.shape: tuple[int, int, int] = array.shape

    def __getitem__(self, key: tuple[slice, slice, slice]) -> Any:
        """Return rows and columns of consecutive planes, not to be written to."""
        planes, *area = key
        start, stop, _ = planes.indices(self.shape[0])
        kept: tuple[int, int, Any] = getattr(self._kept, "block", (0, 0, None))
        first, last, block = kept
        if not first <= start < stop <= last:
            (block,) = computed(self._array[start:stop])
            first, self._kept.block = start, (start, stop, block)
        return block[start - first : stop - first, *area]

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to other processes without the planes."""
        return LastPlanes, (self._array,)


def computed(*pieces: Any) -> tuple[Any, ...]:
    """Return pieces of arrays, the lazy ones computed together in this thread.

    Others are kept from dask, which leaves what it was given in cycles of references: they fill the memory until
    Python's collector comes.
    """
    if any(isinstance(piece, da.Array) for piece in pieces):
        return tuple(compute(*pieces, scheduler="synchronous"))
    return pieces


def read_piece(array: Sliceable, key: tuple[slice, ...]) -> NDArray[np.float32]:
    """Return a piece of an array, computed; a view where the array is in memory."""
    return np.asarray(original_of(array)[key], dtype=np.float32)


def read_chosen_planes(array: Sliceable, chosen: NDArray[np.int_]) -> NDArray[np.float32]:
    """Return single planes of a cube, shape (n_chosen, n_y, n_x)."""
    return np.concatenate([read_piece(array, (slice(k, k + 1),)) for k in chosen.tolist()])


def read_spectra(array: Sliceable, rows: slice, planes: slice = slice(None)) -> NDArray[np.float32]:
    """Return rows of a cube in the order of spectra, shape (n_rows, n_x, n_planes), as an array of its own."""
    return spectra_first(read_piece(array, (planes, rows)))


def spectra_first(values: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous copy in which the first axis has become the last."""
    flat = values.reshape(len(values), -1)
    turned = np.empty(flat.shape[::-1], dtype=flat.dtype)
    for first in range(0, len(flat), _TURNED_PLANES):
        part = slice(first, first + _TURNED_PLANES)
        turned[:, part] = flat[part].T
    return turned.reshape(*values.shape[1:], len(values))


def scan_rows(
    shape: tuple[int, ...],
    use: Callable[[slice], object],
    *,
    progress: Progress = silent,
    text: str = "reading spectra",
) -> None:
    """Call a function with all rows of a cube, in blocks, in two threads.

    Parameters
    ----------
    shape : tuple of int
        (n_wavelength, n_y, n_x) of what is read; a block of rows is about 24 MiB of float32.
    use : callable
        Given the rows as a slice with start and stop. It is called from two threads at once.
    progress : Progress
        Told each block, in the thread of the caller; may raise `Cancelled`.
    text : str
        For the progress.
    """
    blocks = list(row_blocks(shape))
    if len(blocks) == 1:  # a thread costs more than a small cube
        use(blocks[0])
        return
    with contextlib.closing(compute_ahead(use, blocks)) as done:
        for number, _ in enumerate(done, start=1):
            progress(number, len(blocks), text)


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield slices of consecutive rows whose size in memory, over all planes, is bounded, in order."""
    n_planes, n_y, n_x = shape
    size = max(1, BLOCK_BYTES // max(1, 4 * n_planes * n_x))
    for first in range(0, n_y, size):
        yield slice(first, min(first + size, n_y))


def plane_blocks(array: Array, planes: slice = slice(None), *, n_bytes: int | None = None) -> Iterator[slice]:
    """Yield slices of consecutive planes whose size in memory is bounded, by default to some MB, in order."""
    start, stop, _ = planes.indices(array.shape[0])
    size = max(1, (n_bytes or BLOCK_BYTES) // max(1, 4 * int(np.prod(array.shape[1:]))))
    for first in range(start, stop, size):
        yield slice(first, min(first + size, stop))
