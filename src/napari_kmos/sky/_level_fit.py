"""The fit of the method `levels` to the mean spectrum of the sky spaxels: a factor a level, shift, stretch, width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse

from napari_kmos.sky._banded import solve_ridge
from napari_kmos.sky._level_model import polynomials, spline_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._level_model import LevelModel
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

#: The first shift is looked for in such steps; that lines of one level do not keep their ratio to others is an error
#: of this share of the lines there.
_GRID_PIX, _ONE_FACTOR_ERROR = 0.25, 0.1
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
    places : ndarray, shape (n_places,)
        Coefficients of Legendre polynomials: by how many planes the object's lines lie further.
    width : float
        Logarithm of their FWHM over the comb's.
    light : ndarray, shape (n_cells,)
        Cells of the comb as they are in the object.
    continuum : ndarray, shape (n_planes,)
        What lies beside the lines, above the continuum of the sky.
    covariance : ndarray, shape (n_groups + n_places + 1, n_groups + n_places + 1)
        Of factors, places and width.
    slopes : ndarray, shape (n_planes, n_groups + n_places + 1)
        Change of the lines with each of these.
    doubt : ndarray, shape (n_planes,)
        Variance of the lines by light whose level is in doubt.
    leverage : ndarray, shape (n_planes,)
        Share of the noise that all that was fitted follows; what is left has the variance of the rest.
    """

    factors: Floats
    places: Floats
    width: float
    light: Floats
    continuum: Floats
    covariance: Floats
    slopes: Floats
    doubt: Floats
    leverage: Floats

    @property
    def state(self) -> Floats:
        """All that was fitted to the lines as one vector."""
        return np.concatenate([self.factors, self.places, [self.width]])

    def shifts(self) -> Floats:
        """Return the shift of every plane."""
        return polynomials(self.continuum.size, self.places.size) @ self.places

    def variance(self) -> Floats:
        """Return the variance of the lines at every plane."""
        return np.asarray(np.sum((self.slopes @ self.covariance) * self.slopes, axis=1) + self.doubt)


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
    doubtful : csr_array, shape (n_cells, n), optional
        Light of which there may be more or less than its levels tell: once, rms. In the order of the cells.
    features : csr_array, shape (n_planes, n), optional
        Features that starlight in the spectrum may have beside those: once, rms. Each in few planes, in their order.
    """

    spectrum: Floats
    sigma: Floats
    prior: Floats
    starlight: Floats | None = None
    doubtful: sparse.csr_array | None = None
    features: sparse.csr_array | None = None


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
        Where to begin; by default with factors 1 and the shift that fits best. Doubtful light and features are
        not looked for without it.
    """
    problem = _Problem(model, target, p, start)
    state, left_over, limit = problem.state, problem.left_over, p.huber if start else np.inf
    lines, slopes = _linearised(model, state)
    weight = problem.weights(lines, left_over, limit)
    for _ in range(p.fit_rounds):
        step = problem.step(state, (lines, slopes), weight)
        moved = np.sqrt(weight) * (slopes @ step.change + step.left_over - left_over)
        state, left_over = state + step.change, step.left_over
        lines, slopes = _linearised(model, state)
        weight = problem.weights(lines, left_over, p.huber)
        if float(np.sqrt(np.mean(moved**2))) < _CONVERGED:
            break
    return problem.result(state, slopes, step)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A step of the fit: the change of the state, and what was found beside the lines.

    ``once`` holds how much there is of each local column, ``follow`` how they follow each of the others, ``free`` those
    without them, and ``factor`` is the Cholesky factor of these.
    """

    change: Floats
    continuum: Floats
    once: Floats
    left_over: Floats
    follow: Floats
    local: sparse.csr_array
    free: Floats
    factor: tuple[Floats, bool]


class _Problem:
    """A spectrum, what is fitted beside the lines, and what is expected of all of it."""

    def __init__(self, model: LevelModel, target: MeanTarget, p: SkyParameters, start: LevelFit | None) -> None:
        self._model, self._target, self._p = model, target, p
        self._values = np.where(np.isfinite(target.sigma), target.spectrum, 0.0)
        splines = spline_columns(target.sigma.size, p.fit_knots)
        starlight = np.zeros((len(splines), 0)) if target.starlight is None else target.starlight
        self._beside = np.hstack([splines, starlight])
        free = np.full(splines.shape[1], _RIDGE * float(np.max(target.sigma**-2.0)))
        self._precision = linalg.block_diag(
            _precision(target.prior, p), np.diag(np.concatenate([free, np.ones(starlight.shape[1])]))
        )
        if start is not None:
            self.state, self.left_over = start.state, start.continuum
        else:
            self.state = np.zeros(self._precision.shape[0] - self._beside.shape[1])
            self.state[model.parts.shape[1]] = _first_shift(model, (self._values, target.sigma), self._beside, p)
            self.left_over = np.zeros(self._values.size)
        places = self.state[model.parts.shape[1] : -1]
        shifts = polynomials(self._values.size, places.size) @ places
        matrix = model.matrix(shifts, float(self.state[-1]))
        cells, features = (None, None) if start is None else (target.doubtful, target.features)
        self._cells, self._features = _in_order(matrix, cells, features)
        self._doubtful = (matrix @ self._cells).tocsr()

    def weights(self, lines: Floats, left_over: Floats, limit: float) -> Floats:
        """Inverse variances of the spectrum, with the error of the model, by Huber's estimator."""
        error = np.hypot(self._target.sigma, self._p.model_error * lines)
        z = np.abs(self._values - lines - left_over) / error
        return np.asarray(np.minimum(1.0, limit / np.maximum(z, 1e-12)) / error**2)

    def step(self, state: Floats, linearised: tuple[Floats, Floats], weight: Floats) -> _Step:
        """Solve for the change of the state and for what is beside the lines.

        Doubtful light and features are in few planes each and are eliminated first.
        """
        lines, slopes = linearised
        root = np.sqrt(weight)[:, None]
        columns, left = np.hstack([slopes, self._beside]) * root, (self._values - lines) * root[:, 0]
        local = (self._doubtful + self._features).multiply(root).tocsr()
        expected = np.ones(local.shape[1])
        follow = solve_ridge(local, expected, local.T @ columns)
        free = columns - local @ follow
        factor = linalg.cho_factor(columns.T @ free + self._precision, overwrite_a=True, check_finite=False)
        gradient = free.T @ left - self._precision[:, : state.size] @ state
        found = linalg.cho_solve(factor, gradient, check_finite=False)
        once = solve_ridge(local, expected, local.T @ (left - columns @ found))
        continuum = self._beside @ found[state.size :] + self._features @ once
        return _Step(
            change=np.clip(found[: state.size], -_LARGEST_STEP, _LARGEST_STEP),
            continuum=continuum,
            once=once,
            left_over=continuum + self._doubtful @ once,
            follow=follow[:, : state.size],
            local=local,
            free=free,
            factor=factor,
        )

    def result(self, state: Floats, slopes: Floats, last: _Step) -> LevelFit:
        """Return what was found, with errors as they were at the last step."""
        n_groups, n_local = self._model.parts.shape[1], last.once.size
        covariance = linalg.cho_solve(last.factor, np.eye(len(last.factor[0])), check_finite=False)
        inverse = solve_ridge(last.local, np.ones(n_local), np.eye(n_local))
        return LevelFit(
            factors=state[:n_groups],
            places=state[n_groups:-1],
            width=float(state[-1]),
            light=self._model.light(state[:n_groups]) + self._cells @ last.once,
            continuum=last.continuum,
            covariance=covariance[: state.size, : state.size],
            slopes=slopes - self._doubtful @ last.follow,
            doubt=np.asarray(self._doubtful.multiply(self._doubtful @ inverse).sum(axis=1)),
            leverage=np.sum((last.free @ covariance) * last.free, axis=1)
            + last.local.multiply(last.local @ inverse).sum(axis=1),
        )


def _in_order(
    matrix: sparse.csr_array, cells: sparse.csr_array | None, features: sparse.csr_array | None
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return local columns as light of the comb and as spectra, one of which is zero, in the order of their planes."""
    n_planes, n_cells = matrix.shape
    cells = sparse.csr_array((n_cells, 0)) if cells is None else cells
    features = sparse.csr_array((n_planes, 0)) if features is None else features
    planes = [_middle(abs(each)) for each in (matrix @ cells, features)]
    order = np.argsort(np.concatenate(planes), kind="stable")
    light = sparse.hstack([cells, sparse.csr_array((n_cells, features.shape[1]))]).tocsc()
    spectra = sparse.hstack([sparse.csr_array((n_planes, cells.shape[1])), features]).tocsc()
    return light[:, order].tocsr(), spectra[:, order].tocsr()


def _middle(columns: sparse.csr_array) -> Floats:
    """Return the row about which each column that is not negative lies."""
    total = np.maximum(columns.sum(axis=0), np.finfo(float).tiny)
    return np.asarray((np.arange(columns.shape[0]) @ columns) / total)


def _precision(prior: Floats, p: SkyParameters) -> Floats:
    """Inverse of what is expected of the factors, the places and the width."""
    degree = p.stretch_degree if p.stretch else 1
    others = np.array([p.prior_shift, *[p.prior_stretch] * degree, p.prior_width]) ** -2.0
    return np.asarray(linalg.block_diag(np.linalg.inv(prior), np.diag(others)))


def _linearised(model: LevelModel, state: Floats) -> tuple[Floats, Floats]:
    """Return the lines at a state, and their slopes by factors, places and width."""
    n_groups = model.parts.shape[1]
    factors, places, width = state[:n_groups], state[n_groups:-1], float(state[-1])
    along = polynomials(model.comb.rest.size, places.size)
    shifts = along @ places
    lines, by_shift, by_width = model.derivatives(model.light(factors), shifts, width, order=1)
    slopes = np.column_stack([model.groups(factors, shifts, width), by_shift[:, None] * along, by_width])
    return lines + model.rest(lines, shifts), slopes


def _first_shift(model: LevelModel, seen: tuple[Floats, Floats], beside: Floats, p: SkyParameters) -> float:
    """Return the shift on a grid that leaves least, with one factor for all lines and a smooth continuum."""
    spectrum, sigma = seen
    steps = np.arange(-p.max_shift, p.max_shift + 0.5 * _GRID_PIX, _GRID_PIX)
    light = model.comb.light
    lines = np.stack([model.derivatives(light, float(step), 0.0, order=1)[0] for step in steps], axis=1)
    error = np.sqrt(sigma**2 + (_ONE_FACTOR_ERROR * lines[:, [steps.size // 2]].ravel()) ** 2)
    both = np.column_stack([spectrum, lines]) / error[:, None]
    q, _ = np.linalg.qr(beside / error[:, None])
    both -= q @ (q.T @ both)
    gain = (both[:, 1:].T @ both[:, 0]) ** 2 / np.maximum(np.sum(both[:, 1:] ** 2, axis=0), 1e-300)
    return float(steps[int(np.argmax(gain))])
