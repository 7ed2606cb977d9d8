"""A template brought to the planes of a spectrum at many velocities, and fitted there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.polynomial import legendre

from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectral.polynomials import scaled
from napari_kmos.spectral.windows import in_windows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from scipy.interpolate import CubicSpline

    from napari_kmos.spectral.windows import Window

    Floats = NDArray[np.float64]

#: Around the best velocity steps are finer, three times over.
_FINE_STEPS, _ROUNDS = 9, 3
#: Noise is correlated over so many planes; what that makes of a variance is no less than this.
_LAGS = (1, 2, 3)
_LEAST_VARIANCE = 0.5
#: A window is compared if it has so many planes more than terms.
_SPARE = 10
_MAD = 1.4826
#: A plane is alone if it is so many times as far off as its neighbours.
_ALONE = 2.5


class Compared(NamedTuple):
    """Planes that are compared: numbers of unit noise from which the continuum has been projected out, shape (n,)."""

    wave: Floats
    values: Floats
    scale: Floats
    basis: Floats
    planes: NDArray[np.int_]
    has_noise: bool

    def project(self, columns: Floats) -> Floats:
        """Return columns, shape (..., n), without what a continuum can be."""
        return np.asarray(columns - (columns @ self.basis) @ self.basis.T)


class Solution(NamedTuple):
    """What lines at a velocity explain of chi squared, the coefficients, and the columns these belong to."""

    explained: Floats
    coefficients: Floats
    columns: Floats


def prepare(
    wave: Floats,
    values: Floats,
    noise: ArrayLike | None,
    inside: NDArray[np.bool_],
    continuum: tuple[Sequence[Window], int],
) -> Compared | None:
    """Weight the planes that have data and take out the continuum of each window; None if there are too few."""
    sigma = np.full(wave.shape, np.nan) if noise is None else np.asarray(noise, dtype=float)
    known = np.isfinite(sigma) & (sigma > 0)
    used = inside & np.isfinite(values) & (known if known.any() else True)
    windows, degree = continuum
    blocks = [used & in_windows(wave, [window]) for window in windows]
    terms = degree + 1
    blocks = [block for block in blocks if np.count_nonzero(block) > terms + _SPARE]
    if not blocks:
        return None
    used = np.logical_or.reduce(blocks)
    weight = 1 / sigma[used] if known.any() else np.ones(np.count_nonzero(used))
    columns = []
    for block in blocks:
        part = np.where(block[used, None], legendre.legvander(scaled(wave[used], wave[block]), degree), 0.0)
        columns.append(part)
    basis, _ = np.linalg.qr(np.concatenate(columns, axis=1) * weight[:, None])
    weighted = values[used] * weight
    level = basis @ (basis.T @ weighted)
    return Compared(wave[used], weighted - level, level, basis, np.flatnonzero(used), bool(known.any()))


def solve(data: Compared, shapes: Sequence[CubicSpline], trial: Floats) -> Solution:
    """Fit the depth of the lines, and the changes with width and variant, at velocities, shape (n_trial,)."""
    columns = data.project(_lines_at(data, shapes, trial))
    products = np.einsum("ivn,jvn->vij", columns, columns)
    onto = np.einsum("ivn,n->vi", columns, data.values)
    coefficients = np.einsum("vij,vj->vi", np.linalg.pinv(products, rcond=1e-12, hermitian=True), onto)
    return Solution(np.einsum("vi,vi->v", coefficients, onto), coefficients, columns)


def _lines_at(data: Compared, shapes: Sequence[CubicSpline], trial: Floats) -> Floats:
    """Return what is fitted besides the continuum, shape (n_terms, n_trial, n)."""
    rest = data.wave / (1 + trial[:, None] / LIGHT_KMS)
    depths = [1 - shape(rest) for shape in shapes]
    along = scaled(data.wave, data.wave)  # bands may be deeper at one end than those of the template
    return np.stack([depths[0], along * depths[0], *(other - depths[0] for other in depths[1:])]) * data.scale


def refine(data: Compared, shapes: Sequence[CubicSpline], velocity: float, step: float) -> float:
    """Follow the peak with finer steps, the last time by a parabola."""
    for _ in range(_ROUNDS):
        near = velocity + np.linspace(-step, step, _FINE_STEPS)
        explained = solve(data, shapes, near).explained
        best = int(np.clip(np.argmax(explained), 1, near.size - 2))
        velocity, step = float(near[best]), float(near[1] - near[0])
    before, at, after = explained[best - 1 : best + 2]
    bend = before - 2 * at + after
    return velocity + (0.5 * step * float((before - after) / bend) if bend < 0 else 0.0)


def depth_of(data: Compared, shapes: Sequence[CubicSpline], velocity: float, solution: Solution) -> float:
    """Return the light that the fitted lines take away, over that which those of the template would."""
    columns = _lines_at(data, shapes, np.array([velocity]))[:, 0]
    fitted = solution.coefficients[0] @ columns
    continuum = data.scale - data.basis @ (data.basis.T @ fitted)  # the scale is the light that lines have left
    return -float(fitted.sum() / (columns[0] * continuum / data.scale).sum())


def slope_of(
    data: Compared, shapes: Sequence[CubicSpline], velocity: float, solution: Solution
) -> tuple[Floats, Floats]:
    """Return how the model changes with a km/s, without what its other parameters can do, and with it, shape (n,)."""
    above, below = (_lines_at(data, shapes, np.array([velocity + step]))[:, 0] for step in (0.5, -0.5))
    whole = solution.coefficients[0] @ (above - below)
    slope = data.project(whole)
    columns, _ = np.linalg.qr(solution.columns[:, 0].T)
    return np.asarray(slope - columns @ (columns.T @ slope)), np.asarray(whole)


def error_of(data: Compared, slope: Floats, left: Floats, variance: float) -> float:
    """Return 1 sigma of a velocity, with noise that is correlated as what is left is."""
    full = np.zeros((2, int(data.planes[-1]) + 1))
    full[:, data.planes] = slope, left
    factor = 1.0
    for lag in _LAGS:
        along, residual = (float(one[lag:] @ one[:-lag]) / max(float(one @ one), 1e-300) for one in full)
        factor += 2 * along * residual
    squares = float(slope @ slope)
    return math.sqrt(variance * max(factor, _LEAST_VARIANCE) / squares) if squares > 0 else math.nan


def lone_outliers(left: Floats, clip: float) -> NDArray[np.bool_]:
    """Return which planes are far off what is fitted, and far off both neighbours: bad voxels, not lines."""
    sizes = np.abs(left)
    beside = np.pad(sizes, 1)
    neighbours = np.maximum(beside[:-2], beside[2:])
    return np.asarray((sizes > clip * _MAD * np.median(sizes)) & (sizes > _ALONE * neighbours))
