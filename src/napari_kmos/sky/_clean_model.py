"""The sky of every spaxel of a sky cube: the mean sky with the spaxel's own gain, shift and width of lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import make_interp_spline, make_lsq_spline
from scipy.optimize import nnls

from napari_kmos.sky._comb import FWHM_PER_SIGMA
from napari_kmos.sky._level_spaxels import MeanLines, SpaxelTerms, fit_spaxels
from napari_kmos.sky._level_spectra import low_continuum, robust_mean
from napari_kmos.sky._resample import fill_gaps
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.spectral.nan import nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._level_spectra import SpaxelSpectra
    from napari_kmos.sky.cleaning_parameters import CleaningParameters

    Floats = NDArray[np.float64]

#: Degree of the spline through the mean spectrum, whose fourth derivative is needed, and of smooth splines.
_DEGREE, _CUBIC = 5, 3
#: Rounds in which bad voxels are found, and what determinant of two columns makes them one.
_LINE_ROUNDS, _SINGULAR = 3, 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class MeanSky:
    """The mean sky of an IFU, and how the starlight of its spaxels looks.

    Parameters
    ----------
    flux : ndarray, shape (n_planes,)
        Mean; NaN in planes without data.
    starlight : ndarray, shape (n_planes,)
        Spectrum of one unit of starlight; zero where none is needed to tell the sky.
    covariance : ndarray, shape (n_planes, 2, 2)
        Of the two.
    """

    flux: Floats
    starlight: Floats
    covariance: Floats

    @property
    def error(self) -> Floats:
        """Error of the mean."""
        return np.asarray(np.sqrt(self.covariance[:, 0, 0]))

    def filled(self) -> Floats:
        """Return the spectrum without gaps; zero if there is none."""
        return np.nan_to_num(fill_gaps(self.flux[:, None])[:, 0])

    def continuum(self) -> Floats:
        """Return what lies below the lines."""
        return low_continuum(self.filled(), SkyParameters())

    def with_continuum_of(self, other: MeanSky, n_knots: int) -> MeanSky:
        """Return the mean with what is smooth in another one, its starlight and its covariance."""
        difference = other.flux - self.flux
        known = np.flatnonzero(np.isfinite(difference) & (other.error > 0))
        if known.size <= n_knots + _CUBIC:
            return self
        inner = np.quantile(known, np.linspace(0, 1, n_knots))
        knots = np.concatenate([[inner[0]] * _CUBIC, inner, [inner[-1]] * _CUBIC])
        smooth = make_lsq_spline(known, difference[known], knots, k=_CUBIC, w=1 / other.error[known])
        return MeanSky(self.flux + smooth(np.arange(len(difference))), self.starlight, self.covariance)

    def without(self, light: float, error: float) -> MeanSky:
        """Return the mean with less starlight in it, known with an error."""
        towards = np.array([[1.0, -light], [0.0, 1.0]])
        covariance = towards @ self.covariance @ towards.T
        covariance[:, 0, 0] += (error * self.starlight) ** 2
        return MeanSky(self.flux - light * self.starlight, self.starlight, covariance)


@dataclass(frozen=True, slots=True, eq=False)
class SkyOfSpaxels:
    """The sky of each spaxel.

    Parameters
    ----------
    mean : MeanSky
        Sky of which those of the spaxels are variants.
    lines : MeanLines
        The same with its derivatives.
    terms : SpaxelTerms
        Gain, shift and width of each spaxel.
    """

    mean: MeanSky
    lines: MeanLines
    terms: SpaxelTerms

    def flux(self) -> Floats:
        """Return the sky, shape (n_planes, n_spaxels); NaN in planes without data."""
        return np.where(np.isfinite(self.mean.flux)[:, None], self.lines.of_spaxels(self.terms.values), np.nan)

    def variance(self) -> Floats:
        """Return its variance: of the mean, and of the terms of the spaxel."""
        slopes, gain = self.lines.derivatives[:3], 1 + self.terms.values[0]
        of_terms = np.einsum("il,sij,jl->ls", slopes, self.terms.covariance, slopes, optimize=True)
        return np.asarray(of_terms + (self.mean.error[:, None] * gain) ** 2)


def no_sky(n_planes: int) -> MeanSky:
    """Return the mean of nothing."""
    return MeanSky(np.full(n_planes, np.nan), np.zeros(n_planes), np.full((n_planes, 2, 2), np.nan))


def mean_sky(spectra: SpaxelSpectra, chosen: NDArray[np.bool_], p: CleaningParameters) -> MeanSky:
    """Return the robust mean of some spaxels."""
    found, error = robust_mean(spectra.flux[:, chosen], spectra.noise[:, chosen], p.bad_sigma)
    covariance = np.zeros((len(found), 2, 2))
    covariance[:, 0, 0] = error**2
    return MeanSky(found, np.zeros(len(found)), covariance)


def mean_without_starlight(
    spectra: SpaxelSpectra, sky: SkyOfSpaxels, light: Floats, chosen: NDArray[np.bool_], p: CleaningParameters
) -> MeanSky:
    """Return the sky of spaxels that all have some starlight: what they tend to where there is none.

    Plane by plane a straight line is laid through the spectra over the starlight of the spaxels.

    Parameters
    ----------
    spectra : SpaxelSpectra
        Spaxels of an IFU.
    sky : SkyOfSpaxels
        Their gains, shifts and widths, which are put aside.
    light : ndarray, shape (n_spaxels,)
        Starlight of each, mean over the planes.
    chosen : ndarray of bool, shape (n_spaxels,)
        Those to use.
    p : CleaningParameters
        Rejection of bad voxels.
    """
    alike = (spectra.flux - sky.flux() + sky.mean.flux[:, None])[:, chosen]
    noise = np.hypot(spectra.noise, p.star_spread * light)[:, chosen]
    weight = np.where(np.isfinite(alike) & (noise > 0), noise, np.inf) ** -2.0
    columns = np.stack([np.ones(np.count_nonzero(chosen)), light[chosen]], axis=1)
    products = (columns[:, :, None] * columns[:, None, :]).reshape(-1, 4)
    alike, start = np.nan_to_num(alike), np.zeros((len(alike), 2))
    start[:, 0], start[:, 1] = nan_median(spectra.flux[:, chosen].T), 1.0
    for _ in range(_LINE_ROUNDS):
        left = alike - start @ columns.T
        spread = np.maximum(noise, 1.4826 * nan_median(np.abs(left).T)[:, None])
        kept = np.where(np.abs(left) <= p.bad_sigma * spread, weight, 0.0)
        normal = (kept @ products).reshape(-1, 2, 2)
        usable = np.linalg.det(normal) > _SINGULAR * normal[:, 0, 0] * normal[:, 1, 1]
        covariance = np.full(normal.shape, np.nan)
        covariance[usable] = np.linalg.inv(normal[usable])
        start = np.einsum("lij,lj->li", covariance, (kept * alike) @ columns)
    return MeanSky(start[:, 0], start[:, 1], covariance)


def sky_of_spaxels(spectra: SpaxelSpectra, mean: MeanSky, p: CleaningParameters) -> SkyOfSpaxels:
    """Fit gain, shift and width of the lines of every spaxel beside whatever is smooth, such as the light of a star."""
    settings = SkyParameters(spaxel_knots=p.smooth_knots, voxel_clip=p.bad_sigma)
    sigma = settings.fwhm_usual / FWHM_PER_SIGMA
    lines = MeanLines(_derivatives(mean.filled(), sigma), sigma)
    n = spectra.flux.shape[1]
    spread = np.diag(np.square([p.gain_spread, p.shift_spread, p.width_spread]))
    usual = SpaxelTerms(np.zeros((3, n)), np.broadcast_to(spread, (n, 3, 3)))
    return SkyOfSpaxels(mean, lines, fit_spaxels(spectra.flux, spectra.noise, lines, usual, settings))


def scatter_of(spectra: SpaxelSpectra, sky: SkyOfSpaxels, chosen: NDArray[np.bool_]) -> Floats:
    """Return by how much spaxels that show sky differ from their model beyond their noise: variance of each plane.

    A constant, and a share of the light of the lines; both from the scatter of the spaxels over all planes.
    """
    left = (spectra.flux - sky.flux())[:, chosen].T
    found = (1.4826 * nan_median(np.abs(left - nan_median(left)))) ** 2
    noise = nan_median(spectra.noise[:, chosen].T) ** 2
    bright = (sky.mean.filled() - sky.mean.continuum()) ** 2
    known = np.isfinite(found) & np.isfinite(noise) & (noise > 0)
    columns = np.column_stack([np.ones(len(bright)), bright])
    if np.count_nonzero(known) < columns.shape[1]:
        return np.zeros(len(bright))
    scale = np.maximum(columns[known].max(axis=0), np.finfo(float).tiny)
    parts, _ = nnls(columns[known] / scale / noise[known, None], (found - noise)[known] / noise[known])
    return np.asarray(columns / scale @ parts)


def _derivatives(spectrum: Floats, sigma: float) -> Floats:
    """Return a spectrum and its derivatives by shift and logarithm of the width, as of `LineSpread.spectra`."""
    plane = np.arange(len(spectrum), dtype=float)
    spline = make_interp_spline(plane, spectrum, k=min(_DEGREE, len(spectrum) - 1))
    first, second, third, fourth = (spline(plane, nu=order) for order in range(1, 5))
    width, s2 = sigma**2 * second, sigma**2
    return np.stack([spectrum, -first, width, -s2 * third, 2 * width + s2**2 * fourth])
