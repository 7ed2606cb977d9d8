"""A straight continuum and Gaussians or Voigt profiles, fitted to some planes of a spectrum."""

from __future__ import annotations

import functools
import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.special import voigt_profile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Full width at half maximum of a Gaussian in units of sigma.
GAUSSIAN_FWHM = 2.354820045
#: Narrowest line in planes (1 sigma), where a fit begins, and the widest as a part of what is fitted.
_NARROWEST, _FIRST, _WIDEST = 0.3, 1.2, 0.3
_FIRST_GAMMA = 0.3


class Profiles(NamedTuple):
    """What was fitted: level and slope at ``origin_um``, then flux, centre, sigma and gamma of each line.

    Wavelengths in micron, centres from the origin; the covariance is that of all numbers, 0 of what was held.
    """

    values: Floats
    covariance: Floats
    chi2: float
    origin_um: float

    def line(self, number: int) -> slice:
        """Return where the numbers of a line are."""
        return slice(2 + 4 * number, 6 + 4 * number)


def fit_profiles(
    points: tuple[Floats, Floats, Floats | None], places_um: Floats, reach_um: float, *, is_voigt: bool
) -> Profiles:
    """Fit a profile at each place, with one straight line below.

    Parameters
    ----------
    points : tuple of ndarray, shape (n,)
        Wavelengths, flux, and noise or None: then the covariance is by what the fit leaves.
    places_um : ndarray
        Where lines are expected, ascending.
    reach_um : float
        How far they may lie from there.
    is_voigt : bool
        Fit the Lorentzian width as well; else it is 0.

    Raises
    ------
    RuntimeError, ValueError
        If the fit fails.
    """
    wave, flux, noise = points
    step, scale = float(np.median(np.diff(wave))), float(np.median(np.abs(flux))) or 1.0
    x, y, sigma = (wave - places_um[0]) / step, flux / scale, None if noise is None else noise / scale
    per_line = 4 if is_voigt else 3
    start, low, high = _start(x, y, (places_um - places_um[0]) / step, reach_um / step, per_line)
    model = functools.partial(_profiles, per_line=per_line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # a covariance that cannot be told is infinite
        values, covariance = curve_fit(
            model, x, y, start, sigma, absolute_sigma=noise is not None, bounds=(low, high), x_scale="jac"
        )
    left = y - model(x, *values)
    n_free = max(x.size - values.size, 1)
    chi2 = math.nan if sigma is None else float(np.sum((left / sigma) ** 2)) / n_free
    units = np.array([scale, scale / step, *([scale * step, step, step, step] * places_um.size)])
    fitted = np.flatnonzero([k < 2 or (k - 2) % 4 < per_line for k in range(units.size)])
    whole, errors = np.zeros(units.size), np.zeros((units.size,) * 2)
    whole[fitted], errors[np.ix_(fitted, fitted)] = values, covariance
    return Profiles(whole * units, errors * np.outer(units, units), chi2, float(places_um[0]))


def fwhm_of(sigma: float, gamma: float) -> tuple[float, float, float]:
    """Full width of a Voigt profile (Olivero & Longbothum 1977, JQSRT 17, 233), and how it goes with both widths."""
    of_gauss, of_lorentz = GAUSSIAN_FWHM * sigma, 2 * gamma
    root = math.sqrt(0.2166 * of_lorentz**2 + of_gauss**2)
    return 0.5346 * of_lorentz + root, GAUSSIAN_FWHM * of_gauss / root, 2 * (0.5346 + 0.2166 * of_lorentz / root)


def _profiles(x: Floats, *values: float, per_line: int) -> Floats:
    """Return a straight line and profiles."""
    total = values[0] + values[1] * x
    for flux, centre, *widths in np.reshape(values[2:], (-1, per_line)):
        total = total + flux * voigt_profile(x - centre, widths[0], widths[1] if len(widths) > 1 else 0.0)
    return np.asarray(total)


def _start(x: Floats, y: Floats, places: Floats, reach: float, per_line: int) -> tuple[Floats, Floats, Floats]:
    """Return where to begin, and between what to look: a line does not go past the middle to its neighbour."""
    slope, level = np.polyfit(x, y, 1)
    gaps = np.concatenate([[math.inf], np.diff(places) / 2, [math.inf]])
    widest = max(_WIDEST * (x[-1] - x[0]), 2 * _FIRST)
    start, low, high = [level, slope], [-math.inf, -math.inf], [math.inf, math.inf]
    for place, before, after in zip(places, gaps[:-1], gaps[1:], strict=True):
        first, last = max(place - min(reach, before), x[0]), min(place + min(reach, after), x[-1])
        near = np.flatnonzero((x >= first) & (x <= last))
        above = (y - level - slope * x)[near]
        peak = int(np.argmax(np.abs(above))) if near.size else 0
        centre = float(x[near][peak]) if near.size else place
        height = float(above[peak]) if near.size else 0.0
        inner = 1e-3 * (last - first)
        centre = min(max(centre, first + inner), last - inner)
        start += [height * _FIRST * math.sqrt(2 * math.pi), centre, _FIRST, _FIRST_GAMMA][:per_line]
        low += [-math.inf, first, _NARROWEST, 0.0][:per_line]
        high += [math.inf, last, widest, widest][:per_line]
    return np.array(start), np.array(low), np.array(high)
