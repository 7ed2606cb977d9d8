"""Two spectra of a star, of two epochs or reductions: how they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from napari_kmos.aperture import separation_arcsec
from napari_kmos.measure.velocities import correction_of
from napari_kmos.spectral.lines import vacuum_um

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spectrum import StarSpectrum

    Floats = NDArray[np.float64]

_FEWEST = 8
#: Around the ratio of the medians, as an angle.
_REACH = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class PairComparison:
    """How the second of two spectra of a star differs from the first.

    Parameters
    ----------
    ratio, ratio_err : float
        Flux of the second over that of the first, one number for all wavelengths, and 1 sigma by the noise.
    chi2 : float
        Per degree of freedom, of what is left when the first is scaled by the ratio; NaN without noise.
    n_points : int
        Wavelengths that both have.
    separation_arcsec : float
        Between the apertures.
    shift_kms : float
        By how much the lines of the second lie to the red of those of the first because the Earth moves; NaN where a
        date is not known.
    """

    ratio: float = math.nan
    ratio_err: float = math.nan
    chi2: float = math.nan
    n_points: int = 0
    separation_arcsec: float = math.nan
    shift_kms: float = math.nan


def compare_pair(first: StarSpectrum, second: StarSpectrum) -> PairComparison:
    """Compare two spectra of a star.

    Parameters
    ----------
    first, second : StarSpectrum
        In one unit; wavelengths in air are converted. Where the planes differ the second is interpolated linearly; it
        is not moved in velocity. Noise of the two counts as independent; without any all planes count alike and there
        is no error.

    Returns
    -------
    PairComparison
        NaN where they have fewer than eight wavelengths in common. Lines of epochs that the Earth's motion has moved
        against each other make ``chi2`` larger: ``shift_kms`` tells.
    """
    wave, there = (vacuum_um(one.wavelength, one.medium) for one in (first, second))
    flux, noise = (np.interp(wave, there, values, left=np.nan, right=np.nan) for values in (second.flux, second.noise))
    has_noise = np.isfinite(first.noise).any() and np.isfinite(noise).any()
    known = np.isfinite(first.flux) & np.isfinite(flux)
    if has_noise:
        known &= (first.noise > 0) & (noise > 0)
    apart = separation_arcsec(first.aperture, second.aperture)
    places = {"separation_arcsec": apart, "shift_kms": _shift_kms(first, second)}
    n_points = int(np.count_nonzero(known))
    if n_points < _FEWEST:
        return PairComparison(n_points=n_points, **places)
    x, y = first.flux[known], flux[known]
    variances = (first.noise[known] ** 2, noise[known] ** 2) if has_noise else (np.ones(n_points), np.ones(n_points))
    ratio, error, chi2 = _ratio((x, y), variances)
    return PairComparison(
        ratio=ratio,
        ratio_err=error if has_noise else math.nan,
        chi2=chi2 / (n_points - 1) if has_noise else math.nan,
        n_points=n_points,
        **places,
    )


def _ratio(fluxes: tuple[Floats, Floats], variances: tuple[Floats, Floats]) -> tuple[float, float, float]:
    """Return the ratio that is most likely where both fluxes have errors, its error, and chi squared."""
    x, y = fluxes

    def chi2(angle: float) -> float:
        ratio = math.tan(angle)
        return float(np.sum((y - ratio * x) ** 2 / (variances[1] + ratio**2 * variances[0])))

    start = math.atan2(float(np.median(y)), float(np.median(x)))
    found = minimize_scalar(chi2, bounds=(start - _REACH, start + _REACH), method="bounded", options={"xatol": 1e-9})
    ratio = math.tan(found.x)
    total = variances[1] + ratio**2 * variances[0]
    level = (x * variances[1] + ratio * y * variances[0]) / total
    return ratio, 1 / math.sqrt(float(np.sum(level**2 / total))), float(found.fun)


def _shift_kms(first: StarSpectrum, second: StarSpectrum) -> float:
    """Return how far the Earth's motion moves the lines of the second against those of the first."""
    if not (first.times and second.times):
        return math.nan
    one, other = (correction_of(spectrum, "barycentric")[0] for spectrum in (first, second))
    return one - other
