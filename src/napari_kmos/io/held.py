"""Parts of cubes held in memory for a while, in the order of spectra: what is looked at again is not read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_kmos.io._array import FitsArray

#: All that is held; what was not asked for the longest is let go.
HELD_BYTES = 192 * 2**20

#: First row, first column, and those behind the last.
Corners: TypeAlias = tuple[int, int, int, int]

_held: OrderedDict[tuple[tuple[str, int, int, int], Corners], NDArray[np.float32]] = OrderedDict()
_holding = threading.Lock()  # asked for by one thread while another reads ahead


def keep_held(source: FitsArray, corners: Corners, spectra: NDArray[np.float32]) -> None:
    """Hold rows and columns of a cube, shape (n_rows, n_columns, n_wavelength), and let older ones go."""
    spectra.flags.writeable = False
    with _holding:
        _held[source.identity, corners] = spectra
        while sum(one.nbytes for one in _held.values()) > HELD_BYTES:
            _held.popitem(last=False)


def find_held(source: FitsArray, corners: Corners) -> NDArray[np.float32] | None:
    """Return rows and columns of a cube, as `keep_held`, not to be written to, if all of them are held.

    Raises
    ------
    NotKmosError
        If the file is not what it was when it was opened.
    """
    y0, x0, y1, x1 = corners
    with _holding:
        for key in reversed(_held):
            identity, (y, x, y_end, x_end) = key
            if identity == source.identity and y <= y0 and x <= x0 and y1 <= y_end and x1 <= x_end:
                source.pixels.file.plain_path()
                _held.move_to_end(key)
                return _held[key][y0 - y : y1 - y, x0 - x : x1 - x]
    return None
