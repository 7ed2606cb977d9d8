"""The planes of a lazy cube, as napari asks for them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import dask.array as da
import numpy as np
from numpy.typing import NDArray

_BLOCKS_KEPT = 2


class Planes:
    """A dask cube that keeps the last blocks of planes it read.

    Stepping through neighbouring planes reads each block once, and memory stays at two blocks a layer, whatever the
    size of the cube; napari's own cache of dask arrays grows by gigabytes over a mosaic.

    Parameters
    ----------
    array : dask array, shape (wavelength, y, x)
        Cut into blocks of whole planes; other cuts along y and x work, but read more.
    """

    def __init__(self, array: da.Array) -> None:
        self.array = array
        self.shape, self.ndim, self.dtype, self.size = array.shape, array.ndim, array.dtype, array.size
        self._ends = np.cumsum(array.chunks[0])
        self._blocks: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Read planes; those of one block come from a kept one if they can."""
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            plane = int(first) % self.shape[0]
            number, start = self._place(plane)
            return self._block(number)[(plane - start, *rest)]
        if isinstance(first, slice):  # napari asks for a slice of one plane
            low, high, step = first.indices(self.shape[0])
            number, start = self._place(min(low, self.shape[0] - 1))
            if 0 <= low < high <= self._ends[number] and step > 0:
                return self._block(number)[(slice(low - start, high - start, step), *rest)]
        return np.asarray(self.array[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read the whole cube."""
        return np.asarray(self.array.compute(), dtype=dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def _place(self, plane: int) -> tuple[int, int]:
        """Return the block of a plane, and the first plane of that block."""
        number = int(np.searchsorted(self._ends, plane, side="right"))
        return number, int(self._ends[number - 1]) if number else 0

    def _block(self, number: int) -> NDArray[Any]:
        """Block of planes, from memory if it was among the last ones used."""
        if number not in self._blocks:
            self._blocks[number] = np.asarray(self.array.blocks[number])
        self._blocks.move_to_end(number)
        while len(self._blocks) > _BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        return self._blocks[number]
