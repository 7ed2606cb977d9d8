"""The index of a large cube: everything that makes later readings quick, in one pass over the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_kmos.io import cache
from napari_kmos.io.copies import build_copy, copy_bytes, find_copy
from napari_kmos.io.summaries import find_arrays, keep_arrays
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.summary.medians import MEDIANS, Medians, large_source, medians_of
from napari_kmos.summary.noise import noise_model

if TYPE_CHECKING:
    from napari_kmos.cube import Array, Cube
    from napari_kmos.io._array import FitsArray


def is_indexed(cube: Cube) -> bool:
    """Tell whether `index` has nothing to do: it was done, or the cube is small or in memory."""
    return all(find_copy(source) is not None and find_arrays(source, MEDIANS) is not None for _, source in _large(cube))


def index(cube: Cube, *, progress: Progress = silent) -> None:
    """Make the spectrum-ordered copies of flux and noise, the white light and the summaries of the noise.

    The file is read once, in blocks of rows, in two threads that together need less than 400 MB.

    Parameters
    ----------
    cube : Cube
        As read from a file; for a small one, or one in memory, nothing is made.
    progress : Progress
        Told each block; may raise `Cancelled`: what is not complete then is removed.

    Raises
    ------
    WriteError
        If the cache cannot hold it, or the disk is full.
    """
    large = _large(cube)
    cache.check_bound(sum(copy_bytes(source) for _, source in large))
    for part, (array, source) in enumerate(large):
        tell = part_of(progress, part, len(large))
        medians = Medians(source.shape)
        is_known = find_arrays(source, MEDIANS) is not None
        made = build_copy(source, use=None if is_known else medians.use, progress=tell)
        if made and not is_known:
            keep_arrays(source, MEDIANS, medians.arrays, progress=tell)
        else:
            medians_of(array, text=f"summary of {cube.label}", progress=tell)
    if large and cube.noise is None:
        noise_model(cube, progress=progress)


def _large(cube: Cube) -> list[tuple[Array, FitsArray]]:
    """Arrays of the cube that are worth an index, and what they are in the file."""
    arrays = [array for array in (cube.flux, cube.noise) if array is not None]
    return [(array, source) for array in arrays if (source := large_source(array)) is not None]
