"""The medians of a cube in both directions, from one pass over its spectra."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.io.source import scan_spectra, source_of
from napari_kmos.io.summaries import keep_arrays
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral.nan import median_in_place, nan_median

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_kmos.cube import Array
    from napari_kmos.io._array import FitsArray

#: Smaller arrays are quicker to read whole than to look up.
LARGE_BYTES = 16 * 2**20
MEDIANS, NOISE_MEDIANS = "medians", "noise-medians"
_SAMPLED_SPAXELS = 4096


class Medians:
    """Collects the median over the wavelengths of each spaxel, and over the spaxels of each wavelength.

    The first is exact; the second is that of at most 4096 spaxels, the same at each time, chosen at random so that no
    pattern of slices or IFUs is favoured.

    Parameters
    ----------
    shape : tuple of int
        (n_wavelength, n_y, n_x).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        n_wave, *size = shape
        n_spaxels = math.prod(size)
        chosen = np.random.default_rng(1).choice(n_spaxels, min(n_spaxels, _SAMPLED_SPAXELS), replace=False)
        self._chosen = np.sort(chosen)
        self._sample = np.empty((self._chosen.size, n_wave), dtype=np.float32)
        self._image = np.empty(size, dtype=np.float32)

    def use(self, rows: slice, spectra: NDArray[np.float32]) -> None:
        """Take some rows, shape (n_rows, n_x, n_wavelength), which lose their order."""
        columns = spectra.reshape(-1, spectra.shape[-1])
        first = rows.start * self._image.shape[1]
        mine = slice(*np.searchsorted(self._chosen, [first, first + len(columns)]))
        self._sample[mine] = columns[self._chosen[mine] - first]
        self._image[rows] = median_in_place(spectra)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return ``image``, shape (n_y, n_x), and ``spectrum``, shape (n_wavelength,); NaN is no data."""
        return {"image": self._image, "spectrum": nan_median(self._sample).astype(np.float32)}


def large_source(array: Array | None) -> FitsArray | None:
    """Return the file's array behind a lazy one if it is worth keeping something on disk for it."""
    source = None if array is None else source_of(array)
    return None if source is None or 4 * math.prod(source.shape) < LARGE_BYTES else source


def medians_of(
    array: Array,
    *,
    text: str,
    progress: Progress = silent,
    turned: tuple[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] | None = None,
) -> Mapping[str, NDArray[Any]]:
    """Return what `Medians` collects from an array; kept on disk for large ones.

    Parameters
    ----------
    array : numpy or dask array, shape (n_wavelength, n_y, n_x)
        Flux or noise.
    text : str
        For the progress.
    progress : Progress
        Told each block; may raise `Cancelled`.
    turned : tuple of str and callable, optional
        What the medians are called, and what they are taken of instead of the spectra that it is given.
    """
    name, change = turned or (MEDIANS, lambda spectra: spectra)

    def compute() -> Mapping[str, NDArray[Any]]:
        medians = Medians(array.shape)

        def use(rows: slice, spectra: NDArray[np.float32]) -> None:
            medians.use(rows, change(spectra))

        scan_spectra(array, use, progress=progress, text=text)
        return medians.arrays()

    source = large_source(array)
    return compute() if source is None else keep_arrays(source, name, compute, progress=progress)
