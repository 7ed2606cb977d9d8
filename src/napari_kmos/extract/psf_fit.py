"""Fit of the point spread function and the positions of the stars of a field, to a few wavelength bins at once.

Variable projection: fluxes and background are linear and solved in each bin for every trial of the other parameters,
which Levenberg and Marquardt's method moves along the part of their slopes that fluxes cannot take up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import convolve
from scipy.optimize import brentq

from napari_kmos.extract.psf_model import N_LOCAL, N_SHARED
from napari_kmos.spectral.nan import divide

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.extract.field_data import Bin
    from napari_kmos.extract.psf_model import Prior, PsfModel

    Floats = NDArray[np.float64]

_MOST_STEPS = 25
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-9, 1e8
#: A step that makes the cost smaller by less than this part of it is the last.
_CONVERGED = 1e-6
#: A star goes no further from where it was given, in units of the error of positions.
_FURTHEST = 5.0
#: Of the norm of the columns: keeps fluxes finite that the data do not tell.
_REGULAR = 1e-6
#: A star is off by at most this part of its light in a spaxel: more tells of stars that are missing.
_MOST_MISFIT = 0.2
#: Spaxels that are off alike: slitlets and profiles go wrong by 2 x 2 spaxels or so, not by single ones.
_ALIKE = 4.0
#: How often the misfit is found and allowed for; the median of the square of normal noise.
_ROUNDS, _MEDIAN_SQUARE = 2, 0.4549


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PsfSolution:
    """Best parameters of a field.

    Parameters
    ----------
    theta : ndarray, shape (n_parameters,)
        See `PsfModel`.
    covariance : ndarray, shape (n_parameters, n_parameters)
        Their own, by the noise of the bins, its correlation, and where the model fits worse than that, by so much.
    chi2 : float
        Per degree of freedom, of the bins.
    brightness : ndarray, shape (n_stars,)
        Of the stars on the field: flux over what its error would be, were the star alone; the mean over the bins.
    misfit : float
        Part of the stars' light in a spaxel by which it is off, so that chi2 is 1; 0 where it is 1 by the noise.
    bins : tuple of BinErrors
        What the errors of fluxes follow from.
    """

    theta: Floats
    covariance: Floats
    chi2: float
    brightness: Floats
    misfit: float = 0.0
    bins: tuple[BinErrors, ...] = ()


class BinErrors(NamedTuple):
    """How the errors of fluxes follow at the wavelength of a bin.

    ``shares[i]``, shape (n, n): the variance of flux i by the errors of the fitted parameters and by the misfit is
    f^T shares[i] f, where f are the fluxes of all stars. ``inflation[i]``: variance of flux i by correlated noise over
    that by the same noise without correlation.
    """

    wave_um: float
    shares: Floats
    inflation: Floats


class _Linear(NamedTuple):
    """One bin at some parameters: the weighted residual of the best fluxes, its slopes, and what they are made of."""

    residual: Floats
    slopes: Floats
    fluxes: Floats
    columns: Floats
    local_slopes: Floats

    @property
    def starlight(self) -> Floats:
        """Light of the stars over the noise, shape (n_pixels,)."""
        n_stars = self.local_slopes.shape[1] // N_LOCAL
        return self.columns[:, :n_stars] @ self.fluxes[:n_stars]


class BinFit:
    """The bins of a field, and the stars that are to explain them.

    Parameters
    ----------
    model : PsfModel
        The stars.
    bins : sequence of Bin
        At least one.
    background : ndarray, shape (n_terms, n_pixels)
        Images of the background.
    correlation : ndarray, optional
        Of the noise of neighbouring spaxels.
    """

    def __init__(self, model: PsfModel, bins: Sequence[Bin], background: Floats, correlation: Floats | None) -> None:
        self._model, self._bins, self._background = model, bins, background
        self._correlation = correlation
        self._matrices = [model.matrix(one.wave_um) for one in bins]

    def solve(self, prior: Prior, start: Floats | None = None) -> PsfSolution:
        """Find the best parameters; those with an error of 0 are held.

        Without a start, what the stars share is fitted first: with a profile that is far off, stars would run away to
        explain what is left of others.
        """
        free = np.flatnonzero(prior.sigma > 0)
        theta = prior.values.copy()
        if start is None:
            theta, _ = self._descended(theta, prior, free[free < N_SHARED])
        else:
            theta[free] = start[free]
        theta, bins = self._descended(theta, prior, free)
        return self._solution(theta, bins, free, prior.sigma[free] ** -2.0)

    def _descended(self, theta: Floats, prior: Prior, free: NDArray[np.intp]) -> tuple[Floats, list[_Linear]]:
        """Move some parameters to where the cost is least."""
        weights = prior.sigma[free] ** -2.0
        damping = _FIRST_DAMPING
        bins, cost = self._evaluate(theta, prior)
        for _ in range(_MOST_STEPS):
            slopes = np.concatenate([one.slopes[:, free] for one in bins])
            residual = np.concatenate([one.residual for one in bins])
            curvature = slopes.T @ slopes + np.diag(weights)
            downhill = slopes.T @ residual - weights * (theta - prior.values)[free]
            gain = 0.0
            while damping < _MOST_DAMPING:
                step = _inverse(curvature, damping) @ downhill
                trial = self._within_reach(theta, free, step, prior)
                trial_bins, trial_cost = self._evaluate(trial, prior)
                if trial_cost <= cost:
                    gain = cost - trial_cost
                    theta, bins, cost = trial, trial_bins, trial_cost
                    damping = max(damping / 10, _LEAST_DAMPING)
                    break
                damping *= 10
            if gain <= _CONVERGED * cost:
                break
        return theta, bins

    @staticmethod
    def _within_reach(theta: Floats, free: NDArray[np.intp], step: Floats, prior: Prior) -> Floats:
        """Make a step, in which no star goes further from where it was given than is possible."""
        trial = theta.copy()
        trial[free] += step
        limit = _FURTHEST * prior.sigma[N_SHARED:]
        trial[N_SHARED:] = np.clip(trial[N_SHARED:], -limit, limit)
        return trial

    def allowing_for_misfit(self, solution: PsfSolution, prior: Prior) -> PsfSolution:
        """Solve again with less weight where stars shine, if they explain the bins worse than the noise would.

        Else the brightest spaxels, whose flat field is not known as well as their noise is small, bend the profile. As
        DAOPHOT's, the error that is added is a part of the light; here chi2 tells which (Stetson 1987, PASP 99, 191).
        """
        n_free = int(np.count_nonzero(prior.sigma > 0))
        for _ in range(_ROUNDS):
            bins, _ = self._evaluate(solution.theta, prior)
            noise, misfit = self._misfit(bins, n_free)
            if misfit == 0:
                break
            variances = [noise + _ALIKE * (misfit * one.starlight) ** 2 for one in bins]
            loosened = [
                each._replace(root_weights=each.root_weights / np.sqrt(variance))
                for each, variance in zip(self._bins, variances, strict=True)
            ]
            found = BinFit(self._model, loosened, self._background, self._correlation).solve(prior, solution.theta)
            chi2 = _squares(self._evaluate(found.theta, prior)[0]) / self._degrees(bins, n_free)
            solution = replace(found, chi2=chi2, brightness=solution.brightness, misfit=misfit)
        return solution

    def _misfit(self, bins: Sequence[_Linear], n_free: int) -> tuple[float, float]:
        """Variance of the noise by the darker half of the spaxels, 1 at least, and the part of the light for chi2 1."""
        is_used = np.concatenate([one.root_weights for one in self._bins]) > 0
        squares = np.concatenate([one.residual for one in bins])[is_used] ** 2
        light = np.concatenate([one.starlight for one in bins])[is_used] ** 2
        noise = max(float(np.median(squares[light <= np.median(light)])) / _MEDIAN_SQUARE, 1.0)

        def excess(part: float) -> float:
            return float(np.sum(squares / (noise + part**2 * light))) - self._degrees(bins, n_free)

        if excess(0.0) <= 0:
            return noise, 0.0
        return noise, _MOST_MISFIT if excess(_MOST_MISFIT) > 0 else float(brentq(excess, 0.0, _MOST_MISFIT))

    def _degrees(self, bins: Sequence[_Linear], n_free: int) -> int:
        """Degrees of freedom, at least 1."""
        n_data = sum(int(np.count_nonzero(one.root_weights)) for one in self._bins)
        return max(n_data - sum(len(one.fluxes) for one in bins) - n_free, 1)

    def with_errors(self, solution: PsfSolution, prior: Prior) -> PsfSolution:
        """Return the solution with the errors of fluxes, those of parameters that were held included."""
        covariance = solution.covariance + np.diag(prior.held**2)
        errors = tuple(
            self._errors(self._linear(solution.theta, number), number, covariance, solution.misfit)
            for number in range(len(self._bins))
        )
        return replace(solution, covariance=covariance, bins=errors)

    def _evaluate(self, theta: Floats, prior: Prior) -> tuple[list[_Linear], float]:
        """All bins at some parameters, and the cost: chi^2 with what is known before."""
        bins = [self._linear(theta, number) for number in range(len(self._bins))]
        away = divide(theta - prior.values, prior.sigma)
        return bins, _squares(bins) + float(np.nansum(away**2))

    def _linear(self, theta: Floats, number: int) -> _Linear:
        """Solve one bin for fluxes and background."""
        _, flux, root = self._bins[number]
        images, *local = (each.reshape(len(each), -1) for each in self._model.slopes(theta, self._bins[number].wave_um))
        columns = (np.concatenate([images, self._background]) * root).T
        size = np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
        n_columns = columns.shape[1]
        padded = np.concatenate([columns, np.diag(_REGULAR * size)])
        q, r = np.linalg.qr(padded / size)
        along = q[: len(flux)].T @ (flux * root)
        fluxes = np.linalg.solve(r, along) / size
        residual = flux * root - columns @ fluxes
        local_slopes = np.concatenate(local).T * root[:, None]
        n_stars = len(images)
        slopes = (local_slopes * np.tile(fluxes[:n_stars], N_LOCAL)) @ self._matrices[number]
        inner = q[: len(flux), :n_columns]
        return _Linear(residual, slopes - inner @ (inner.T @ slopes), fluxes, columns, local_slopes)

    def _solution(self, theta: Floats, bins: Sequence[_Linear], free: NDArray[np.intp], weights: Floats) -> PsfSolution:
        """Covariance of the parameters that were free, 0 for the others."""
        curvature, spread = np.zeros((2, len(free), len(free)))
        for one in bins:
            slopes = one.slopes[:, free]
            curvature += slopes.T @ slopes
            spread += slopes.T @ self._correlated(slopes.T).T
        chi2 = _squares(bins) / self._degrees(bins, len(free))
        inverse = _inverse(curvature + np.diag(weights), _LEAST_DAMPING)
        covariance = np.zeros((len(theta), len(theta)))
        covariance[np.ix_(free, free)] = inverse @ (max(chi2, 1.0) * spread + np.diag(weights)) @ inverse
        n_stars = len(self._model.places)
        bright = np.mean([one.fluxes[:n_stars] * np.linalg.norm(one.columns, axis=0)[:n_stars] for one in bins], axis=0)
        return PsfSolution(theta=theta, covariance=covariance, chi2=chi2, brightness=bright)

    def _errors(self, one: _Linear, number: int, covariance: Floats, misfit: float) -> BinErrors:
        """Propagate errors of the parameters, misfit and correlated noise into fluxes at the wavelength of a bin."""
        n_stars = (one.local_slopes.shape[1]) // N_LOCAL
        inverse: Floats = np.linalg.pinv(one.columns)[:n_stars].astype(float)
        plain = np.sum(inverse**2, axis=1)
        inflation = divide(np.sum(inverse * self._correlated(inverse), axis=1), plain)
        matrix = self._matrices[number]
        local = (matrix @ covariance @ matrix.T).reshape(N_LOCAL, n_stars, N_LOCAL, n_stars)
        response = (inverse @ one.local_slopes).reshape(n_stars, N_LOCAL, n_stars)
        moved = np.einsum("iaj,ajbk->ijbk", response, local, optimize=True)
        shares = np.einsum("ijbk,ibk->ijk", moved, response, optimize=True)
        stars = one.columns[:, :n_stars]
        shares += _ALIKE * misfit**2 * np.einsum("ip,pj,pk->ijk", inverse**2, stars, stars, optimize=True)
        return BinErrors(self._bins[number].wave_um, shares, np.where(np.isfinite(inflation), inflation, 1.0))

    def _correlated(self, images: Floats) -> Floats:
        """Multiply images, shape (n, n_pixels), by the correlation matrix of the noise."""
        if self._correlation is None:
            return images
        stack = images.reshape(-1, *self._model.shape)
        return np.asarray(convolve(stack, self._correlation[None], mode="constant").reshape(images.shape))


def _squares(bins: Sequence[_Linear]) -> float:
    """Sum of the squares of the residuals, over the noise."""
    return sum(float(one.residual @ one.residual) for one in bins)


def _inverse(matrix: Floats, damping: float) -> Floats:
    """Invert a matrix with positive diagonal, of which a part is added; scaled to 1 first, or digits are lost."""
    size = np.sqrt(np.diag(matrix))
    scaled = matrix / size / size[:, None]
    return np.asarray(np.linalg.inv(scaled + damping * np.eye(len(size))) / size / size[:, None])


def outshone(places: Floats, brightness: Floats, closer_than: float) -> tuple[int, ...]:
    """Return the stars that have a brighter one closer than this."""
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    is_brighter = brightness[None] > brightness[:, None]
    return tuple(np.flatnonzero(np.any((distance < closer_than) & is_brighter, axis=1)).tolist())
