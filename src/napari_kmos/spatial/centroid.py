"""Where a star is: a Gaussian fitted to an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import least_squares

from napari_kmos.errors import AlignmentError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.optimize import OptimizeResult

_FWHM_PER_SIGMA = 2.354820045
_START_SIGMA_PIX = 1.5
_MIN_PIXELS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Centroid:
    """A fitted elliptical Gaussian.

    Parameters
    ----------
    y, x : float
        Centre in 0-based pixels.
    err_pix : float
        1 sigma of each coordinate, from the curvature of the fit and the scatter around it.
    fwhm_pix : float
        Geometric mean of the two widths.
    peak, background : float
        In the unit of the image.
    """

    y: float
    x: float
    err_pix: float
    fwhm_pix: float
    peak: float
    background: float


def fit_centroid(
    image: NDArray[Any], *, start: tuple[float, float] | None = None, radius_pix: float | None = None
) -> Centroid:
    """Fit a star by an elliptical Gaussian on a constant background.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
        NaN is no data.
    start : tuple of float, optional
        (y, x) where the star is about; the brightest pixel of the smoothed image if not given.
    radius_pix : float, optional
        Fit only pixels this close to the start; all if not given.

    Returns
    -------
    Centroid

    Raises
    ------
    AlignmentError
        If there is too little data, or no star where one was looked for.
    """
    image = np.asarray(image, dtype=float)
    if np.isfinite(image).sum() < _MIN_PIXELS:
        msg = f"no star to centre on: {np.isfinite(image).sum()} spaxels with data, at least {_MIN_PIXELS} are needed"
        raise AlignmentError(msg)
    y0, x0 = brightest(image) if start is None else start
    y, x = np.indices(image.shape, dtype=float)
    used = np.isfinite(image)
    if radius_pix is not None:
        used &= np.hypot(y - y0, x - x0) <= radius_pix
    if used.sum() < _MIN_PIXELS:
        msg = f"no star to centre on at y {y0:.1f}, x {x0:.1f}: only {used.sum()} spaxels with data there"
        raise AlignmentError(msg)
    return _fit(image[used], y[used], x[used], (y0, x0))


def brightest(image: NDArray[Any]) -> tuple[float, float]:
    """Return the pixel (y, x) with the largest mean of 3 x 3 pixels; those with less than five neighbours are out."""
    ok = np.isfinite(image)
    padded = np.pad(np.where(ok, image, 0.0), 1)
    counts = np.pad(ok.astype(int), 1)
    parts = [(slice(dy, dy + image.shape[0]), slice(dx, dx + image.shape[1])) for dy in range(3) for dx in range(3)]
    count = sum(counts[part] for part in parts)
    total = sum(padded[part] for part in parts)
    mean = np.where(ok & (count > 5), total / np.maximum(count, 1), -np.inf)
    y, x = np.unravel_index(int(np.argmax(mean)), image.shape)
    return float(y), float(x)


def _fit(values: NDArray[Any], y: NDArray[Any], x: NDArray[Any], start: tuple[float, float]) -> Centroid:
    """Least squares, checked for a result that is a star near the start."""
    background = float(np.median(values))
    scale = float(np.max(values) - background)
    if not scale > 0:
        msg = "no star to centre on: the image is flat"
        raise AlignmentError(msg)

    def misfit(p: NDArray[Any]) -> NDArray[Any]:
        # the widths as inverse squares with a cross term: any ellipse, smooth everywhere
        dy, dx = y - p[0], x - p[1]
        shape = np.exp(-0.5 * (p[2] * dy**2 + p[3] * dx**2 + 2 * p[4] * dy * dx))
        return np.asarray(p[5] * shape + p[6] - (values - background) / scale)

    width = _START_SIGMA_PIX**-2
    low = [start[0] - 4, start[1] - 4, 1e-3, 1e-3, -5, 0, -2]
    high = [start[0] + 4, start[1] + 4, 10, 10, 5, 10, 2]
    fit = least_squares(
        misfit, [*start, width, width, 0, 1, 0], bounds=(low, high), x_scale=[1, 1, 0.3, 0.3, 0.3, 1, 1]
    )
    centroid = _centroid(fit, background, scale)
    at_limit = np.abs(fit.x[:2] - start).max() > 3.99
    if at_limit or fit.x[5] <= 0.05 or not (centroid.err_pix < 1 and centroid.fwhm_pix > 0):
        msg = f"no star to centre on near y {start[0]:.1f}, x {start[1]:.1f}: a Gaussian does not fit there"
        raise AlignmentError(msg)
    return centroid


def _centroid(fit: OptimizeResult, background: float, scale: float) -> Centroid:
    """Numbers of a fit; the width is NaN where it is no ellipse."""
    determinant = float(fit.x[2] * fit.x[3] - fit.x[4] ** 2)
    scatter = 2 * fit.cost / max(len(fit.fun) - len(fit.x), 1)
    covariance = np.linalg.pinv(fit.jac.T @ fit.jac) * scatter
    return Centroid(
        y=float(fit.x[0]),
        x=float(fit.x[1]),
        err_pix=float(np.sqrt(max(covariance[0, 0], covariance[1, 1]))),
        fwhm_pix=_FWHM_PER_SIGMA * determinant**-0.25 if determinant > 0 else float("nan"),
        peak=float(fit.x[5] * scale),
        background=float(fit.x[6] * scale + background),
    )
