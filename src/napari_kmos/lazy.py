"""Past the task graph of a lazy array: what is read piece by piece goes straight to the object that dask shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array


def original_of(array: Array) -> Any:
    """Return the object that a dask array was made from and shows unchanged; the array itself where there is none.

    A graph of thousands of tasks, one a block of planes, takes longer than reading a row across all planes does.
    """
    if not isinstance(array, da.Array):
        return array
    kept = f"original-{array.name}"
    return array.dask.layers.get(kept, {}).get(kept, array)


def read_piece(array: Array, key: tuple[slice, ...]) -> NDArray[np.float32]:
    """Return a piece of an array, computed; a view where the array is in memory."""
    return np.asarray(original_of(array)[key], dtype=np.float32)
