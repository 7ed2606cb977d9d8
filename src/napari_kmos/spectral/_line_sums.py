"""Sums over the planes of a window, the continuum and the line that follow from them; all spaxels at once.

Wavelengths are t, zero at the middle of the line window and of order one at its ends. Every plane counts with its
width, so that sums are integrals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.spectral.nan import divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Powers of t that the second moment and its noise need: of the planes, of the flux, of the variance.
_N_PLANES, _N_FLUX, _N_VARIANCE = 4, 3, 5


class WindowSums:
    """Sums over the planes of one window.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.

    Attributes
    ----------
    planes : ndarray, shape (4, n_y, n_x)
        Of w t^k over the planes with data, w being their widths.
    flux : ndarray, shape (3, n_y, n_x)
        Of w f t^k.
    variance : ndarray, shape (5, n_y, n_x)
        Of w^2 sigma^2 t^k over the planes with data and noise.
    n_used, n_known : ndarray of int, shape (n_y, n_x)
        Planes with data, and those of them with noise.
    n_planes : int
        Planes of the window.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.planes, self.flux, self.variance = (np.zeros((n, *shape)) for n in (_N_PLANES, _N_FLUX, _N_VARIANCE))
        self.n_used, self.n_known = (np.zeros(shape, dtype=int) for _ in range(2))
        self.n_planes = 0

    def add(self, flux: NDArray[Any], noise: NDArray[Any], *, t: Floats, width: Floats) -> None:
        """Add planes: flux and noise of shape (n, n_y, n_x), t and widths of shape (n,)."""
        weights = width * t ** np.arange(_N_VARIANCE)[:, None]
        used = np.isfinite(flux)
        self.planes += np.tensordot(weights[:_N_PLANES], used, axes=1)
        self.flux += np.tensordot(weights[:_N_FLUX], np.where(used, flux, 0.0).astype(float), axes=1)
        self.n_used += np.count_nonzero(used, axis=0)
        used &= np.isfinite(noise)
        self.variance += np.tensordot(width * weights, np.where(used, noise, 0.0).astype(float) ** 2, axes=1)
        self.n_known += np.count_nonzero(used, axis=0)
        self.n_planes += len(flux)

    def is_covered(self, share: float) -> NDArray[np.bool_]:
        """Tell where at least a share of the planes, and one, has data."""
        return self.n_used >= max(1.0, share * self.n_planes)

    def full_variance(self) -> Floats:
        """Return the sums of the variance, planes without noise taken to have the mean of the others; NaN if none."""
        return self.variance * divide(self.n_used, self.n_known)


@dataclass(frozen=True, slots=True, eq=False)
class Continuum:
    """Straight lines a + b t, a spaxel each: coefficients of shape (2, n_y, n_x), covariances (2, 2, n_y, n_x)."""

    coefficients: Floats
    covariance: Floats

    def under(self, sums: WindowSums, power: int) -> tuple[Floats, Floats]:
        """Return the sum of (a + b t) t^power over the planes of a window, and its derivatives by a and b."""
        slopes = sums.planes[power : power + 2]
        return np.sum(self.coefficients * slopes, axis=0), slopes


def fit_straight(windows: Sequence[WindowSums], shape: tuple[int, int]) -> Continuum:
    """Fit the continuum of each spaxel: zero without a window, a constant in one, a straight line through several."""
    coefficients, covariance = np.zeros((2, *shape)), np.zeros((2, 2, *shape))
    if not windows:
        return Continuum(coefficients, covariance)
    m0, m1, m2 = np.sum([one.planes[:3] for one in windows], axis=0)
    f0, f1 = np.sum([one.flux[:2] for one in windows], axis=0)
    v0, v1, v2 = np.sum([one.full_variance()[:3] for one in windows], axis=0)
    mean = divide(f0, m0)
    if len(windows) == 1:
        coefficients[0], covariance[0, 0] = mean, divide(v0, m0**2)
        return Continuum(coefficients, covariance)
    # About the mean t of the planes the two coefficients are found apart; then the line is carried to t = 0.
    middle = divide(m1, m0)
    spread = m2 - middle * m1
    slope = divide(f1 - middle * f0, spread)
    var_mean, var_slope = divide(v0, m0**2), divide(v2 - 2 * middle * v1 + middle**2 * v0, spread**2)
    common = divide(v1 - middle * v0, m0 * spread)
    coefficients[:] = mean - slope * middle, slope
    covariance[0, 0] = var_mean - 2 * middle * common + middle**2 * var_slope
    covariance[0, 1] = covariance[1, 0] = common - middle * var_slope
    covariance[1, 1] = var_slope
    return Continuum(coefficients, covariance)


class Profile:
    """The flux of a line above the continuum: integrals over its window of flux times t^k, with their covariance.

    Parameters
    ----------
    sums : WindowSums
        Of the line window.
    continuum : Continuum
        Under it.
    """

    def __init__(self, sums: WindowSums, continuum: Continuum) -> None:
        self.sums = sums
        self._variance = sums.full_variance()
        below = [continuum.under(sums, power) for power in range(_N_FLUX)]
        self.flux = np.array([sums.flux[power] - under for power, (under, _) in enumerate(below)])
        self.covariance = np.array(
            [
                [
                    self._variance[i + j] + _product(below[i][1], continuum.covariance, below[j][1])
                    for j in range(_N_FLUX)
                ]
                for i in range(_N_FLUX)
            ]
        )
        level, slopes = below[0]
        self._level = level, _product(slopes, continuum.covariance, slopes)

    def mean(self) -> tuple[Floats, Floats]:
        """Return the mean flux above the continuum and its noise."""
        return self._per_plane(self.flux[0], self.covariance[0, 0])

    def band(self) -> tuple[Floats, Floats]:
        """Return the mean flux, nothing subtracted, and its noise."""
        return self._per_plane(self.sums.flux[0], self._variance[0])

    def level(self) -> tuple[Floats, Floats]:
        """Return the mean continuum under the line and its noise."""
        return self._per_plane(*self._level)

    def centre(self) -> tuple[Floats, Floats]:
        """Return the mean t, weighted with the flux above the continuum, and its noise."""
        centre = divide(self.flux[1], self.flux[0])
        return centre, self._noise([-centre, np.ones_like(centre), np.zeros_like(centre)])

    def width(self) -> tuple[Floats, Floats]:
        """Return the standard deviation of t about its mean, weighted likewise, and its noise; NaN if not real."""
        centre, square = divide(self.flux[1], self.flux[0]), divide(self.flux[2], self.flux[0])
        variance = square - centre**2
        width = np.sqrt(np.where(variance > 0, variance, np.nan))
        return width, self._noise([2 * centre**2 - square, -2 * centre, np.ones_like(centre)]) / (2 * width)

    def _noise(self, gradient: Sequence[Floats]) -> Floats:
        """Noise of a ratio to the integrated flux, from its gradient by the three integrals times that flux."""
        slopes = np.array(gradient)
        return divide(np.sqrt(_product(slopes, self.covariance, slopes)), np.abs(self.flux[0]))

    def _per_plane(self, total: Floats, variance: Floats) -> tuple[Floats, Floats]:
        return divide(total, self.sums.planes[0]), np.sqrt(divide(variance, self.sums.planes[0] ** 2))


def _product(left: Floats, matrix: Floats, right: Floats) -> Floats:
    """Return left times matrix times right in each spaxel."""
    return np.asarray(np.einsum("i...,ij...,j...->...", left, matrix, right), dtype=float)
