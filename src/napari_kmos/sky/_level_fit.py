"""The fit of the method `levels` to the mean spectrum of the sky spaxels: a factor a level, shift, stretch, width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, ndimage
from scipy.interpolate import BSpline

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
#: A step that changes the spectrum by less than this many sigma, rms, is the last.
_CONVERGED = 0.02
#: Keeps splines without data, at the ends, from having no solution; over the largest of their weights.
_RIDGE = 1e-10


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
        What lies beside the lines, above the continuum of the sky.
    covariance : ndarray, shape (n_groups + 3, n_groups + 3)
        Of factors, shift, stretch and width.
    slopes : ndarray, shape (n_planes, n_groups + 3)
        Change of the lines with each of these.
    """

    factors: Floats
    shift: float
    stretch: float
    width: float
    continuum: Floats
    covariance: Floats
    slopes: Floats

    @property
    def state(self) -> Floats:
        """All that was fitted to the lines as one vector."""
        return np.concatenate([self.factors, [self.shift, self.stretch, self.width]])

    def shifts(self) -> Floats:
        """Return the shift of every plane."""
        return self.shift + self.stretch * np.linspace(-1, 1, self.continuum.size)

    def variance(self) -> Floats:
        """Return the variance of the lines at every plane."""
        return np.asarray(np.sum((self.slopes @ self.covariance) * self.slopes, axis=1))


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
        usual = comb.spread.matrix(0.0, comb.fwhm) @ comb.light
        self._curves = [ndimage.spline_filter1d(curve, mode="nearest") for curve in (comb.rest, usual)]

    def light(self, factors: Floats) -> Floats:
        """Return the cells with the factors in them."""
        return np.asarray(self.parts @ np.exp(factors))

    def groups(self, factors: Floats, shifts: Floats, width: float) -> Floats:
        """Return the spectrum of each group, shape (n_planes, n_groups)."""
        matrix = self.comb.spread.matrix(shifts, self.comb.fwhm * float(np.exp(width)))
        return np.asarray((matrix @ self.parts).toarray() * np.exp(factors))

    def derivatives(self, factors: Floats, shifts: Floats | float, width: float, *, order: int) -> Floats:
        """Return the lines and their derivatives by shift and width, as `LineSpread.spectra`, without the rest."""
        return self.comb.spread.spectra(self.light(factors), shifts, self.comb.fwhm * float(np.exp(width)), order=order)

    def rest(self, lines: Floats, shifts: Floats) -> Floats:
        """Return what the cells do not tell, moved, with the factor of the lines about it."""
        where = (np.arange(shifts.size) - shifts)[None]
        rest, usual = (ndimage.map_coordinates(curve, where, prefilter=False, mode="nearest") for curve in self._curves)
        about = ndimage.uniform_filter1d(np.stack([lines * usual, usual**2]), _ABOUT, axis=1) + self.level**2
        return np.asarray(rest * about[0] / about[1])


def spline_columns(n_planes: int, n_knots: int) -> Floats:
    """Return cubic B-splines over the planes, evenly spaced; shape (n_planes, n_knots + 2)."""
    inner = np.linspace(0, n_planes - 1, n_knots)
    knots = np.concatenate([np.full(_DEGREE, inner[0]), inner, np.full(_DEGREE, inner[-1])])
    return np.asarray(BSpline.design_matrix(np.arange(n_planes, dtype=float), knots, _DEGREE).toarray())


@dataclass(frozen=True, slots=True, eq=False)
class MeanTarget:
    """What is fitted.

    Parameters
    ----------
    spectrum, sigma : ndarray, shape (n_planes,)
        Mean spectrum and its expected error; planes without data have an infinite error.
    prior : ndarray, shape (n_groups, n_groups)
        Covariance of the factors that is expected.
    starlight : ndarray, shape (n_planes, n), optional
        Spectra of stars, of which there may be some in the spectrum: once, rms.
    """

    spectrum: Floats
    sigma: Floats
    prior: Floats
    starlight: Floats | None = None


def fit_levels(model: LevelModel, target: MeanTarget, p: SkyParameters, *, start: LevelFit | None = None) -> LevelFit:
    """Fit the lines, a smooth continuum and starlight to a spectrum: robust Gauss-Newton with priors.

    Parameters
    ----------
    model : LevelModel
        Lines of the sky.
    target : MeanTarget
        What is fitted.
    p : SkyParameters
        Priors of the rest, knots, rounds, rejection.
    start : LevelFit, optional
        Where to begin; by default with factors 1 and the shift that fits best.
    """
    problem = _Problem(model, target, p)
    state, continuum, limit = problem.begin(start)
    lines, slopes = _linearised(model, state)
    weight = problem.weights(lines, continuum, limit)
    for _ in range(p.fit_rounds):
        before = continuum
        change, beside, covariance = problem.step(state, (lines, slopes), weight)
        continuum = problem.beside @ beside
        moved = np.sqrt(weight) * (slopes @ change + continuum - before)
        state = state + change
        lines, slopes = _linearised(model, state)
        weight = problem.weights(lines, continuum, p.huber)
        if float(np.sqrt(np.mean(moved**2))) < _CONVERGED:
            break
    return LevelFit(
        factors=state[:-3],
        shift=float(state[-3]),
        stretch=float(state[-2]),
        width=float(state[-1]),
        continuum=continuum,
        covariance=covariance,
        slopes=slopes,
    )


class _Problem:
    """A spectrum, what is fitted beside the lines, and what is expected of all of it."""

    def __init__(self, model: LevelModel, target: MeanTarget, p: SkyParameters) -> None:
        self._model, self._p, self._sigma = model, p, target.sigma
        self._values = np.where(np.isfinite(target.sigma), target.spectrum, 0.0)
        splines = spline_columns(target.sigma.size, p.fit_knots)
        starlight = np.zeros((len(splines), 0)) if target.starlight is None else target.starlight
        self.beside = np.hstack([splines, starlight])
        free = np.full(splines.shape[1], _RIDGE * float(np.max(target.sigma**-2.0)))
        self._precision = linalg.block_diag(
            _precision(target.prior, p), np.diag(np.concatenate([free, np.ones(starlight.shape[1])]))
        )

    def begin(self, start: LevelFit | None) -> tuple[Floats, Floats, float]:
        """Return the first state, the first continuum, and the sigma beyond which residuals to these count less."""
        if start is not None:
            return start.state, start.continuum, self._p.huber
        state = np.zeros(self._precision.shape[0] - self.beside.shape[1])
        state[-3] = _first_shift(self._model, (self._values, self._sigma), self.beside, self._p)
        return state, np.zeros(self._values.size), np.inf

    def weights(self, lines: Floats, continuum: Floats, limit: float) -> Floats:
        """Inverse variances of the spectrum, with the error of the model, by Huber's estimator."""
        error = np.hypot(self._sigma, self._p.model_error * lines)
        z = np.abs(self._values - lines - continuum) / error
        return np.asarray(np.minimum(1.0, limit / np.maximum(z, 1e-12)) / error**2)

    def step(self, state: Floats, linearised: tuple[Floats, Floats], weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the change of the state, the coefficients beside the lines, and the covariance of the state."""
        lines, slopes = linearised
        root = np.sqrt(weight)[:, None]
        columns = np.hstack([slopes, self.beside]) * root
        expected = self._precision[:, : state.size] @ state
        factor = linalg.cho_factor(columns.T @ columns + self._precision, overwrite_a=True, check_finite=False)
        gradient = columns.T @ ((self._values - lines) * root[:, 0]) - expected
        found = linalg.cho_solve(factor, gradient, check_finite=False)
        covariance = linalg.cho_solve(factor, np.eye(found.size, state.size), check_finite=False)[: state.size]
        return np.clip(found[: state.size], -_LARGEST_STEP, _LARGEST_STEP), found[state.size :], covariance


def _precision(prior: Floats, p: SkyParameters) -> Floats:
    """Inverse of what is expected of the factors, the shift, the stretch and the width."""
    others = np.array([p.prior_shift, p.prior_stretch, p.prior_width]) ** -2.0
    return np.asarray(linalg.block_diag(np.linalg.inv(prior), np.diag(others)))


def _linearised(model: LevelModel, state: Floats) -> tuple[Floats, Floats]:
    """Return the lines at a state, and their slopes by factors, shift, stretch and width."""
    u = np.linspace(-1, 1, model.comb.rest.size)
    shifts = state[-3] + state[-2] * u
    lines, by_shift, by_width = model.derivatives(state[:-3], shifts, state[-1], order=1)
    slopes = np.column_stack([model.groups(state[:-3], shifts, state[-1]), by_shift, by_shift * u, by_width])
    return lines + model.rest(lines, shifts), slopes


def _first_shift(model: LevelModel, seen: tuple[Floats, Floats], beside: Floats, p: SkyParameters) -> float:
    """Return the shift on a grid that leaves least, with one factor for all lines and a smooth continuum."""
    spectrum, sigma = seen
    steps = np.arange(-p.max_shift, p.max_shift + 0.5 * _GRID_PIX, _GRID_PIX)
    zero = np.zeros(model.parts.shape[1])
    lines = np.stack([model.derivatives(zero, float(step), 0.0, order=1)[0] for step in steps], axis=1)
    error = np.sqrt(sigma**2 + (0.1 * lines[:, [steps.size // 2]].ravel()) ** 2)
    both = np.column_stack([spectrum, lines]) / error[:, None]
    q, _ = np.linalg.qr(beside / error[:, None])
    both -= q @ (q.T @ both)
    gain = (both[:, 1:].T @ both[:, 0]) ** 2 / np.maximum(np.sum(both[:, 1:] ** 2, axis=0), 1e-300)
    return float(steps[int(np.argmax(gain))])
