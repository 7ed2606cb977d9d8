"""The fit of the method `levels` to the mean spectrum of the sky spaxels: a factor a level, shift, stretch, width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, ndimage
from scipy.interpolate import BSpline

from napari_kmos.sky._resample import WaveResampler

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_kmos.sky._comb import Comb
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

_DEGREE = 3
_GRID_PIX = 0.25
#: Planes over which the factor of the rest is taken.
_ABOUT = 7
#: A Gauss-Newton step changes the logarithm of a factor by no more than this, and shifts by no more planes.
_LARGEST_STEP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class LevelFit:
    """What was found in the mean spectrum.

    Parameters
    ----------
    factors : ndarray, shape (n_groups,)
        Logarithm of the factor of each group.
    shift, stretch, width : float
        The object's lines lie ``shift + stretch u`` planes further, u from -1 to 1; logarithm of their FWHM over the
        comb's.
    continuum : ndarray, shape (n_planes,)
        What lies below the lines.
    covariance : ndarray, shape (n_groups + 3, n_groups + 3)
        Of factors, shift, stretch and width.
    slopes : ndarray, shape (n_planes, n_groups + 3)
        Change of the lines with each of these.
    chi2 : float
        Mean square of the residual over its expected error, robust.
    """

    factors: Floats
    shift: float
    stretch: float
    width: float
    continuum: Floats
    covariance: Floats
    slopes: Floats
    chi2: float

    def shifts(self) -> Floats:
        """Return the shift of every plane."""
        return self.shift + self.stretch * np.linspace(-1, 1, self.continuum.size)

    def variance(self) -> Floats:
        """Return the variance of the lines at every plane."""
        return np.asarray(np.einsum("lg,gh,lh->l", self.slopes, self.covariance, self.slopes, optimize=True))


class LevelModel:
    """The lines of a comb with a factor a group.

    Parameters
    ----------
    comb : Comb
        Lines of the sky.
    shares : csr_array, shape (n_cells, n_groups)
        Share of each group in each cell.
    level : float
        Light below which the factor of the rest is not told by the lines.
    """

    def __init__(self, comb: Comb, shares: sparse.csr_array, level: float) -> None:
        self.comb, self.level = comb, level
        self.parts = shares.multiply(comb.light[:, None]).tocsr()
        self._usual = comb.spread.matrix(0.0, comb.fwhm) @ comb.light

    def light(self, factors: Floats) -> Floats:
        """Return the cells with the factors in them."""
        return np.asarray(self.parts @ np.exp(factors))

    def groups(self, factors: Floats, shifts: Floats, width: float) -> Floats:
        """Return the spectrum of each group, shape (n_planes, n_groups)."""
        matrix = self.comb.spread.matrix(shifts, self.comb.fwhm * float(np.exp(width)))
        return np.asarray((matrix @ self.parts).toarray() * np.exp(factors))

    def derivatives(self, factors: Floats, shifts: Floats, width: float, *, order: int) -> Floats:
        """Return the lines and their derivatives by shift and width, as `LineSpread.spectra`, without the rest."""
        return self.comb.spread.spectra(
            self.light(factors), shifts, self.comb.fwhm * float(np.exp(width)), order=order
        )

    def rest(self, lines: Floats, shifts: Floats) -> Floats:
        """Return what the cells do not tell, moved, with the factor of the lines about it."""
        resampler = WaveResampler(np.arange(shifts.size) - shifts)
        moved = resampler.flux(np.stack([self.comb.rest, self._usual], axis=1))
        moved = np.where(np.isfinite(moved), moved, 0.0)
        both, usual = lines * moved[:, 1], moved[:, 1] ** 2
        about = ndimage.uniform_filter1d(np.stack([both, usual]), _ABOUT, axis=1) + self.level**2
        return np.asarray(moved[:, 0] * about[0] / about[1])


def spline_columns(n_planes: int, n_knots: int) -> Floats:
    """Return cubic B-splines over the planes, evenly spaced; shape (n_planes, n_knots + 2)."""
    inner = np.linspace(0, n_planes - 1, n_knots)
    knots = np.concatenate([np.full(_DEGREE, inner[0]), inner, np.full(_DEGREE, inner[-1])])
    return np.asarray(BSpline.design_matrix(np.arange(n_planes, dtype=float), knots, _DEGREE).toarray())


def fit_levels(
    model: LevelModel, spectrum: Floats, sigma: Floats, prior: Floats, p: SkyParameters, *, start: LevelFit | None = None
) -> LevelFit:
    """Fit the lines and a smooth continuum to a spectrum: robust Gauss-Newton with priors.

    Parameters
    ----------
    model : LevelModel
        Lines of the sky.
    spectrum, sigma : ndarray, shape (n_planes,)
        Mean spectrum and its expected error; planes without data have an infinite error.
    prior : ndarray, shape (n_groups, n_groups)
        Covariance of the factors that is expected.
    p : SkyParameters
        Priors of the rest, knots, rounds, rejection.
    start : LevelFit, optional
        Where to begin.
    """
    n_groups, n_planes = prior.shape[0], spectrum.size
    n_lines = n_groups + 3
    u = np.linspace(-1, 1, n_planes)
    splines = spline_columns(n_planes, p.fit_knots)
    precision = np.zeros((n_lines, n_lines))
    precision[:n_groups, :n_groups] = np.linalg.inv(prior)
    precision[np.arange(n_groups, n_lines), np.arange(n_groups, n_lines)] = (
        np.array([p.prior_shift, p.prior_stretch, p.prior_width]) ** -2.0
    )
    if start is None:
        state = np.zeros(n_lines)
        state[n_groups] = _first_shift(model, spectrum, sigma, splines, p)
        rounds = p.fit_rounds
    else:
        state = np.concatenate([start.factors, [start.shift, start.stretch, start.width]])
        rounds = 2
    normal = np.zeros((n_lines + splines.shape[1],) * 2)
    columns = np.zeros((n_planes, n_lines + splines.shape[1]))
    columns[:, n_lines:] = splines
    values = np.where(np.isfinite(sigma), spectrum, 0.0)
    continuum = np.zeros(n_planes)
    weight = np.zeros(n_planes)
    for k in range(rounds + 1):
        shifts = state[n_groups] + state[n_groups + 1] * u
        by_group = model.groups(state[:n_groups], shifts, state[-1])
        slopes = model.derivatives(state[:n_groups], shifts, state[-1], order=1)
        lines = slopes[0] + model.rest(slopes[0], shifts)
        columns[:, :n_groups] = by_group
        columns[:, n_groups], columns[:, n_groups + 1], columns[:, n_groups + 2] = slopes[1], slopes[1] * u, slopes[2]
        error = np.sqrt(sigma**2 + (p.model_error * lines) ** 2)
        left = values - lines
        if k == 0 and start is None:
            weight = 1 / error**2
        else:
            if k == 0:
                assert start is not None
                continuum = start.continuum
            weight = _huber((left - continuum) / error, p.huber) / error**2
        weighted = columns * weight[:, None]
        normal = columns.T @ weighted
        normal[:n_lines, :n_lines] += precision
        normal[np.arange(n_lines, normal.shape[0]), np.arange(n_lines, normal.shape[0])] *= 1 + 1e-9
        gradient = weighted.T @ left
        gradient[:n_lines] -= precision @ state
        factor = linalg.cho_factor(normal)
        if k == rounds:
            break
        step = linalg.cho_solve(factor, gradient)
        state = state + np.clip(step[:n_lines], -_LARGEST_STEP, _LARGEST_STEP)
        continuum = splines @ step[n_lines:]
    continuum = splines @ linalg.cho_solve(factor, gradient)[n_lines:]
    known = np.isfinite(sigma)
    z = ((left - continuum) / error)[known]
    return LevelFit(
        factors=state[:n_groups],
        shift=float(state[n_groups]),
        stretch=float(state[n_groups + 1]),
        width=float(state[n_groups + 2]),
        continuum=continuum,
        covariance=linalg.cho_solve(factor, np.eye(normal.shape[0])[:, :n_lines])[:n_lines],
        slopes=columns[:, :n_lines].copy(),
        chi2=float((1.4826 * np.median(np.abs(z))) ** 2),
    )


def _first_shift(model: LevelModel, spectrum: Floats, sigma: Floats, splines: Floats, p: SkyParameters) -> float:
    """Return the shift on a grid that leaves least, with one factor for all lines and a smooth continuum."""
    steps = np.arange(-p.max_shift, p.max_shift + 0.5 * _GRID_PIX, _GRID_PIX)
    zero = np.zeros(model.parts.shape[1])
    lines = np.stack([model.derivatives(zero, step, 0.0, order=1)[0] for step in steps], axis=1)
    error = np.sqrt(sigma**2 + (0.1 * lines[:, [steps.size // 2]].ravel()) ** 2)
    both = np.column_stack([np.where(np.isfinite(sigma), spectrum, 0.0), lines]) / error[:, None]
    q, _ = np.linalg.qr(splines / error[:, None])
    both -= q @ (q.T @ both)
    gain = (both[:, 1:].T @ both[:, 0]) ** 2 / np.maximum(np.sum(both[:, 1:] ** 2, axis=0), 1e-300)
    return float(steps[int(np.argmax(gain))])


def _huber(z: Floats, limit: float) -> Floats:
    """Weights of Huber's estimator."""
    return np.asarray(np.minimum(1.0, limit / np.maximum(np.abs(z), 1e-12)))
