"""Forward model of an image of known stars: where they are, how bright, how wide; fitted to the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import least_squares
from scipy.stats import spearmanr

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.optimize import OptimizeResult

    Floats = NDArray[np.float64]

#: A fit may move so far from the whole-pixel shift where it starts, and a star is narrower or wider by these factors.
_REACH_PIX = 1.2
_WIDTH_RANGE = (0.55, 2.0)
#: A star that no catalogue has is believed in if with it the cost falls to this part; so many are looked for.
_WORTH, _MOST_MISSING = 0.8, 2
#: How well its flux is known, and its place in pixels.
_MISSING_ERRORS = (1.0, 1.0)
#: Stars this many times the width outside the field do not reach into it.
_OUTSIDE = 1.5
_DARK_PERCENT = 20.0
_FLOOR_SIGMA = 2.0
#: Residuals of so many sigma begin to count less: stars that are in no catalogue.
_LOSS_SCALE = 2.0
_MOST_STEPS, _ROUNDS = 8, 3
#: Between the stars there is light of their wings, known no better: so much of the mean.
_WINGS = 0.25
#: Part of the star light by which an image differs from a model that is a fraction of a pixel off.
_ROUNDING = 0.15
#: Chance is judged at every third shift.
_CHANCE_STEP = 3
#: Of the unit norm of the gain's and the background's columns: keeps them apart where an image has no structure.
_REGULAR = 1e-6
_TINY = float(np.finfo(float).tiny)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelErrors:
    """What a model of stars may be wrong by.

    Parameters
    ----------
    light : float
        Part of the star light of the image.
    flux : float
        Part of each star's flux.
    position_pix : float
        Pixels in each star's place, in each axis.
    """

    light: float
    flux: float
    position_pix: float


class Profile(NamedTuple):
    """A Moffat profile: full width at half maximum in pixels, and the power."""

    fwhm_pix: float
    power: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StarFit:
    """Best fit of an image by a model near one shift.

    Parameters
    ----------
    shift : tuple of float
        (y, x) in pixels: what the header places at p is at p + shift.
    err_pix : float
        1 sigma of each.
    fwhm_pix : float
        Width of the stars.
    gain, background : float
        Image = gain * flux of the stars + background.
    correlation : float
        Spearman's rank correlation of the image with the model whose stars have the fluxes and places given.
    cost : float
        Half the sum of the squared residuals, those of many sigma as if they were fewer.
    n_pixels, n_stars : int
        Pixels compared, and stars in them.
    at_limit : bool
        Whether the fit ended where it was not allowed to go on: the shift is then no measurement.
    """

    shift: tuple[float, float]
    err_pix: float
    fwhm_pix: float
    gain: float
    background: float
    correlation: float
    cost: float
    n_pixels: int
    n_stars: int
    at_limit: bool


class StarModel:
    """Stars, and the image that is to be explained by them.

    Fluxes have one gain in common; each star's flux and place may differ from what is known, at a price.

    Parameters
    ----------
    data : ndarray, shape (n_y, n_x)
        NaN is no data.
    noise : float
        1 sigma of a pixel.
    stars : ndarray, shape (3, n)
        y and x in pixels, by the header, and flux in any unit.
    errors : ModelErrors
        How well these are known.
    """

    def __init__(self, data: Floats, noise: float, stars: Floats, errors: ModelErrors) -> None:
        used = np.isfinite(data)
        self._shape = data.shape
        self._level, self._noise = float(np.median(data[used])), noise
        self._data = (data[used] - self._level) / noise
        self._at = np.argwhere(used).T.astype(float)
        known = np.ones(stars.shape[1])
        self._stars = np.stack([*stars, errors.flux * known, errors.position_pix * known])
        # It depends neither on the shift nor on how well it fits, so that no wrong shift is rewarded.
        dark = float(np.percentile(self._data, _DARK_PERCENT))
        light = np.maximum(self._data - dark, 0.0)
        spread = np.sqrt(light**2 + (_WINGS * light.mean()) ** 2)
        self._sigma, self._sigma_rounded = (np.hypot(1.0, part * spread) for part in (errors.light, _ROUNDING))
        self._floor = dark + _FLOOR_SIGMA

    def misfits(self, reach: int, profile: Profile) -> Floats:
        """Return the cost of all whole-pixel shifts, shape (2 * reach + 1, 2 * reach + 1); infinite without stars.

        The right shift being between them, the image may differ by more than in a fit.
        """
        steps = range(-reach, reach + 1)
        return np.array([[self._cost((dy, dx), profile, self._sigma_rounded) for dx in steps] for dy in steps])

    def chance(self, reach: int, profile: Profile) -> float:
        """Return what a shift costs as a rule, by the measure of a fit; infinite without stars."""
        steps = range(-reach, reach + 1, _CHANCE_STEP)
        costs = np.array([self._cost((dy, dx), profile, self._sigma) for dx in steps for dy in steps])
        return float(np.median(costs[np.isfinite(costs)])) if np.isfinite(costs).any() else np.inf

    def fit(self, start: tuple[float, float], profile: Profile) -> StarFit | None:
        """Fit near a shift (y, x), from a width; None if no star is there."""
        stars = self._near(start, profile)
        return self._fit(start, profile, stars) if stars.shape[1] else None

    def completed(self, fit: StarFit, power: float) -> StarFit:
        """Fit again, with the stars that are not known but seen: a bright one pulls its neighbours."""
        profile = Profile(fit.fwhm_pix, power)
        stars = self._near(fit.shift, profile)
        found = fit
        for _ in range(_MOST_MISSING):
            more = np.column_stack([stars, self._missing(found, power, stars)])
            better = self._fit(fit.shift, profile, more)
            if better.cost > _WORTH * found.cost or better.gain <= 0:
                break
            found, stars = better, more
        return found

    def _missing(self, fit: StarFit, power: float, stars: Floats) -> Floats:
        """Return the star, by the header, that the image would most like to have beside those with their own fluxes."""
        profile = Profile(fit.fwhm_pix, power)
        shift = np.array(fit.shift)
        solved = self._solve(shift, profile, stars, 1 / self._sigma)
        images, *_ = star_images(self._at, stars[:2] + shift[:, None], profile)
        sigma = np.hypot(self._sigma, np.linalg.norm(solved.gain * stars[3] * stars[2] * images, axis=1))
        places, *_ = star_images(self._at, self._at, profile)
        sums = np.sum((places / sigma[:, None]) ** 2, axis=0)
        flux = places.T @ ((self._data - solved.model) / sigma**2) / sums
        best = int(np.argmax(flux * np.sqrt(sums)))
        return np.array([*(self._at[:, best] - shift), max(flux[best] / solved.gain, 0.0), *_MISSING_ERRORS])

    def _fit(self, start: tuple[float, float], profile: Profile, stars: Floats) -> StarFit:
        """Fit shift and width, several times: what does not fit at all counts less each time."""
        low = [start[0] - _REACH_PIX, start[1] - _REACH_PIX, profile.fwhm_pix * _WIDTH_RANGE[0]]
        high = [start[0] + _REACH_PIX, start[1] + _REACH_PIX, profile.fwhm_pix * _WIDTH_RANGE[1]]
        point, weights = np.array([*start, profile.fwhm_pix]), 1 / self._sigma
        for _ in range(_ROUNDS):
            fit = least_squares(
                lambda p, w=weights: self._solve(p[:2], Profile(p[2], profile.power), stars, w).residuals,
                point,
                bounds=(low, high),
                x_scale=[0.1, 0.1, 0.3],
                max_nfev=_MOST_STEPS,
            )
            point = fit.x
            solved = self._solve(point[:2], Profile(point[2], profile.power), stars, weights)
            off = solved.residuals[: len(self._data)] / (weights * self._sigma)
            weights = (1 + (off / _LOSS_SCALE) ** 2) ** -0.5 / self._sigma
        return self._result(fit, solved, stars)

    def _near(self, shift: tuple[float, float], profile: Profile) -> Floats:
        """Stars that reach into the field at a shift."""
        margin = _OUTSIDE * profile.fwhm_pix
        y, x = self._stars[0] + shift[0], self._stars[1] + shift[1]
        inside = (y > -margin) & (y < self._shape[0] - 1 + margin) & (x > -margin) & (x < self._shape[1] - 1 + margin)
        return self._stars[:, inside]

    def _cost(self, shift: tuple[float, float], profile: Profile, sigma: Floats) -> float:
        """Cost of a shift, the places of the stars taken as exact."""
        stars = self._near(shift, profile)
        if not stars.shape[1]:
            return np.inf
        solved = self._solve(np.asarray(shift, dtype=float), profile, stars, 1 / sigma, exact=True)
        return _robust(solved.residuals) if solved.gain > 0 else np.inf

    def _solve(
        self, shift: Floats, profile: Profile, stars: Floats, weights: Floats, *, exact: bool = False
    ) -> _Solved:
        """Solve for gain, background and what each star differs by; of the shift and width given.

        Residuals are those of the pixels, and what the stars differ by over its error.
        """
        images, along_y, along_x = star_images(self._at, stars[:2] + shift[:, None], profile)
        total = images @ stars[2]
        gain, background = _line(total, self._data, weights)
        bright = max(gain, _TINY) * stars[2]
        parts = [stars[3] * bright * images]
        if not exact:
            parts += [stars[4] * bright * slope for slope in (along_y, along_x)]
        n_free = len(parts) * stars.shape[1]
        design = np.column_stack([*parts, total, np.ones(len(total))]) * weights[:, None]
        # Gain and background are free, and start from where they fit best: what is added to them is small.
        design[:, n_free:] /= np.maximum(np.linalg.norm(design[:, n_free:], axis=0), _TINY)
        model = gain * total + background
        left = (self._data - model) * weights
        matrix = design.T @ design
        matrix[np.diag_indices(len(matrix))] += np.where(np.arange(len(matrix)) < n_free, 1.0, _REGULAR)
        found = cho_solve(cho_factor(matrix), design.T @ left)
        return _Solved(np.append(left - design @ found, found[:n_free]), gain, background, model)

    def _result(self, fit: OptimizeResult, solved: _Solved, stars: Floats) -> StarFit:
        """Numbers of a fit."""
        n_pixels = len(self._data)
        covariance = np.linalg.pinv(fit.jac.T @ fit.jac)
        excess = max(1.0, 2 * fit.cost / max(n_pixels - 5, 1))
        pair = np.maximum([solved.model, self._data], self._floor)
        correlation = float(spearmanr(*pair).statistic) if np.ptp(pair, axis=1).all() else 0.0
        return StarFit(
            shift=(float(fit.x[0]), float(fit.x[1])),
            err_pix=float(np.sqrt(np.mean(np.diag(covariance)[:2]) * excess)),
            fwhm_pix=float(fit.x[2]),
            gain=solved.gain * self._noise,
            background=solved.background * self._noise + self._level,
            correlation=correlation,
            cost=_robust(solved.residuals),
            n_pixels=n_pixels,
            n_stars=stars.shape[1],
            at_limit=bool(np.any(fit.active_mask)),
        )


class _Solved(NamedTuple):
    """What is found at one shift and width; the model has the fluxes and places that are known."""

    residuals: Floats
    gain: float
    background: float
    model: Floats


def _robust(residuals: Floats) -> float:
    """Half the sum of squares, growing slower for large ones."""
    return float(np.sum(_LOSS_SCALE**2 * (np.sqrt(1 + (residuals / _LOSS_SCALE) ** 2) - 1)))


def _line(total: Floats, data: Floats, weights: Floats) -> tuple[float, float]:
    """Fit data = gain * total + background."""
    squared = weights**2
    mean, level = np.average(total, weights=squared), np.average(data, weights=squared)
    power = np.sum(squared * (total - mean) ** 2)
    gain = float(np.sum(squared * (total - mean) * (data - level)) / max(power, _TINY))
    return gain, float(level - gain * mean)


def star_images(at: Floats, places: Floats, profile: Profile) -> tuple[Floats, Floats, Floats]:
    """Images of stars of flux 1, and how they change with the star's y and x, each of shape (n_pixels, n_stars)."""
    core = profile.fwhm_pix**2 / 4 / (2 ** (1 / profile.power) - 1)
    dy, dx = at[0][:, None] - places[0], at[1][:, None] - places[1]
    wide = core + dy**2 + dx**2
    images = (profile.power - 1) / (np.pi * core) * (core / wide) ** profile.power
    slope = 2 * profile.power / wide * images
    return images, slope * dy, slope * dx
