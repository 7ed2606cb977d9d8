"""The index of a large cube: everything that makes later readings quick, in one pass over the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_kmos.io.copies import build_copy, find_copy
from napari_kmos.io.source import source_of
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.summary.noise import summarise_noise
from napari_kmos.summary.white import white_light

if TYPE_CHECKING:
    from napari_kmos.cube import Cube


def is_indexed(cube: Cube) -> bool:
    """Tell whether `index` has nothing to do: it was done for this file, or the cube is in memory."""
    arrays = [array for array in (cube.flux, cube.noise) if array is not None]
    sources = [source for array in arrays if (source := source_of(array)) is not None]
    return all(find_copy(source) is not None for source in sources)


def index(cube: Cube, *, progress: Progress = silent) -> None:
    """Make the spectrum-ordered copies of flux and noise, the white light and the noise summaries.

    Parameters
    ----------
    cube : Cube
        As read from a file; of one in memory there is nothing to make.
    progress : Progress
        Told each block; may raise `Cancelled`, and then nothing is left half done.

    Raises
    ------
    WriteError
        If the cache cannot hold it.
    """
    for part, array in enumerate((cube.flux, cube.noise)):
        source = None if array is None else source_of(array)
        if source is not None:
            build_copy(source, progress=part_of(progress, part, 2))
    white_light(cube)
    summarise_noise(cube)
