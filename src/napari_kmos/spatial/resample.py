"""Resampling of planes onto another grid of the sky, in one cubic B-spline interpolation, with noise and no data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.spatial.spline import Separable, Sparse, linear_weights, make_operator
from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.spatial.spline import Floats, Shape

    Bools = NDArray[np.bool_]

#: An output pixel is valid if more than this part of its area lies on input pixels with data.
MIN_COVERAGE = 0.8
#: Output pixels may lie this far, in input pixels, outside the centres of the outermost input pixels.
_OVERHANG_PIX = 0.2
_FILL_PASSES = 2


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resampler:
    """Brings planes of one grid onto the part of another grid that they cover; made by `make_resampler`.

    Parameters
    ----------
    window : tuple of slice
        Rows and columns of the output grid that this part is.
    inside : ndarray of bool, shape of the window
        Pixels of the window that lie on the input.
    values, squared, area : Separable or Sparse
        Operators on values, on variances, and from the mask of finite values to the share of a pixel on them.
    factor : float
        Factor on values: the ratio of the pixel areas, or 1.
    """

    window: tuple[slice, slice]
    inside: Bools
    values: Separable | Sparse
    squared: Separable | Sparse
    area: Separable | Sparse
    factor: float

    @property
    def shape(self) -> Shape:
        """Rows and columns of the window."""
        n_y, n_x = self.inside.shape
        return n_y, n_x

    def coverage(self, ok: Bools) -> Bools:
        """Tell which pixels of the window rest on data.

        Parameters
        ----------
        ok : ndarray of bool, shape (n, n_y, n_x)
            Finite input.

        Returns
        -------
        ndarray of bool, shape (n, *shape)
        """
        # most planes share their mask: work out each different one once
        masks: dict[bytes, int] = {}
        which = [
            masks.setdefault(plane.tobytes(), len(masks)) for plane in np.packbits(ok.reshape(len(ok), -1), axis=1)
        ]
        first = [which.index(number) for number in range(len(masks))]
        covered: Bools = self.inside & (self.area(ok[first].astype(float)) > MIN_COVERAGE)
        return covered[which]

    def apply(self, flux: NDArray[Any], noise: NDArray[Any] | None = None) -> tuple[NDArray[np.float32], ...]:
        """Resample planes and their noise.

        Parameters
        ----------
        flux : ndarray, shape (n, n_y, n_x)
            NaN is no data: missing values are filled from their neighbours so that they do not spread, and output
            pixels of which no more than `MIN_COVERAGE` rests on data are NaN.
        noise : ndarray, same shape, optional
            1 sigma; NaN is unknown.

        Returns
        -------
        tuple of ndarray of float32, shape (n, *shape)
            Flux, and noise if given: the square root of the variance of one output pixel (neighbours are correlated).
        """
        planes = np.asarray(flux, dtype=float)
        ok = np.isfinite(planes)
        valid = self.coverage(ok)
        result = np.where(valid, self.values(fill_missing(planes, ok)) * self.factor, np.nan).astype(np.float32)
        if noise is None:
            return (result,)
        variance = np.square(np.asarray(noise, dtype=float))
        known = np.isfinite(variance) & ok
        valid = valid if np.array_equal(known, ok) else valid & self.coverage(known)
        variance[~known] = np.nan
        spread = self.squared(fill_missing(variance, known))
        sigma = np.sqrt(np.maximum(spread, 0)) * self.factor
        return result, np.where(valid, sigma, np.nan).astype(np.float32)


def make_resampler(
    source: WCS, source_shape: Shape, target: WCS, target_shape: Shape, *, flux: bool = True
) -> Resampler | None:
    """Build the operator that brings images of one grid onto another.

    Parameters
    ----------
    source, target : WCS
        Celestial.
    source_shape, target_shape : tuple of int
        (n_y, n_x).
    flux : bool
        Conserve the flux of a source: values per pixel are multiplied by the ratio of the pixel areas.

    Returns
    -------
    Resampler or None
        None if the two do not overlap.
    """
    window = _window(source, source_shape, target, target_shape)
    if window is None:
        return None
    grid = np.mgrid[window]
    y, x = (np.asarray(position, dtype=float) for position in pixel_to_pixel(target, source, grid[0], grid[1]))
    inside = _within(y, source_shape[0]) & _within(x, source_shape[1])
    if not inside.any():
        return None
    used = _box(inside)
    y, x, inside = y[used], x[used], inside[used]
    values = make_operator(y, x, source_shape)
    return Resampler(
        window=(_within_slice(window[0], used[0]), _within_slice(window[1], used[1])),
        inside=inside,
        values=values,
        squared=values.map(np.square),
        area=make_operator(y, x, source_shape, weights=linear_weights),
        factor=(pixel_scale_arcsec(target) / pixel_scale_arcsec(source)) ** 2 if flux else 1.0,
    )


def fill_missing(planes: Floats, ok: Bools) -> Floats:
    """Return planes with missing values replaced by what their neighbours suggest, and by 0 far from any.

    A single missing value gets the value of the quadratic surface through its eight neighbours, others the mean of
    those neighbours that are there, twice over.
    """
    missing = ~ok
    if not missing.any():
        return planes
    padded: Floats = np.pad(np.where(ok, planes, np.nan), ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    partly = np.asarray(ok.any(axis=(1, 2)))
    z, y, x = np.nonzero(missing & partly[:, None, None])
    for _ in range(_FILL_PASSES):
        padded[z, y + 1, x + 1] = _from_neighbours(padded, z, y, x)
        left = ~np.isfinite(padded[z, y + 1, x + 1])
        z, y, x = z[left], y[left], x[left]
    return np.nan_to_num(padded[:, 1:-1, 1:-1], nan=0.0)


def _from_neighbours(padded: Floats, z: NDArray[Any], y: NDArray[Any], x: NDArray[Any]) -> Floats:
    """Estimate of chosen values of padded planes from their eight neighbours; NaN where there is none."""
    steps = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)]
    around = np.stack([padded[z, y + dy, x + dx] for dy, dx in steps])
    there = np.isfinite(around)
    weights = np.repeat([2.0, 1.0], 4)[:, None] * there
    around = np.where(there, around, 0.0)
    total = weights.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (weights * around).sum(axis=0) / total
    surface = (2 * around[:4].sum(axis=0) - around[4:].sum(axis=0)) / 4
    return np.where(there.all(axis=0), surface, np.where(total > 0, mean, np.nan))


def _within(positions: Floats, size: int) -> Bools:
    """Positions on an axis of ``size`` pixels, a little overhang allowed."""
    return (positions >= -_OVERHANG_PIX) & (positions <= size - 1 + _OVERHANG_PIX)


def _within_slice(outer: slice, inner: slice) -> slice:
    """Part of a slice."""
    return slice(outer.start + inner.start, outer.start + inner.stop)


def _box(mask: Bools) -> tuple[slice, slice]:
    """Smallest rows and columns that hold all true pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _window(source: WCS, source_shape: Shape, target: WCS, target_shape: Shape) -> tuple[slice, slice] | None:
    """Rows and columns of the target that the source can reach."""
    y = np.array([0, 0, source_shape[0], source_shape[0]]) - 0.5
    x = np.array([0, source_shape[1], 0, source_shape[1]]) - 0.5
    corners = np.asarray(pixel_to_pixel(source, target, y, x), dtype=float)
    if not np.isfinite(corners).all():
        return None
    low = np.maximum(np.floor(corners.min(axis=1)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(axis=1)) + 1, target_shape).astype(int)
    if (high <= low).any():
        return None
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
