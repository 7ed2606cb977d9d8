"""Correlation of the noise of neighbouring spaxels, which interpolation makes, and the noise of sums over them.

Output K d of independent inputs d of equal noise has the covariance K K^T.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import convolve
from scipy.sparse import csr_array
from scipy.spatial import KDTree

from napari_kmos.spatial.operators import Separable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_kmos.spatial.kernels import Floats, Indices
    from napari_kmos.spatial.operators import Sparse
    from napari_kmos.spatial.resample import Resampler

Window: TypeAlias = tuple[slice, slice]

#: Input spaxels beyond which the noise of two output pixels counts as independent. With a spline it is 0.3 % by then.
_REACH_PIX = 5
_MAX_REACH = 12
#: Side of the part of a field in which positions are averaged: all of an IFU's where rows and columns are apart.
_SEPARABLE_SIDE = 48
_SPARSE_SIDE = 16
_MOST_FIELDS = 64
#: Ratios of pixel sides this close to 1 are the same size.
_SAME_SIDE = 0.01
#: Correlations below this at the sides are left out.
_SMALLEST = 1e-4


def noise_correlation(
    resamplers: Sequence[Resampler],
    weights: Sequence[float] | None = None,
    *,
    inputs: Sequence[Floats | None] | None = None,
) -> Floats | None:
    """Return how the noise of a pixel is correlated with that of its neighbours in the mean of resampled exposures.

    Parameters
    ----------
    resamplers : sequence of Resampler
        From each exposure to one grid.
    weights : sequence of float, optional
        Of the exposures in the mean, which all weigh the same if not given.
    inputs : sequence of (ndarray or None), optional
        How the noise of each exposure is correlated already, in its own spaxels: it was resampled before.

    Returns
    -------
    ndarray, shape (2k + 1, 2k + 1), or None
        Correlation with the pixel ``[k + dy, k + dx]`` away: 1 in the middle, the same at -dy, -dx. It is the mean
        covariance of such pairs over the mean product of their standard deviations as `Resampler.apply` tells them, so
        that sums over many places have the right variance on average. None if there is none.

    Notes
    -----
    Spaxels of the exposures are taken for independent and of equal noise, exposures too. Averaged over the middle of
    each field, up to 48 pixels a side, or 16 where the exposure is turned against the grid, and of no more than 64
    fields. Correlation of the inputs is the same everywhere and so is folded with what the interpolation makes of
    independent spaxels, if the pixels keep their size; else it is left out. The middle is then above 1 by as much as
    the variances, to which all spaxels are independent, are too small.
    """
    given = [1.0] * len(resamplers) if weights is None else list(weights)
    reach = _reach(resamplers)
    size = [max(one.window[axis].stop for one in resamplers) + 2 * reach for axis in (0, 1)]
    total, variance = np.zeros(size), np.zeros(size)
    for one, weight in zip(resamplers, given, strict=True):
        place = _moved(one.window, (reach, reach))
        total[place] += weight * one.inside
        variance[place] += weight**2 * _variance(one)
    inverse = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    share = np.divide(1, variance, out=np.zeros_like(total), where=variance > 0)
    sigma = np.sqrt(variance) * inverse
    covariance, product = np.zeros((2, 2 * reach + 1, 2 * reach + 1))
    before = inputs or [None] * len(resamplers)
    some = slice(None, None, -(-len(resamplers) // _MOST_FIELDS))
    for one, weight, known in list(zip(resamplers, given, before, strict=True))[some]:
        block = _block(one)
        at = _moved(block, (one.window[0].start, one.window[1].start))
        centre = _moved(at, (reach, reach))
        both = one.inside[block][..., None, None] & _around(np.pad(one.inside, reach), block, reach)
        between = weight**2 * np.where(both, _covariances(one, block, reach), 0)
        number = both.sum(axis=(0, 1))
        whole = np.divide(number[reach, reach], number, out=np.zeros_like(product), where=number > 0)
        pairs = whole * np.einsum("yx,yxij,yxij->ij", inverse[centre], between, _around(inverse, at, reach))
        folds = known is not None and abs(one.side - 1) < _SAME_SIDE
        covariance += convolve(pairs, known, mode="constant") if folds else pairs
        own = between[..., reach, reach] * share[centre] * sigma[centre]
        product += whole * np.einsum("yx,yxij,yxij->ij", own, both, _around(sigma, at, reach))
    correlation = np.divide(covariance, product, out=np.zeros_like(product), where=product > 0)
    trimmed = _trimmed((correlation + correlation[::-1, ::-1]) / 2)
    return trimmed if trimmed.size > 1 else None


def correlated_variance(sigma: Floats, y: Indices, x: Indices, correlation: Floats) -> Floats:
    """Return the variance of sums over correlated spaxels.

    Parameters
    ----------
    sigma : ndarray, shape (n_spaxels, n)
        Standard deviation of each term of the sums.
    y, x : ndarray of int, shape (n_spaxels,)
        Where the spaxels are.
    correlation : ndarray, shape (2k + 1, 2k + 1)
        As from `noise_correlation`.

    Returns
    -------
    ndarray, shape (n,)
    """
    reach = correlation.shape[0] // 2
    tree = KDTree(np.stack([y, x], axis=1))
    pairs = tree.query_pairs(reach + 0.5, p=np.inf, output_type="ndarray")
    first, second = pairs.T
    weights = correlation[reach + y[second] - y[first], reach + x[second] - x[first]]
    matrix = csr_array((weights, (first, second)), shape=(y.size, y.size))
    total: Floats = (sigma * sigma).sum(axis=0) + 2 * (sigma * (matrix @ sigma)).sum(axis=0)
    return total


def _reach(resamplers: Sequence[Resampler]) -> int:
    """How many output pixels apart noise can be correlated."""
    finest = min(one.side for one in resamplers)
    return min(int(np.ceil(_REACH_PIX / min(finest, 1.0))), _MAX_REACH)


def _variance(one: Resampler) -> Floats:
    """Variance of each output pixel for inputs of variance 1; 0 outside."""
    ones = np.ones((1, *one.source_shape), dtype=np.float32)
    return np.asarray(one.inside * one.variances(ones)[0].astype(float) * one.factor**2)


def _block(one: Resampler) -> Window:
    """Return the middle of a field, in pixels of its window."""
    side = _SEPARABLE_SIDE if isinstance(one.values, Separable) else _SPARSE_SIDE
    starts = [max((length - side) // 2, 0) for length in one.shape]
    rows, columns = (slice(start, min(start + side, n)) for start, n in zip(starts, one.shape, strict=True))
    return rows, columns


def _moved(window: Window, step: tuple[int, int]) -> Window:
    """Rows and columns further up."""
    rows, columns = (slice(part.start + by, part.stop + by) for part, by in zip(window, step, strict=True))
    return rows, columns


def _around(padded: NDArray[Any], window: Window, reach: int) -> NDArray[Any]:
    """Return the neighbours of the pixels of a window, shape (n_y, n_x, 2k + 1, 2k + 1), from an image padded by k."""
    rows, columns = (slice(part.start, part.stop + 2 * reach) for part in window)
    return sliding_window_view(padded[rows, columns], (2 * reach + 1, 2 * reach + 1))


def _covariances(one: Resampler, block: Window, reach: int) -> Floats:
    """Covariance of the pixels of a block with their neighbours, shape (n_y, n_x, 2k + 1, 2k + 1); 0 off the window."""
    operator = one.values
    if isinstance(operator, Separable):
        rows = _band(operator.rows.dense(one.source_shape[0]), block[0], reach)
        columns = _band(operator.columns.dense(one.source_shape[1]), block[1], reach)
        return np.asarray(one.factor**2 * rows[:, None, :, None] * columns[None, :, None, :])
    n_y, n_x = one.shape
    index = np.pad(np.arange(n_y * n_x).reshape(n_y, n_x), reach, constant_values=-1)
    centres = index[_moved(block, (reach, reach))].ravel()
    wanted = _around(index, block, reach).reshape(centres.size, -1)
    others, which = np.unique(wanted, return_inverse=True)
    between = _sparse_covariance(operator, np.maximum(others, 0), centres)[
        which.reshape(wanted.shape), np.arange(centres.size)[:, None]
    ]
    between[wanted < 0] = 0
    return one.factor**2 * between.reshape(block[0].stop - block[0].start, -1, 2 * reach + 1, 2 * reach + 1)


def _band(matrix: NDArray[np.float32], part: slice, reach: int) -> Floats:
    """Covariance along one axis of outputs with those up to ``reach`` further, shape (n, 2k + 1)."""
    products = np.pad(matrix[part].astype(float) @ matrix.T, ((0, 0), (reach, reach)))
    outputs = np.arange(part.start, part.stop)
    return np.asarray(products[outputs[:, None] - part.start, outputs[:, None] + np.arange(2 * reach + 1)])


def _sparse_covariance(operator: Sparse, others: Indices, centres: Indices) -> Floats:
    """Covariance of some outputs of a sparse operator with others, shape (n_others, n_centres)."""
    matrix = operator.matrix
    if operator.before is None:
        return np.asarray((matrix[others] @ matrix[centres].T).toarray(), dtype=float)
    # the inputs of the matrix are B-spline coefficients, correlated themselves along rows and columns
    rows, columns = operator.before.rows, operator.before.columns
    weights = matrix[centres].toarray().reshape(centres.size, rows.n_out, columns.n_out)
    for axis, each in enumerate((rows, columns)):
        square = each.dense(each.n_out - 4).astype(float)
        weights = np.moveaxis(np.tensordot(weights, square @ square.T, axes=(1 + axis, 0)), -1, 1 + axis)
    return np.asarray(matrix[others] @ weights.reshape(centres.size, -1).T)


def _trimmed(correlation: Floats) -> Floats:
    """Return the correlation without sides where there is none."""
    reach = correlation.shape[0] // 2
    far = np.abs(np.indices(correlation.shape) - reach).max(axis=0)
    kept = int(far[np.abs(correlation) > _SMALLEST].max(initial=0))
    return correlation[reach - kept : reach + kept + 1, reach - kept : reach + kept + 1]
