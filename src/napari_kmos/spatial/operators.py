"""Linear operators on planes of an image, for grids with and without parallel axes, in float32.

Interpolation is linear: one and the same kind of operator gives values, variances (its weights squared) and the share
of an output pixel that rests on data. Where the axes of two grids are parallel it is a pair of matrices, one for rows
and one for columns, in dense blocks along their diagonals, which BLAS is quick with; else it is a sparse matrix, for
the spline behind a pair that turns values into B-spline coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from napari_kmos.spatial.kernels import Floats, Indices, Weights, spline_basis, spline_coefficients, spline_weights

Shape: TypeAlias = tuple[int, int]
Planes: TypeAlias = NDArray[np.float32]

#: Axes count as parallel if no position of the field is wrong by more than this.
_PARALLEL_PIX = 0.01
#: Shifts this close to whole pixels are taken for whole: a tenth of what centroids are asked to be good for.
_WHOLE_PIX = 1e-3
#: Weights below this are left out of blocks; those of a spline fall by 0.27 a pixel.
_SMALLEST_WEIGHT = 1e-6
#: Rows of a dense block; IFUs are one block.
_BLOCK_ROWS = 48
_REACH_PIX = 11
#: The same for sparse matrices, which hold squared weights of splines or kernels of few taps.
_SMALLEST_SPARSE = 1e-5
_REACH_SPARSE_PIX = 5
_ROWS_AT_ONCE = 4096
#: Values that go through a sparse matrix at a time: as many as fit into the cache.
_VALUES_AT_ONCE = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A dense part of a matrix: which outputs it makes of which inputs."""

    target: slice
    source: slice
    weights: Planes


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """A matrix (n_out, n_in) along one axis: what it copies without change, or its dense blocks."""

    n_out: int
    blocks: tuple[Block, ...]
    copied: slice | None = None

    def columns(self, planes: Planes) -> Planes:
        """Apply along the last axis of planes of shape (n, n_y, n_x)."""
        if self.copied is not None:
            return planes[..., self.copied]
        result = np.empty((*planes.shape[:2], self.n_out), dtype=np.float32)
        for block in self.blocks:  # plane by plane: one large product would round each by how many there are
            np.matmul(planes[..., block.source], block.weights.T, out=result[..., block.target])
        return result

    def rows(self, planes: Planes) -> Planes:
        """Apply along the middle axis of planes of shape (n, n_y, n_x)."""
        if self.copied is not None:
            return planes[:, self.copied]
        result = np.empty((len(planes), self.n_out, planes.shape[2]), dtype=np.float32)
        for block in self.blocks:
            np.matmul(block.weights, planes[:, block.source], out=result[:, block.target])
        return result

    def dense(self, n_in: int) -> Planes:
        """Return the whole matrix (n_out, n_in)."""
        matrix: Planes = self.columns(np.eye(n_in, dtype=np.float32)[None])[0].T
        return matrix


@dataclass(frozen=True, slots=True, eq=False)
class Separable:
    """Linear operator on images that acts on columns and rows one after the other."""

    rows: Axis
    columns: Axis

    @property
    def is_copy(self) -> bool:
        """True if it copies a part of the image as it is."""
        return self.rows.copied is not None and self.columns.copied is not None

    def __call__(self, planes: Planes) -> Planes:
        """Apply to planes of shape (n, n_y, n_x)."""
        return self.rows.rows(self.columns.columns(planes))


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Linear operator on images, given by a sparse matrix (output pixels, input pixels).

    Parameters
    ----------
    matrix : csr_array of float32
        Weights.
    shape : tuple of int
        Rows and columns of its output.
    before : Separable, optional
        What is applied to the image first.
    """

    matrix: csr_array
    shape: Shape
    before: Separable | None = None

    is_copy = False

    def __call__(self, planes: Planes) -> Planes:
        """Apply to planes of shape (n, n_y, n_x)."""
        result = np.empty((len(planes), *self.shape), dtype=np.float32)
        step = max(1, _VALUES_AT_ONCE // self.matrix.shape[1])
        for start in range(0, len(planes), step):
            part = planes[start : start + step]
            part = part if self.before is None else self.before(part)
            flat = np.ascontiguousarray(part.reshape(len(part), -1).T)
            result[start : start + step].reshape(len(part), -1)[:] = (self.matrix @ flat).T
        return result


Operator: TypeAlias = Separable | Sparse


def make_operator(y: Floats, x: Floats, shape: Shape, *, weights: Weights = spline_weights) -> Operator:
    """Build the operator that interpolates images at some positions.

    Parameters
    ----------
    y, x : ndarray, shape (m_y, m_x)
        Positions of the output pixels in the pixels of the input.
    shape : tuple of int
        (n_y, n_x) of the input.
    weights : callable
        One of `KERNELS`, or its square by `squared`.

    Returns
    -------
    Separable or Sparse
        Separable if the axes are parallel to 0.01 pixel over the field. Nothing is said about positions outside.
    """
    row, column = y.mean(axis=1), x.mean(axis=0)
    wrong = max(np.abs(y - row[:, None]).max(), np.abs(x - column[None, :]).max())
    if wrong < _PARALLEL_PIX:
        return Separable(*(make_axis(at, size, weights) for at, size in zip((row, column), shape, strict=True)))
    build = _spline_rows if weights is spline_weights else _product_rows
    parts = [
        build(y.ravel()[start : start + _ROWS_AT_ONCE], x.ravel()[start : start + _ROWS_AT_ONCE], shape, weights)
        for start in range(0, y.size, _ROWS_AT_ONCE)
    ]
    before = None
    if weights is spline_weights:
        before = Separable(*(_prefilter(size) for size in shape))
    return Sparse(csr_array(vstack(parts, format="csr")), (y.shape[0], y.shape[1]), before)


def squares(operator: Sparse) -> Sparse:
    """Return the operator with squared weights of one that is a sparse matrix alone."""
    matrix = operator.matrix
    return Sparse(csr_array((np.square(matrix.data), matrix.indices, matrix.indptr), matrix.shape), operator.shape)


def make_axis(positions: Floats, size: int, weights: Weights) -> Axis:
    """Build the matrix along one axis; arguments as of `spline_weights`."""
    first = int(np.rint(positions[0]))
    whole = np.arange(first, first + positions.size)
    if 0 <= first <= size - positions.size and np.abs(positions - whole).max() < _WHOLE_PIX:
        return Axis(positions.size, (), slice(first, first + positions.size))
    blocks = []
    for start in range(0, positions.size, _BLOCK_ROWS):
        target = slice(start, min(start + _BLOCK_ROWS, positions.size))
        which = _reached(positions[target], size)
        blocks.append(_block(target, which.start, weights(positions[target], size, np.arange(size)[None, which])))
    return Axis(positions.size, tuple(blocks))


def _prefilter(size: int) -> Axis:
    """Matrix from values to B-spline coefficients along an axis."""
    matrix, positions = spline_coefficients(size), np.arange(-2, size + 2, dtype=float)
    blocks = []
    for start in range(0, len(matrix), _BLOCK_ROWS):
        target = slice(start, min(start + _BLOCK_ROWS, len(matrix)))
        which = _reached(positions[target], matrix.shape[1])
        blocks.append(_block(target, which.start, matrix[target, which]))
    return Axis(len(matrix), tuple(blocks))


def _reached(positions: Floats, size: int) -> slice:
    """Which inputs can have weight at some positions."""
    low, high = int(np.floor(positions.min())) - _REACH_PIX, int(np.ceil(positions.max())) + _REACH_PIX + 1
    return slice(min(max(low, 0), size - 1), max(min(high, size), 1))


def _block(target: slice, first: int, weights: Floats) -> Block:
    """Block without the columns at its sides that have no weight."""
    used = np.flatnonzero(np.abs(weights).max(axis=0) > _SMALLEST_WEIGHT)
    kept = slice(int(used[0]), int(used[-1]) + 1)
    return Block(target, slice(first + kept.start, first + kept.stop), weights[:, kept].astype(np.float32))


def _spline_rows(y: Floats, x: Floats, shape: Shape, _: Weights) -> csr_array:
    """Rows of the sparse operator from B-spline coefficients to the values at some positions."""
    rows, row_weights = spline_basis(_near(y, shape[0]), shape[0])
    columns, column_weights = spline_basis(_near(x, shape[1]), shape[1])
    return _products(rows, row_weights, columns, column_weights, (shape[0] + 4, shape[1] + 4), smallest=0)


def _product_rows(y: Floats, x: Floats, shape: Shape, function: Weights) -> csr_array:
    """Rows of the sparse operator for some positions: products of the weights along both axes."""
    rows, row_weights = _nearest_weights(y, shape[0], function)
    columns, column_weights = _nearest_weights(x, shape[1], function)
    return _products(rows, row_weights, columns, column_weights, shape)


def _products(
    rows: Indices,
    row_weights: Floats,
    columns: Indices,
    column_weights: Floats,
    shape: Shape,
    smallest: float = _SMALLEST_SPARSE,
) -> csr_array:
    """Sparse matrix of products of weights along the axes of an image, without those that make no difference."""
    weights = row_weights[:, :, None] * column_weights[:, None, :]
    where = rows[:, :, None] * shape[1] + columns[:, None, :]
    kept = np.abs(weights) > smallest
    pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=(1, 2)))])
    data: tuple[Any, ...] = (weights[kept].astype(np.float32), where[kept].astype(np.int32), pointers.astype(np.int32))
    return csr_array(data, shape=(len(rows), shape[0] * shape[1]))


def _nearest_weights(positions: Floats, size: int, function: Weights) -> tuple[Indices, Floats]:
    """Which values are nearest along an axis, and their weights."""
    width = min(size, 2 * _REACH_SPARSE_PIX)
    inner = _near(positions, size)
    first = np.clip(np.floor(inner).astype(int) - _REACH_SPARSE_PIX + 1, 0, size - width)
    which = first[:, None] + np.arange(width)
    return which, function(inner, size, which)


def _near(positions: Floats, size: int) -> Floats:
    """Positions on the image; those outside are masked later: any finite weights will do."""
    return np.clip(positions, -0.5, size - 0.5)
