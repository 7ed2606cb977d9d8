"""The continuum of a spectrum, and the spectrum divided by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.interpolate import UnivariateSpline
from scipy.ndimage import percentile_filter, uniform_filter1d

from napari_kmos.errors import KmosError
from napari_kmos.spectral.polynomials import evaluate_polynomial, fit_polynomial, within
from napari_kmos.spectral.windows import in_windows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import StarSpectrum

    Floats = NDArray[np.float64]

CONTINUUM_METHODS = ("polynomial", "spline", "percentile")
_FEWEST = 4
_CUBIC = 3
_CLIP_PASSES = 3
#: Noise of a spectrum without any, from how far planes lie from the mean of their neighbours: its scale, over sigma.
_DIFFERENCE_SCALE = 1.4826 / math.sqrt(1.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuumParameters:
    """How a continuum is found.

    Parameters
    ----------
    method : str
        ``"polynomial"``, ``"spline"`` or ``"percentile"``.
    degree : int
        Of the polynomial; lowered where there are few points.
    smoothing : float
        Of the spline: the sum of its squared deviations in units of the noise, per point. 1 is what noise makes, more
        is smoother.
    percentile : float
        Of the flux within ``width_um``: 50 is the running median, more lies above the lines.
    width_um : float
        Length of the running percentile in micron; its result is smoothed over the same length.
    clip_low, clip_high : float
        Polynomial and spline: points this many robust standard deviations below and above are left out.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    method: Literal["polynomial", "spline", "percentile"] = "polynomial"
    degree: int = 3
    smoothing: float = 1.0
    percentile: float = 50.0
    width_um: float = 0.02
    clip_low: float = 2.0
    clip_high: float = 3.0

    def __post_init__(self) -> None:
        positive = ("smoothing", "width_um", "clip_low", "clip_high")
        wrong = [name for name in positive if not 0 < getattr(self, name) < math.inf]
        wrong += ["degree"] * (self.degree < 0) + ["percentile"] * (not 0 <= self.percentile <= 100)
        if self.method not in CONTINUUM_METHODS:
            msg = f"continuum {self.method!r} is unknown; expected {', '.join(CONTINUUM_METHODS)}"
            raise KmosError(msg)
        if wrong:
            values = ", ".join(f"{name} {getattr(self, name):g}" for name in wrong)
            msg = f"{values}: expected positive numbers, a degree of 0 or more and a percentile of 0 to 100"
            raise KmosError(msg)


_DEFAULTS = ContinuumParameters()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NormalisedSpectrum:
    """A spectrum divided by its continuum.

    Parameters
    ----------
    flux, noise : ndarray, shape (n_wavelength,)
        Over the continuum; NaN without data, and where the continuum is not positive. The continuum's own error is
        left out.
    continuum : ndarray, shape (n_wavelength,)
        In the unit of the spectrum.
    used : ndarray of bool, shape (n_wavelength,)
        The points that it rests on.
    """

    flux: Floats
    noise: Floats
    continuum: Floats
    used: NDArray[np.bool_]


def normalise(
    spectrum: StarSpectrum,
    *,
    windows: Sequence[Window] = (),
    exclude: Sequence[Window] = (),
    parameters: ContinuumParameters = _DEFAULTS,
) -> NormalisedSpectrum:
    """Divide a spectrum by its continuum; see `fit_continuum`.

    Raises
    ------
    KmosError
        If too few wavelengths are left to find it.
    """
    wave = spectrum.wavelength_um
    continuum, used = fit_continuum(
        wave, spectrum.flux, noise=spectrum.noise, windows=windows, exclude=exclude, parameters=parameters
    )
    if not used.any():
        msg = f"{spectrum.label}: no continuum; fewer than {_FEWEST} wavelengths with data in the windows asked for"
        raise KmosError(msg)
    divisor = np.where(continuum > 0, continuum, np.nan)
    return NormalisedSpectrum(
        flux=spectrum.flux / divisor, noise=spectrum.noise / divisor, continuum=continuum, used=used
    )


def fit_continuum(
    wavelength_um: ArrayLike,
    flux: ArrayLike,
    *,
    noise: ArrayLike | None = None,
    windows: Sequence[Window] = (),
    exclude: Sequence[Window] = (),
    parameters: ContinuumParameters = _DEFAULTS,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Find a smooth continuum.

    Parameters
    ----------
    wavelength_um, flux : array_like of float, shape (n_wavelength,)
        Spectrum, ascending; NaN is ignored.
    noise : array_like of float, shape (n_wavelength,), optional
        1 sigma: points count by its inverse square, and what has none is left out. Noise that is known nowhere is as
        none: then all points count alike.
    windows : sequence of (start, end) in micron
        Continuum; all of the spectrum if empty.
    exclude : sequence of (start, end) in micron
        What is left out of that: lines, sky lines, bad regions.
    parameters : ContinuumParameters
        Method and its numbers.

    Returns
    -------
    tuple
        The continuum everywhere, shape (n_wavelength,), and which points it rests on. A polynomial is extrapolated
        beyond these, the others keep their last value. NaN everywhere, and no points, if there are fewer than four.
    """
    wave, values = np.asarray(wavelength_um, dtype=float), np.asarray(flux, dtype=float)
    used = np.isfinite(values) & (in_windows(wave, windows) if windows else True) & ~in_windows(wave, exclude)
    sigma = np.full(wave.shape, np.nan) if noise is None else np.asarray(noise, dtype=float)
    known = np.isfinite(sigma) & (sigma > 0)
    if known.any():
        used &= known
    if np.count_nonzero(used) < _FEWEST:
        return np.full(wave.shape, np.nan), np.zeros(wave.shape, dtype=bool)
    weight = 1 / sigma[used] if known.any() else np.full(np.count_nonzero(used), 1 / _scatter(values[used]))
    fitter = _FITTERS[parameters.method]
    continuum, kept = fitter(wave, (wave[used], values[used], weight), parameters)
    used[used] = kept
    return continuum, used


def _polynomial(
    wave: Floats, points: tuple[Floats, Floats, Floats], parameters: ContinuumParameters
) -> tuple[Floats, NDArray[np.bool_]]:
    x, y, weight = points
    clip = (parameters.clip_low, parameters.clip_high)
    kept, coefficients = fit_polynomial(x, y, parameters.degree, clip=clip, weight=weight)
    return evaluate_polynomial(wave, coefficients, x), kept


def _spline(
    wave: Floats, points: tuple[Floats, Floats, Floats], parameters: ContinuumParameters
) -> tuple[Floats, NDArray[np.bool_]]:
    """Fit a cubic smoothing spline, leaving out outliers as `fit_polynomial` does."""
    x, y, weight = points
    kept = np.ones(x.size, dtype=bool)
    for _ in range(_CLIP_PASSES + 1):
        scale = parameters.smoothing * np.count_nonzero(kept)
        spline = UnivariateSpline(x[kept], y[kept], w=weight[kept], k=_CUBIC, s=scale, ext="const")
        now = within(weight * (y - spline(x)), kept, (parameters.clip_low, parameters.clip_high))
        if now is None or np.count_nonzero(now) <= 2 * _FEWEST or np.array_equal(now, kept):
            break
        kept = now
    return np.asarray(spline(wave), dtype=float), kept


def _percentile(
    wave: Floats, points: tuple[Floats, Floats, Floats], parameters: ContinuumParameters
) -> tuple[Floats, NDArray[np.bool_]]:
    """Take a percentile of the points within a length along the spectrum, and smooth it."""
    x, y, _ = points
    size = max(3, round(parameters.width_um / float(np.median(np.diff(x)))))
    running = percentile_filter(y, parameters.percentile, size=min(size, x.size), mode="nearest")
    smooth = uniform_filter1d(running, min(size, x.size), mode="nearest")
    return np.interp(wave, x, smooth), np.ones(x.size, dtype=bool)


def _scatter(values: Floats) -> float:
    """Return the noise of a spectrum from how planes differ from the mean of their neighbours; 1 if there is none."""
    differences = values[1:-1] - 0.5 * (values[:-2] + values[2:])
    return _DIFFERENCE_SCALE * float(np.median(np.abs(differences))) or 1.0


_FITTERS = MappingProxyType(dict(zip(CONTINUUM_METHODS, (_polynomial, _spline, _percentile), strict=True)))
