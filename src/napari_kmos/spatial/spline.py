"""Cubic B-spline interpolation of images as a linear operator, for grids with and without parallel axes.

Because the interpolating spline is linear, one and the same operator gives values and, with its weights squared,
variances. Where the axes of two grids are parallel it is a pair of small dense matrices, else a sparse matrix.

Reference for the interpolating B-spline and its prefilter: Unser (1999), IEEE Signal Processing Magazine 16(6), 22.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

Shape = tuple[int, int]
Floats = NDArray[np.float64]
#: Called with positions, the number of values and, optionally, which values, shape (m, k): weights of shape (m, k).
Weights = Callable[[Floats, int, NDArray[np.intp] | None], Floats]

#: Axes count as parallel if no position of the field is wrong by more than this.
_PARALLEL_PIX = 0.01
#: Weights below this, and further than this many pixels away, are left out of sparse operators.
_SMALLEST_WEIGHT = 3e-5
_REACH_PIX = 8
#: Images of more pixels a side are mosaics: sparse matrices, and ten times larger weights are left out of the sparse.
_DENSE_SIZE = 64
_COARSER = 10
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Separable:
    """Linear operator on images that acts on rows and columns one after the other; its matrices may be sparse."""

    rows: Floats | csr_array
    columns: Floats | csr_array

    def __call__(self, planes: Floats) -> Floats:
        """Apply to planes of shape (n, n_y, n_x)."""
        if isinstance(self.rows, np.ndarray) and isinstance(self.columns, np.ndarray):
            return np.asarray(self.rows @ (planes @ self.columns.T))
        n, n_y, n_x = planes.shape
        turned = self.rows @ np.ascontiguousarray(planes.transpose(1, 0, 2)).reshape(n_y, n * n_x)
        turned = self.columns @ np.ascontiguousarray(turned.reshape(-1, n_x).T)
        return np.ascontiguousarray(turned.reshape(self.columns.shape[0], -1, n).transpose(2, 1, 0))

    def map(self, function: Callable[[Any], Any]) -> Separable:
        """Return the operator whose weights are ``function`` of these; it must be multiplicative (abs, square)."""
        return Separable(_mapped(self.rows, function), _mapped(self.columns, function))


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Linear operator on images, given by a sparse matrix (output pixels, input pixels)."""

    matrix: csr_array
    shape: Shape

    def __call__(self, planes: Floats) -> Floats:
        """Apply to planes of shape (n, n_y, n_x)."""
        flat = np.ascontiguousarray(planes.reshape(len(planes), -1).T)
        return np.ascontiguousarray((self.matrix @ flat).T).reshape(len(planes), *self.shape)

    def map(self, function: Callable[[Any], Any]) -> Sparse:
        """Return the operator whose weights are ``function`` of these."""
        return Sparse(_mapped(self.matrix, function), self.shape)


def spline_weights(positions: Floats, size: int, which: NDArray[np.intp] | None = None) -> Floats:
    """Return the weights by which a natural cubic spline through ``size`` equidistant values is evaluated.

    Parameters
    ----------
    positions : ndarray, shape (m,)
        Where, in pixels; outside [0, size - 1] the spline goes on as a straight line.
    size : int
        Number of values.
    which : ndarray of int, shape (m, k), optional
        Values whose weights are wanted; all by default.

    Returns
    -------
    ndarray, shape (m, size) or (m, k)
        The weights of all values add up to 1.
    """
    base = np.clip(np.floor(positions).astype(int), -1, size - 1)
    t = positions - base
    basis = ((1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3)
    coefficients = _spline_coefficients(size)
    chosen = np.arange(size)[None] if which is None else which
    rows = (base + 1)[:, None]
    weights: Floats = sum(part[:, None] / 6 * coefficients[rows + k, chosen] for k, part in enumerate(basis))
    return weights


def linear_weights(positions: Floats, size: int, which: NDArray[np.intp] | None = None) -> Floats:
    """Return the weights of linear interpolation, which are also the areas that equal pixels share.

    Parameters
    ----------
    positions : ndarray, shape (m,)
        Where, in pixels; outside [0, size - 1] the outermost value is taken.
    size : int
        Number of values.
    which : ndarray of int, shape (m, k), optional
        Values whose weights are wanted; all by default.

    Returns
    -------
    ndarray, shape (m, size) or (m, k)
        The weights of all values add up to 1.
    """
    chosen = np.arange(size)[None] if which is None else which
    distance = np.abs(np.clip(positions, 0, size - 1)[:, None] - chosen)
    return np.asarray(np.maximum(1 - distance, 0))


def make_operator(y: Floats, x: Floats, shape: Shape, *, weights: Weights = spline_weights) -> Separable | Sparse:
    """Build the operator that interpolates images at some positions.

    Parameters
    ----------
    y, x : ndarray, shape (m_y, m_x)
        Positions of the output pixels in the pixels of the input.
    shape : tuple of int
        (n_y, n_x) of the input.
    weights : callable
        `spline_weights` or `linear_weights`.

    Returns
    -------
    Separable or Sparse
        Separable if the axes are parallel to 0.01 pixel over the field. Nothing is said about positions outside.
    """
    row, column = y.mean(axis=1), x.mean(axis=0)
    wrong = max(np.abs(y - row[:, None]).max(), np.abs(x - column[None, :]).max())
    if wrong < _PARALLEL_PIX:
        return Separable(*(_axis_matrix(at, size, weights) for at, size in zip((row, column), shape, strict=True)))
    parts = [
        _sparse_rows(y.ravel()[start : start + _ROWS_AT_ONCE], x.ravel()[start : start + _ROWS_AT_ONCE], shape, weights)
        for start in range(0, y.size, _ROWS_AT_ONCE)
    ]
    return Sparse(csr_array(vstack(parts, format="csr")), (y.shape[0], y.shape[1]))


def _mapped(matrix: Any, function: Callable[[Any], Any]) -> Any:
    """Return a matrix, dense or sparse, with a function applied to its elements."""
    if isinstance(matrix, np.ndarray):
        return function(matrix)
    return csr_array((function(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)


def _axis_matrix(positions: Floats, size: int, function: Weights) -> Floats | csr_array:
    """Weights along one axis: dense for the few spaxels of an IFU, else the nearest ones alone."""
    if size <= _DENSE_SIZE:
        return function(positions, size, None)
    weights, which = _nearest_weights(positions, size, function)
    return _csr(weights / weights.sum(axis=1, keepdims=True), which, size)


def _sparse_rows(y: Floats, x: Floats, shape: Shape, function: Weights) -> csr_array:
    """Rows of the sparse operator for some positions: products of the weights along both axes."""
    rows, at_row = _nearest_weights(y, shape[0], function)
    columns, at_column = _nearest_weights(x, shape[1], function)
    weights = rows[:, :, None] * columns[:, None, :]
    weights[np.abs(weights) < _SMALLEST_WEIGHT * (1 if max(shape) <= _DENSE_SIZE else _COARSER)] = 0
    weights /= weights.sum(axis=(1, 2), keepdims=True)
    where = at_row[:, :, None] * shape[1] + at_column[:, None, :]
    return _csr(weights.reshape(len(y), -1), where.reshape(len(y), -1), shape[0] * shape[1])


def _csr(weights: Floats, which: NDArray[np.intp], size: int) -> csr_array:
    """Sparse matrix of some weights a row, without zeros."""
    pointers = np.arange(0, weights.size + 1, weights.shape[1], dtype=np.int32)
    matrix = csr_array((weights.ravel(), which.ravel().astype(np.int32), pointers), shape=(len(weights), size))
    matrix.eliminate_zeros()
    return matrix


def _nearest_weights(positions: Floats, size: int, function: Weights) -> tuple[Floats, NDArray[np.intp]]:
    """Weights of the nearest values along an axis, and which values those are."""
    width = min(size, 2 * _REACH_PIX)
    inner = np.clip(positions, -0.5, size - 0.5)  # positions outside are masked later: any finite weights will do
    first = np.clip(np.floor(inner).astype(int) - _REACH_PIX + 1, 0, size - width)
    which = first[:, None] + np.arange(width)
    return function(inner, size, which), which


def _spline_coefficients(size: int) -> Floats:
    """Matrix (size + 4, size) from values to B-spline coefficients, two further ones at each end."""
    if size == 1:
        return np.ones((5, 1))
    through = (np.diag(np.full(size, 4.0)) + np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1)) / 6
    through[0], through[-1] = 0, 0
    through[0, 0] = through[-1, -1] = 1
    inner = np.linalg.inv(through)
    first, last = inner[0] - inner[1], inner[-1] - inner[-2]
    return np.vstack([inner[0] + 2 * first, inner[0] + first, inner, inner[-1] + last, inner[-1] + 2 * last])
