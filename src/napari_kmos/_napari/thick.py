"""Thick slices: some planes put together, NaN left out, few of them in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_kmos.spectral.nan import divide

#: What is read at once where planes are put together.
_PIECE_BYTES = 16 * 2**20

Load = Callable[[int, int], NDArray[Any]]


class ThickSlice:
    """Planes from a first to a last one put together, and again from other planes as the slider moves.

    Sums are carried on: only the planes that come and go are read. They are float64, so that of 16 digits a plane a
    billion times as bright as the others leaves 7 behind it.

    Parameters
    ----------
    load : callable
        Returns the planes from a first one up to another, shape (n, y, x).
    plane_bytes : int
        Size of one.
    """

    def __init__(self, load: Load, plane_bytes: int) -> None:
        self._load, self._size = load, max(1, _PIECE_BYTES // max(1, plane_bytes))
        self._summed = range(0)
        self._total: Any = 0.0
        self._number: Any = 0

    def project(self, how: str, start: int, stop: int) -> NDArray[np.float32]:
        """Put planes together as napari calls it: ``"mean"``, ``"sum"``, ``"max"`` or ``"min"``."""
        if how in _EXTREMES:
            extreme = _EXTREMES[how]
            pieces = (extreme.reduce(piece, axis=0) for piece in self._pieces(start, stop))
            return extreme.reduce(list(pieces), axis=0)
        self._sum(range(start, stop))
        if how == "sum":
            return np.where(self._number > 0, self._total, np.nan).astype(np.float32)
        return divide(self._total, self._number).astype(np.float32)

    def _sum(self, wanted: range) -> None:
        """Sum the finite values of the wanted planes, and count them; from the last sum, if that is shorter."""
        known, self._summed = self._summed, range(0)  # if a file fails meanwhile, the next one begins anew
        common = range(max(known.start, wanted.start), min(known.stop, wanted.stop))
        if 2 * len(common) <= len(known):
            known = common = range(wanted.start, wanted.start)
            self._total, self._number = 0.0, 0
        for planes, sign in ((known, -1), (wanted, 1)):
            for start, stop in ((planes.start, common.start), (common.stop, planes.stop)):
                for piece in self._pieces(start, stop):
                    used = np.isfinite(piece)
                    self._total = self._total + sign * np.sum(np.where(used, piece, 0), axis=0, dtype=float)
                    self._number = self._number + sign * np.count_nonzero(used, axis=0)
        self._summed = wanted

    def _pieces(self, start: int, stop: int) -> Iterator[NDArray[Any]]:
        for begin in range(start, stop, self._size):
            yield self._load(begin, min(begin + self._size, stop))


_EXTREMES = {"max": np.fmax, "min": np.fmin}
