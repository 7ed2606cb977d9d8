"""Sub-pixel match of two images of one field: shift, gain, background and the difference in seeing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter

from napari_kmos.spatial.filling import fill_missing
from napari_kmos.spatial.smoothing import Diffusion
from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

#: How far a fit may go from where it starts, in pixels.
_REACH_PIX = 1.0
#: What is known of the difference in seeing, in pixels squared: how far it may go, and its standard deviation.
_SEEING_RANGE_PIX2, _SEEING_SIGMA_PIX2 = 4.0, 1.5
#: The gain may go so many standard deviations of its logarithm from 1.
_GAIN_RANGE = 3.0
_MIN_COVERAGE = 0.8
_DARK_PERCENT, _BRIGHT_PERCENT = 20.0, 95.0
_FLOOR_SIGMA = 2.0
#: A fit starts beside equal seeing, where the side to go to is not yet known.
_FIRST_SEEING_PIX2 = 0.01
_STEP_PIX = 0.01
_MAX_STEPS, _CONVERGED_PIX, _CONVERGED_COST = 40, 1e-3, 1e-2
_FIRST_DAMPING, _DAMPING_FACTOR = 1e-3, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Best fit of one image by another near one shift.

    Parameters
    ----------
    shift : tuple of float
        (y, x) in pixels of the reference: what is at p in the moving image by its header is at p + shift.
    err_pix : float
        1 sigma of each, from the curvature and the misfit.
    gain, background : float
        Moving = gain * reference + background.
    seeing_pix2 : float
        Variance by which the reference was smoothed; negative if it was the moving image.
    correlation : float
        Spearman's rank correlation of the moving image and the fitted one: bright stars do not outvote faint ones, and
        it does not matter how well noise and model errors are known.
    odds : float
        Logarithm of how likely the gain and the difference in seeing are, relative to none.
    n_pixels : int
        Pixels compared.
    at_limit : bool
        Whether the fit ended where it was not allowed to go on: the shift is then no measurement.
    """

    shift: tuple[float, float]
    err_pix: float
    gain: float
    background: float
    seeing_pix2: float
    correlation: float
    odds: float
    n_pixels: int
    at_limit: bool


class _State(NamedTuple):
    """Where a fit is: parameters (shift y and x, seeing, gain, background), cost, and its derivatives."""

    values: Floats
    cost: float
    gradient: Floats
    curvature: Floats


class Pair:
    """Two images to be matched.

    Parameters
    ----------
    reference, moving : Image
        With noise, and with some data.
    model_error : float
        Part of the star light by which they may differ beyond noise.
    gain_error : float
        1 sigma of the logarithm of the ratio of their throughputs.

    Notes
    -----
    The scale of the residuals is the noise of both and a part of the star light of the moving image alone: it does not
    depend on the shift or on how well it fits, so that no wrong shift is rewarded.
    """

    def __init__(self, reference: Image, moving: Image, *, model_error: float, gain_error: float) -> None:
        y, x = np.indices(moving.data.shape)
        self._at = np.asarray(pixel_to_pixel(moving.wcs, reference.wcs, y, x), dtype=float)
        self._ok_reference, self._ok_moving = (np.isfinite(image.data) for image in (reference, moving))
        self._dark = _dark(moving)
        self._reference, self._moving = (Diffusion(_filled(image)) for image in (reference, moving))
        noise = [np.nanmedian(np.asarray(image.noise, dtype=float)) for image in (reference, moving)]
        self._noise = float(np.hypot(*noise))
        self._sigma = np.hypot(self._noise, model_error * np.nan_to_num(moving.data - self._dark))
        self._gain_error = gain_error

    def match(self, start: tuple[float, float], *, min_pixels: int) -> Match | None:
        """Fit near a shift (y, x); None if too few pixels overlap there."""
        used = self._overlap(start)
        if used.sum() < min_pixels:
            return None
        gain_range = np.exp(_GAIN_RANGE * self._gain_error)
        low = np.array([start[0] - _REACH_PIX, start[1] - _REACH_PIX, -_SEEING_RANGE_PIX2, 1 / gain_range, -np.inf])
        high = np.array([start[0] + _REACH_PIX, start[1] + _REACH_PIX, _SEEING_RANGE_PIX2, gain_range, np.inf])
        found = self._descend(self._state(np.clip(self._first_guess(start, used), low, high), used), used, (low, high))
        return self._result(found, used, at_limit=bool(np.any((found.values <= low) | (found.values >= high))))

    def _descend(self, now: _State, used: Bools, bounds: tuple[Floats, Floats]) -> _State:
        """Go down to the least cost, by damped Gauss-Newton steps."""
        damping = _FIRST_DAMPING
        for _ in range(_MAX_STEPS):
            tried = self._state(np.clip(now.values - _damped_step(now, bounds, damping), *bounds), used)
            step, gained = np.abs(tried.values - now.values)[:2].max(), now.cost - tried.cost
            if gained >= 0:
                now, damping = tried, damping / _DAMPING_FACTOR
            else:
                damping *= _DAMPING_FACTOR
            if step < _CONVERGED_PIX and abs(gained) < _CONVERGED_COST:
                break
        return now

    def _state(self, values: Floats, used: Bools) -> _State:
        """Cost of a set of parameters: of the pixels, robust, and of gain and seeing, which are known to differ little.

        The loss of a residual z is sqrt(1 + z^2) - 1.
        """
        seeing, gain, background = values[2:]
        model, data, slopes = self._model(values, used)
        sigma = self._sigma[used]
        misfit = (gain * model + background - data) / sigma
        seeing_slope = slopes[2] * (gain if seeing >= 0 else 1.0)
        jacobian = np.stack([gain * slopes[0], gain * slopes[1], seeing_slope, model, np.ones_like(model)]) / sigma
        weights = 1 / np.sqrt(1 + misfit**2)
        known = np.array([seeing / _SEEING_SIGMA_PIX2, np.log(gain) / self._gain_error])
        rise = np.array([1 / _SEEING_SIGMA_PIX2, 1 / (gain * self._gain_error)])
        curvature, gradient = (jacobian * weights) @ jacobian.T, (jacobian * weights) @ misfit
        curvature[[2, 3], [2, 3]] += rise**2
        gradient[[2, 3]] += rise * known
        cost = float(np.sum(1 / weights - 1) + known @ known / 2)
        return _State(values=values, cost=cost, gradient=gradient, curvature=curvature)

    def _model(self, values: Floats, used: Bools) -> tuple[Floats, Floats, list[Floats]]:
        """Shifted reference, moving image, and the slopes of their difference over shift (y, x) and seeing.

        The sharper one is smoothed.
        """
        at, seeing = self._at[:, used] + values[:2, None], float(values[2])
        splines = spline_filter(self._reference.smoothed(max(seeing, 0.0)), order=3, mode="mirror")
        data = self._moving.smoothed(max(-seeing, 0.0))[used]
        model, up, right = (_sample(splines, at + np.array(step)[:, None]) for step in _STEPS)
        if seeing >= 0:
            widening = map_coordinates(self._reference.slope(seeing), at, order=1, mode="mirror")
        else:
            widening = self._moving.slope(-seeing)[used]
        return model, data, [(up - model) / _STEP_PIX, (right - model) / _STEP_PIX, widening]

    def _result(self, state: _State, used: Bools, *, at_limit: bool) -> Match:
        """Numbers of a fit."""
        model, data, _ = self._model(state.values, used)
        seeing, gain, background = state.values[2:]
        variance = np.diag(np.linalg.pinv(state.curvature))[:2].mean()
        # below that there is nothing but noise in the moving image: ranks there say nothing
        floor = self._dark + _FLOOR_SIGMA * self._noise
        known = np.array([seeing / _SEEING_SIGMA_PIX2, np.log(gain) / self._gain_error])
        return Match(
            shift=(float(state.values[0]), float(state.values[1])),
            err_pix=float(np.sqrt(variance * 2 * state.cost / used.sum())),
            gain=float(gain),
            background=float(background),
            seeing_pix2=float(seeing),
            correlation=_rank_correlation(np.maximum(gain * model + background, floor), np.maximum(data, floor)),
            odds=float(-known @ known / 2),
            n_pixels=int(used.sum()),
            at_limit=at_limit,
        )

    def _overlap(self, shift: tuple[float, float]) -> Bools:
        """Pixels of the moving image that lie on data of the reference at a shift."""
        at = self._at + np.asarray(shift)[:, None, None]
        share = map_coordinates(self._ok_reference.astype(float), at, order=1, mode="constant", cval=0.0)
        return np.asarray((share > _MIN_COVERAGE) & self._ok_moving)

    def _first_guess(self, shift: tuple[float, float], used: Bools) -> Floats:
        """Parameters to start with; gain and background from the percentiles of the overlap."""
        at = self._at[:, used] + np.asarray(shift)[:, None]
        values = map_coordinates(self._reference.smoothed(0.0), at, order=1, mode="nearest")
        low, high = np.percentile(values, [_DARK_PERCENT, _BRIGHT_PERCENT])
        data_low, data_high = np.percentile(self._moving.smoothed(0.0)[used], [_DARK_PERCENT, _BRIGHT_PERCENT])
        widest = np.exp(_GAIN_RANGE / 2 * self._gain_error)
        gain = np.clip((data_high - data_low) / max(high - low, np.finfo(float).tiny), 1 / widest, widest)
        return np.array([*shift, _FIRST_SEEING_PIX2, gain, data_low - gain * low])


#: Where the model is read to know its slopes.
_STEPS = ((0.0, 0.0), (_STEP_PIX, 0.0), (0.0, _STEP_PIX))


def _damped_step(now: _State, bounds: tuple[Floats, Floats], damping: float) -> Floats:
    """Step of the parameters that no bound holds."""
    held = ((now.values <= bounds[0]) & (now.gradient > 0)) | ((now.values >= bounds[1]) & (now.gradient < 0))
    free = np.flatnonzero(~held)
    curvature = now.curvature[np.ix_(free, free)]
    step = np.zeros(now.values.size)
    step[free] = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), now.gradient[free])
    return step


def _sample(splines: Floats, at: Floats) -> Floats:
    return np.asarray(map_coordinates(splines, at, order=3, prefilter=False, mode="mirror"))


def _dark(image: Image) -> float:
    """Level of an image without stars."""
    return float(np.nanpercentile(image.data, _DARK_PERCENT))


def _filled(image: Image) -> Floats:
    """Return an image without gaps; far from any data it is dark."""
    ok, dark = np.isfinite(image.data), _dark(image)
    return np.asarray(fill_missing((image.data - dark)[None].astype(float), ok[None])[0] + dark)


def _rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's correlation; 0 if one side is constant."""
    a, b = (_ranks(one) for one in (first, second))
    power = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / power) if power > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    """Ranks about their mean; equal values share theirs."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[index] - (values.size + 1) / 2)
