"""Interpolation kernels along an axis: the weights by which values are read between equidistant ones.

All are interpolating (at the place of a value they return it) and their weights add up to 1.

References: Unser (1999), IEEE Signal Processing Magazine 16(6), 22 (B-splines and their prefilter); Fruchter & Hook
(2002), PASP 114, 144 (drizzle).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_kmos.errors import GeometryError

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]
#: Called with positions, shape (m,), the number of values and, optionally, which values, shape (m, k): weights (m, k).
Weights: TypeAlias = Callable[[Floats, int, Indices | None], Floats]
KernelName: TypeAlias = Literal["nearest", "linear", "spline", "lanczos3", "drizzle"]

_LANCZOS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """How values between spaxels are told.

    Parameters
    ----------
    name : str
        nearest, linear, spline (interpolating cubic B-spline), lanczos3, or drizzle (needs the package ``drizzle``).
    pixfrac : float
        drizzle: side of the shrunken spaxels from which values fall onto the grid, in spaxels, above 0 up to 1.
    min_coverage : float
        An output pixel is valid if more than this part of its area rests on data, from 0 to below 1.

    Raises
    ------
    GeometryError
        If one of them cannot be meant.
    """

    name: KernelName = "spline"
    pixfrac: float = 1.0
    min_coverage: float = 0.8

    def __post_init__(self) -> None:
        names = ", ".join((*KERNELS, "drizzle"))
        self._check("name", self.name in KERNELS or self.name == "drizzle", f"one of {names}")
        self._check("pixfrac", 0 < self.pixfrac <= 1, "a number above 0, 1 at most")
        self._check("min_coverage", 0 <= self.min_coverage < 1, "a part of 1: 0 or more, below 1")

    def _check(self, name: str, is_fine: bool, expected: str) -> None:
        if not is_fine:
            what = "kernel" if name == "name" else name
            msg = f"{what} is {getattr(self, name)}, expected {expected}"
            raise GeometryError(msg)


def nearest_weights(positions: Floats, size: int, which: Indices | None = None) -> Floats:
    """Return the weights that take the nearest value; arguments as of `spline_weights`."""
    nearest = np.clip(np.floor(positions + 0.5), 0, size - 1)
    return np.asarray(_chosen(size, which) == nearest[:, None], dtype=float)


def linear_weights(positions: Floats, size: int, which: Indices | None = None) -> Floats:
    """Return the weights of linear interpolation, which are also the areas that equal pixels share.

    Outside [0, size - 1] the outermost value is taken; arguments as of `spline_weights`.
    """
    distance = np.abs(np.clip(positions, 0, size - 1)[:, None] - _chosen(size, which))
    return np.asarray(np.maximum(1 - distance, 0))


def lanczos_weights(positions: Floats, size: int, which: Indices | None = None) -> Floats:
    """Return the weights of Lanczos' kernel of 3 lobes, made to add up to 1; arguments as of `spline_weights`.

    What the kernel would take beyond the ends it takes from the outermost value.
    """
    taps = np.floor(positions).astype(int)[:, None] + np.arange(1 - _LANCZOS, 1 + _LANCZOS)
    distance = positions[:, None] - taps
    weights = np.sinc(distance) * np.sinc(distance / _LANCZOS)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = np.clip(taps, 0, size - 1)
    return np.asarray(((inside[:, None, :] == _chosen(size, which)[..., None]) * weights[:, None, :]).sum(axis=2))


def spline_weights(positions: Floats, size: int, which: Indices | None = None) -> Floats:
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
    rows, basis = spline_basis(positions, size)
    coefficients = spline_coefficients(size)[rows[:, :, None], _chosen(size, which)[:, None]]
    return np.asarray(np.einsum("mk,mkn->mn", basis, coefficients))


def spline_basis(positions: Floats, size: int) -> tuple[Indices, Floats]:
    """Return which four B-spline coefficients make a value, and their weights; arguments as of `spline_weights`.

    Returns
    -------
    tuple of ndarray, shape (m, 4)
        Rows of the matrix that `spline_coefficients` returns, and weights that add up to 1.
    """
    base = np.clip(np.floor(positions).astype(int), -1, size - 1)
    t = positions - base
    basis = np.stack([(1 - t) ** 3, 4 - 6 * t**2 + 3 * t**3, 1 + 3 * t + 3 * t**2 - 3 * t**3, t**3], axis=1) / 6
    return (base + 1)[:, None] + np.arange(4), basis


@lru_cache(maxsize=32)
def spline_coefficients(size: int) -> Floats:
    """Return the matrix (size + 4, size) from values to B-spline coefficients, two further ones at each end."""
    if size == 1:
        return _fixed(np.ones((5, 1)))
    through = (np.diag(np.full(size, 4.0)) + np.diag(np.ones(size - 1), 1) + np.diag(np.ones(size - 1), -1)) / 6
    through[0], through[-1] = 0, 0
    through[0, 0] = through[-1, -1] = 1
    inner = np.linalg.inv(through)
    first, last = inner[0] - inner[1], inner[-1] - inner[-2]
    return _fixed(np.vstack([inner[0] + 2 * first, inner[0] + first, inner, inner[-1] + last, inner[-1] + 2 * last]))


def squared(weights: Weights) -> Weights:
    """Return the function that gives squared weights: they propagate variances."""

    def function(positions: Floats, size: int, which: Indices | None = None) -> Floats:
        return np.square(weights(positions, size, which))

    return function


#: Kernels that are products of weights along the axes.
KERNELS: Mapping[str, Weights] = MappingProxyType(
    {"nearest": nearest_weights, "linear": linear_weights, "spline": spline_weights, "lanczos3": lanczos_weights}
)


def _chosen(size: int, which: Indices | None) -> Indices:
    """Which values weights are wanted of, shape (1 or m, k)."""
    return np.arange(size)[None] if which is None else which


def _fixed(matrix: Floats) -> Floats:
    """Return a matrix that nobody can change, as it is kept for others."""
    matrix.flags.writeable = False
    return matrix
