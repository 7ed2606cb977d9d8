"""Resampling of planes onto another grid of the sky, in one interpolation, with noise and no data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import GeometryError
from napari_kmos.spatial.drizzling import make_drizzle
from napari_kmos.spatial.filling import blank, distinct_masks, find_gaps
from napari_kmos.spatial.kernels import KERNELS, Kernel, linear_weights, squared
from napari_kmos.spatial.operators import make_operator
from napari_kmos.spatial.overlap import find_overlap
from napari_kmos.spatial.planes import PlaneShift, fill_planes
from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from collections.abc import Callable

    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.spatial.filling import Gaps
    from napari_kmos.spatial.kernels import Floats
    from napari_kmos.spatial.operators import Operator, Planes, Shape

    Bools = NDArray[np.bool_]

_DEFAULT = Kernel()
#: Output pixels may lie no further, in input pixels, outside the centres of the outermost input pixels.
_OVERHANG_PIX = 0.5
#: The largest noise is scaled to this before it is squared: float32 then holds 37 powers of ten below it.
_LARGEST_NOISE = 2.0**60
#: Ratios of pixel sides this close to 1 are rounding.
_SAME_SIDE = 1e-6
#: Weights add up to 1, or to 0 where the drops of drizzle leave a gap.
_TOUCHED = 0.5
#: Values of a plane times planes that are worked on at a time: as many as fit into the cache.
_VALUES_AT_ONCE = 2**17
_FLOAT_BYTES = 4
_TEMPORARIES = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Resampler:
    """Brings planes of one grid onto the part of another grid that they cover; made by `make_resampler`.

    Parameters
    ----------
    window : tuple of slice
        Rows and columns of the output grid that this part is.
    inside : ndarray of bool, shape of the window
        Pixels of the window that lie on the input; no other is ever valid.
    source_shape : tuple of int
        (n_y, n_x) of the input.
    side : float
        Side of an output pixel in input pixels.
    values, variances, area : Separable or Sparse
        Operators on values, on variances, and from the mask of finite values to the share of a pixel on them.
    factor : float
        Factor on values: the ratio of the pixel areas, or 1.
    min_coverage : float
        An output pixel is valid if more than this share of it rests on data.
    planes : PlaneShift, optional
        What moves planes along the wavelength; None leaves every plane to itself. See `shifted`.
    """

    window: tuple[slice, slice]
    inside: Bools
    source_shape: Shape
    side: float
    values: Operator
    variances: Operator
    area: Operator
    factor: float
    min_coverage: float
    planes: PlaneShift | None = None

    @property
    def shape(self) -> Shape:
        """Rows and columns of the window."""
        n_y, n_x = self.inside.shape
        return n_y, n_x

    @property
    def bytes_per_plane(self) -> int:
        """Memory that `apply` takes for each plane with noise: what it returns, and what it needs for a shift.

        Beyond that it takes some 10 MB, or a plane a few times over if that is more.
        """
        n_in, n_out = int(np.prod(self.source_shape)), self.inside.size
        temporaries = 0 if self.planes is None else _TEMPORARIES * (n_in + n_out)
        return _FLOAT_BYTES * (2 * n_out + temporaries)

    def shifted(self, shift: float | Callable[[Floats], Floats], n_planes: int) -> Resampler:
        """Return the resampler that also takes out a zero point of the wavelength, in the same interpolation.

        Parameters
        ----------
        shift : float, or callable such as a `numpy.polynomial.Polynomial` of the plane number
            By how many planes the exposure's lines lie further up its axis than they should: plane k of the result is
            read at k + shift.
        n_planes : int
            Number of planes of the exposure, and of the result.

        Returns
        -------
        Resampler
            This one if the shift is 0 everywhere.
        """
        index = np.arange(n_planes, dtype=float)
        moved = np.broadcast_to(np.asarray(shift(index) if callable(shift) else shift, dtype=float), index.shape)
        if not np.isfinite(moved).all():
            msg = "the wavelength shift is not finite; expected a number of planes"
            raise GeometryError(msg)
        return self if not moved.any() else dataclasses.replace(self, planes=PlaneShift(index + moved))

    def reads(self, start: int, stop: int) -> tuple[int, int]:
        """Return which planes of the input, first and one past the last, the planes from start to stop are made of."""
        return (start, stop) if self.planes is None else self.planes.reads(start, stop)

    def coverage(self, ok: Bools) -> Bools:
        """Tell which pixels of the window rest on data, before any shift of the wavelengths.

        Parameters
        ----------
        ok : ndarray of bool, shape (n, n_y, n_x)
            Finite input.

        Returns
        -------
        ndarray of bool, shape (n, *shape)
            Not to be written to: planes may share their memory.
        """
        return self._covered(ok, None)

    def apply(
        self, flux: NDArray[Any], noise: NDArray[Any] | None = None, *, start: int = 0, stop: int | None = None
    ) -> tuple[Planes, ...]:
        """Resample planes and their noise.

        Parameters
        ----------
        flux : ndarray, shape (n, n_y, n_x)
            NaN is no data: missing values are filled from their neighbours so that they do not spread, and output
            pixels of which no more than ``min_coverage`` rests on data are NaN.
        noise : ndarray, same shape, optional
            1 sigma; NaN is unknown.
        start, stop : int
            Planes of the result, where they are `shifted`: the input is then what `reads` tells of them.

        Returns
        -------
        tuple of ndarray of float32, shape (n_out, *shape)
            Flux, and noise if given: the square root of the variance of one output pixel (neighbours are correlated,
            see `noise_correlation`).
        """
        if self.planes is not None:
            span = start, start + len(flux) if stop is None else stop
            return self._apply(flux, noise, span)
        results = tuple(np.empty((len(flux), *self.shape), dtype=np.float32) for _ in range(1 if noise is None else 2))
        step = max(1, _VALUES_AT_ONCE // max(self.inside.size, int(np.prod(self.source_shape))))
        for first in range(0, len(flux), step):
            part = slice(first, first + step)
            resampled = self._apply(flux[part], None if noise is None else noise[part])
            for result, one in zip(results, resampled, strict=True):
                result[part] = one
        return results

    def _apply(
        self, flux: NDArray[Any], noise: NDArray[Any] | None, span: tuple[int, int] | None = None
    ) -> tuple[Planes, ...]:
        """Resample planes of which the working arrays fit into the cache, or those between planes of the result."""
        planes = np.asarray(flux, dtype=np.float32)
        ok = np.isfinite(planes)
        if span is None and self.values.is_copy:
            return self._copy(planes, ok, noise)
        missing = ~self._covered(ok, span)
        gaps = find_gaps(ok)
        value = self._through(planes, gaps, span)
        blank(value, missing)
        if noise is None:
            return (value,)
        sigma, scale = _scaled(np.asarray(noise))
        known = np.isfinite(sigma) & ok
        if not np.array_equal(known, ok):
            gaps = find_gaps(known)
            missing = missing | ~self._covered(known, span)
        np.square(sigma, out=sigma)
        spread = self._through(sigma, gaps, span, variance=True)
        np.sqrt(np.maximum(spread, 0, out=spread), out=spread)
        spread *= np.float32(scale * self.factor)
        blank(spread, missing)
        return value, spread

    def _covered(self, ok: Bools, span: tuple[int, int] | None) -> Bools:
        """Tell which pixels of the window rest on data; planes may share their memory."""
        if self.planes is not None and span is not None:
            share = self.planes.shares(*span, ok)
            return np.asarray(self.inside & (self.area(share) > self.min_coverage))
        if ok.all():
            return np.broadcast_to(self.inside, (len(ok), *self.shape))
        which, first = distinct_masks(ok)
        covered: Bools = self.inside & (self.area(ok[first].astype(np.float32)) > self.min_coverage)
        return np.broadcast_to(covered, (len(ok), *self.shape)) if len(first) == 1 else covered[which]

    def _through(
        self, planes: Planes, gaps: Gaps | None, span: tuple[int, int] | None, *, variance: bool = False
    ) -> Planes:
        """Planes or their variances on the other grid, valid or not."""
        filled = planes if gaps is None else gaps.fill(planes)
        if self.planes is not None and span is not None:
            move = self.planes.variances if variance else self.planes.values
            filled = move(*span, filled if gaps is None else fill_planes(filled, gaps.empty))
        result = self.variances(filled) if variance else self.values(filled)
        if not variance and self.factor != 1:
            result *= np.float32(self.factor)
        return result

    def _copy(self, planes: Planes, ok: Bools, noise: NDArray[Any] | None) -> tuple[Planes, ...]:
        """Whole spaxels further: the same values."""
        value = self.values(planes).copy()
        value[~np.isfinite(value)] = np.nan
        if noise is None:
            return (value,)
        sigma = self.values(np.asarray(noise, dtype=np.float32)).copy()
        sigma[~(np.isfinite(sigma) & np.isfinite(value))] = np.nan
        return value, sigma


def make_resampler(
    source: WCS, source_shape: Shape, target: WCS, target_shape: Shape, *, flux: bool = True, kernel: Kernel = _DEFAULT
) -> Resampler | None:
    """Build the operator that brings images of one grid onto another.

    Parameters
    ----------
    source, target : WCS
        Celestial.
    source_shape, target_shape : tuple of int
        (n_y, n_x).
    flux : bool
        Conserve the flux of a source: values per pixel are multiplied by the ratio of the pixel areas. Without, values
        per area are kept.
    kernel : Kernel
        How to interpolate.

    Returns
    -------
    Resampler or None
        None if the two do not overlap.

    Raises
    ------
    KmosError
        If the kernel is drizzle and its package is not installed.
    """
    found = find_overlap((source, source_shape), (target, target_shape), min(1 - kernel.min_coverage, _OVERHANG_PIX))
    if found is None:
        return None
    window, y, x, inside = found
    values: Operator
    variances: Operator
    if kernel.name == "drizzle":
        places = np.asarray(pixel_to_pixel(source, target, *np.indices(source_shape)), dtype=float)
        values, variances = make_drizzle(y, x, places - [[[one.start]] for one in window], kernel.pixfrac)
    else:
        weights = KERNELS[kernel.name]
        values, variances = (make_operator(y, x, source_shape, weights=each) for each in (weights, squared(weights)))
    area = make_operator(y, x, source_shape, weights=linear_weights)
    ones = np.ones((1, *source_shape), dtype=np.float32)
    inside &= (values(ones)[0] > _TOUCHED) & (area(ones)[0] > kernel.min_coverage)
    if not inside.any():
        return None
    side = pixel_scale_arcsec(target) / pixel_scale_arcsec(source)
    return Resampler(
        window=window,
        inside=inside,
        source_shape=source_shape,
        side=side,
        values=values,
        variances=variances,
        area=area,
        factor=side**2 if flux and abs(side - 1) > _SAME_SIDE else 1.0,
        min_coverage=kernel.min_coverage,
    )


def _scaled(noise: NDArray[Any]) -> tuple[Planes, float]:
    """Return noise divided by a power of two so that its squares fit into float32, and that power."""
    largest = np.max(noise, where=np.isfinite(noise), initial=0)
    scale = 2.0 ** np.floor(np.log2(largest)) / _LARGEST_NOISE if largest > 0 else 1.0
    return (noise / noise.dtype.type(scale)).astype(np.float32, copy=False), scale
