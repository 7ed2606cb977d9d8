"""Sub-pixel match of two images of one field: shift, gain, background and the difference in seeing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates, spline_filter
from scipy.optimize import least_squares
from scipy.stats import spearmanr

from napari_kmos.spatial.filling import fill_missing
from napari_kmos.spatial.smoothing import diffuse
from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.optimize import OptimizeResult

    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]

_REACH_PIX = 1.0
_GAIN_RANGE = (0.5, 2.0)
_GAIN_SIGMA = 0.15
_SEEING_RANGE_PIX2 = 4.0
_SEEING_SIGMA_PIX2 = 1.5
_MIN_COVERAGE = 0.8
_LOSS_SCALE = 1.0
_DARK_PERCENT = 20.0
_FLOOR_SIGMA = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Best fit of one image by another near one shift.

    Parameters
    ----------
    shift : tuple of float
        (y, x) in pixels of the reference: what is at p in the moving image by its header is at p + shift.
    err_pix : float
        1 sigma of each, from the curvature.
    gain, background : float
        Moving = gain * reference + background.
    correlation : float
        Spearman's rank correlation of the moving image and the fitted one: bright stars do not outvote faint ones, and
        it does not matter how well noise and model errors are known.
    n_pixels : int
        Pixels compared.
    at_limit : bool
        Whether the fit ended where it was not allowed to go on: the shift is then no measurement.
    """

    shift: tuple[float, float]
    err_pix: float
    gain: float
    background: float
    correlation: float
    n_pixels: int
    at_limit: bool


@dataclass(frozen=True, eq=False)
class Pair:
    """Two images to be matched.

    Parameters
    ----------
    reference, moving : Image
        With noise.
    model_error : float
        Part of the star light by which they may differ beyond noise.
    """

    reference: Image
    moving: Image
    model_error: float
    _parts: dict[str, Floats] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        reference, moving = (np.asarray(image.data, dtype=float) for image in (self.reference, self.moving))
        y, x = np.indices(moving.shape)
        at = np.asarray(pixel_to_pixel(self.moving.wcs, self.reference.wcs, y, x), dtype=float)
        noise = [np.nanmedian(np.asarray(image.noise, dtype=float)) for image in (self.reference, self.moving)]
        self._parts.update(
            noise=np.hypot(*noise),
            at=at,
            ok_reference=np.isfinite(reference),
            ok_moving=np.isfinite(moving),
            reference=fill_missing(reference[None], np.isfinite(reference)[None])[0],
            moving=fill_missing(moving[None], np.isfinite(moving)[None])[0],
        )
        self._parts["sigma"] = self._sigma(moving)

    def _sigma(self, moving: Floats) -> Floats:
        """Scale of the residuals: noise of both, and a part of the star light of the moving image alone.

        It does not depend on the shift or on how well it fits, so that no wrong shift is rewarded.
        """
        light = np.nan_to_num(moving - np.nanpercentile(moving, _DARK_PERCENT))
        return np.hypot(self._parts["noise"], self.model_error * light)

    def match(self, start: tuple[float, float], *, min_pixels: int) -> Match | None:
        """Fit near a shift (y, x); None if too few pixels overlap there."""
        used = self._overlap(start)
        if used.sum() < min_pixels:
            return None
        gain, background = self._first_guess(start, used)
        scale = max(1.0, abs(background))
        low = [start[0] - _REACH_PIX, start[1] - _REACH_PIX, -_SEEING_RANGE_PIX2, _GAIN_RANGE[0], -np.inf]
        high = [start[0] + _REACH_PIX, start[1] + _REACH_PIX, _SEEING_RANGE_PIX2, _GAIN_RANGE[1], np.inf]
        fit = least_squares(
            lambda p: self._residuals(p, used, scale),
            [*start, 0.01, gain, background / scale],
            bounds=(low, high),
            loss="soft_l1",
            f_scale=_LOSS_SCALE,
            x_scale="jac",
        )
        return self._result(fit, used, scale)

    def _result(self, fit: OptimizeResult, used: NDArray[np.bool_], scale: float) -> Match:
        """Numbers of a fit."""
        covariance = np.linalg.pinv(fit.jac.T @ fit.jac)
        loss = float(fit.cost / used.sum())
        model, data = self._smoothed(fit.x[2])
        at = self._parts["at"][:, used] + fit.x[:2, None]
        values = map_coordinates(model, at, order=3, prefilter=False, mode="mirror")
        floor = self._floor()
        pair = np.maximum([fit.x[3] * values + fit.x[4] * scale, data[used]], floor)
        correlation = float(spearmanr(*pair).statistic) if np.ptp(pair, axis=1).all() else 0.0
        return Match(
            shift=(float(fit.x[0]), float(fit.x[1])),
            err_pix=float(np.sqrt(np.mean(np.diag(covariance)[:2]) * max(1.0, 2 * loss))),
            gain=float(fit.x[3]),
            background=float(fit.x[4] * scale),
            correlation=correlation,
            n_pixels=int(used.sum()),
            at_limit=bool(np.any(fit.active_mask)),
        )

    def _floor(self) -> float:
        """Level of the moving image below which there is nothing but noise: ranks there say nothing."""
        data = self._parts["moving"][self._parts["ok_moving"] > 0]
        return float(np.percentile(data, _DARK_PERCENT) + _FLOOR_SIGMA * self._parts["noise"])

    def _residuals(self, p: Floats, used: NDArray[np.bool_], scale: float) -> Floats:
        """Residuals of the pixels, and of gain and seeing which are known to differ little.

        The parameters are the shift (y, x), the difference in seeing, the gain and the background over ``scale``.
        """
        model, data = self._smoothed(p[2])
        at = self._parts["at"][:, used] + p[:2, None]
        values = map_coordinates(model, at, order=3, prefilter=False, mode="mirror")
        misfit = (data[used] - p[3] * values - p[4] * scale) / self._parts["sigma"][used]
        return np.append(misfit, [p[2] / _SEEING_SIGMA_PIX2, np.log(p[3]) / _GAIN_SIGMA])

    def _overlap(self, shift: tuple[float, float]) -> NDArray[np.bool_]:
        """Pixels of the moving image that lie on data of the reference at a shift."""
        at = self._parts["at"] + np.asarray(shift)[:, None, None]
        share = map_coordinates(self._parts["ok_reference"].astype(float), at, order=1, mode="constant", cval=0.0)
        return np.asarray((share > _MIN_COVERAGE) & (self._parts["ok_moving"] > 0))

    def _first_guess(self, shift: tuple[float, float], used: NDArray[np.bool_]) -> tuple[float, float]:
        """Gain and background from the percentiles of the overlap."""
        at = self._parts["at"][:, used] + np.asarray(shift)[:, None]
        values = map_coordinates(self._parts["reference"], at, order=1, mode="nearest")
        low, high = np.percentile(values, [20, 95])
        data_low, data_high = np.percentile(self._parts["moving"][used], [20, 95])
        gain = float(np.clip((data_high - data_low) / max(high - low, 1e-300), *_GAIN_RANGE))
        return gain, float(data_low - gain * low)

    def _smoothed(self, seeing: float) -> tuple[Floats, Floats]:
        """Spline coefficients of the reference, and the moving image, the sharper one smoothed by a variance."""
        reference, moving = self._parts["reference"], self._parts["moving"]
        if seeing > 0:
            reference = diffuse(reference, seeing)
        elif seeing < 0:
            moving = diffuse(moving, -seeing)
        return np.asarray(spline_filter(reference, order=3, mode="mirror")), moving
