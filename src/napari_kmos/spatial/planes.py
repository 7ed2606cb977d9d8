"""The wavelength axis of an exposure moved by its zero point, in the same interpolation as its spaxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from napari_kmos.errors import GeometryError
from napari_kmos.spatial.kernels import Floats, Indices, Weights, linear_weights, spline_weights, squared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spatial.operators import Planes

#: Planes from which one is made. Weights of a spline fall by 0.27 a plane: the rest is 3e-6.
_TAPS = 20
_LINEAR_TAPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class PlaneShift:
    """Reads planes between those of an exposure, by a natural cubic spline along the wavelength.

    Parameters
    ----------
    positions : ndarray, shape (n_planes,)
        Where each plane of the result lies in the exposure, in planes.
    """

    positions: Floats

    def reads(self, start: int, stop: int) -> tuple[int, int]:
        """Return the planes of the exposure, first and one past the last, from which some of the result are made."""
        firsts = self._first(self.positions[start:stop], _TAPS)
        return int(firsts.min()), int(firsts.max()) + min(_TAPS, self.positions.size)

    def values(self, start: int, stop: int, planes: Planes) -> Planes:
        """Return planes from ``start`` to ``stop`` of the result from those that `reads` tells."""
        return _mix(self._matrix(start, stop, spline_weights, _TAPS), planes)

    def variances(self, start: int, stop: int, planes: Planes) -> Planes:
        """Return the variances of the values from those of independent planes."""
        return _mix(self._matrix(start, stop, squared(spline_weights), _TAPS), planes)

    def shares(self, start: int, stop: int, ok: NDArray[np.bool_]) -> Planes:
        """Return which part of each voxel of the result rests on data; none of it where it lies off the exposure."""
        share = _mix(self._matrix(start, stop, linear_weights, _LINEAR_TAPS), ok.astype(np.float32))
        at = self.positions[start:stop]
        share[(at < -0.5) | (at > self.positions.size - 0.5)] = 0
        return share

    def _matrix(self, start: int, stop: int, weights: Weights, taps: int) -> csr_array:
        """Matrix from the planes that `reads` tells; whatever the block, a plane is made of the same ones."""
        size = self.positions.size
        first, last = self.reads(start, stop)
        at = np.clip(self.positions[start:stop], -0.5, size - 0.5)
        firsts, width = self._first(at, taps), min(taps, size)
        values = weights(at - firsts, width, None).astype(np.float32)
        which = firsts[:, None] - first + np.arange(width)
        pointers = np.arange(0, values.size + 1, width)
        matrix = csr_array((values.ravel(), which.ravel(), pointers), shape=(stop - start, last - first))
        matrix.eliminate_zeros()
        return matrix

    def _first(self, at: Floats, taps: int) -> Indices:
        """First of the planes from which each is made."""
        size = self.positions.size
        return np.asarray(np.clip(np.floor(at).astype(int) - taps // 2 + 1, 0, max(size - taps, 0)))


def _mix(matrix: csr_array, planes: Planes) -> Planes:
    """Mix planes of shape (n, n_y, n_x) by a matrix."""
    if len(planes) != matrix.shape[1]:
        msg = f"{len(planes)} planes given to be shifted; expected the {matrix.shape[1]} that `reads` tells"
        raise GeometryError(msg)
    return np.asarray(matrix @ planes.reshape(len(planes), -1)).reshape(-1, *planes.shape[1:])


def fill_planes(planes: Planes, empty: Indices) -> Planes:
    """Return planes with the empty ones replaced by the nearest that is not."""
    there = np.setdiff1d(np.arange(len(planes)), empty)
    if there.size in (0, len(planes)):
        return planes
    index = np.arange(len(planes))
    after = np.clip(np.searchsorted(there, index), 0, there.size - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(there[before] - index) <= np.abs(there[after] - index)
    return np.asarray(planes[np.where(closer, there[before], there[after])])
