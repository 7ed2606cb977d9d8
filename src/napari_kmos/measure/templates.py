"""Spectra to compare stars with: one of the project's own for late types, or the user's."""

from __future__ import annotations

import functools
import math
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.ndimage import convolve1d

from napari_kmos.instrument import BANDS
from napari_kmos.spectral.carbon_monoxide import co_absorption
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectrum import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_kmos.spectrum import SpectralLine

    Floats = NDArray[np.float64]

_FWHM = 2.354820045
#: Samples of the own template, in km/s.
_STEP_KMS = 1.5
#: What is left of the light in the cores of saturated lines of CO.
_CORE = 0.5
#: Depth and half width (1 sigma, km/s) of the atomic lines of cool giants, by species: round numbers, not measured.
_ATOMS = MappingProxyType(
    {
        "Na I": (0.5, 20.0),
        "Ca I": (0.4, 15.0),
        "Mg I": (0.35, 20.0),
        "Al I": (0.35, 18.0),
        "Si I": (0.3, 18.0),
        "K I": (0.3, 15.0),
        "Ca II": (0.7, 50.0),
    }
)
#: Samples a plane of what is compared with spectra, and how far kernels reach in sigma.
_OVERSAMPLING, _REACH = 6, 4.5


@functools.lru_cache(maxsize=4)
def _co_grid(temperature_k: float) -> tuple[Floats, Floats]:
    """Wavelengths of all bands, and what CO leaves of the light."""
    start, end = min(band.start_um for band in BANDS.values()), max(band.end_um for band in BANDS.values())
    wave = np.exp(np.arange(math.log(0.99 * start), math.log(1.02 * end), _STEP_KMS / LIGHT_KMS))
    return wave, 1 - (1 - _CORE) * co_absorption(wave, temperature_k=temperature_k)


def late_template(lines: Sequence[SpectralLine], *, temperature_k: float = 3800.0) -> Template:
    """Return the project's own template of late types: bands of CO from the molecule's levels, and atomic lines.

    Parameters
    ----------
    lines : sequence of SpectralLine
        Where atomic lines are; those of Na I, Ca I, Mg I, Al I, Si I, K I and Ca II are taken.
    temperature_k : float
        Of the levels of CO.

    Returns
    -------
    Template
        Synthetic, not a model of an atmosphere: wavelengths are those of the laboratory, depths are typical. One
        factor between its depths and those of a star is fitted; see `correlate`.
    """
    wave, left = _co_grid(temperature_k)
    flux = left.copy()
    for line in lines:
        depth, sigma_kms = _ATOMS.get(line.species, (0.0, 1.0))
        if depth and line.kind != "head":
            sigma = line.wavelength_um * sigma_kms / LIGHT_KMS
            near = slice(*np.searchsorted(wave, (line.wavelength_um - 6 * sigma, line.wavelength_um + 6 * sigma)))
            flux[near] *= 1 - depth * np.exp(-0.5 * ((wave[near] - line.wavelength_um) / sigma) ** 2)
    return Template(name="late", wavelength_um=wave, flux=flux, source="CO bands and atomic lines, synthetic")


def as_observed(
    template: Template, wavelength_um: Floats, *, widths_um: Sequence[float], reach_kms: float
) -> list[CubicSpline]:
    """Return a template as the instrument shows it, to be evaluated at wavelengths at rest.

    Parameters
    ----------
    template : Template
        At any resolution; beyond its ends it is what it is there.
    wavelength_um : ndarray, shape (n_wavelength,)
        Planes of the spectrum it is compared with.
    widths_um : sequence of float
        FWHM of line spread functions; light is summed over a plane besides.
    reach_kms : float
        It is looked at up to so far beyond the ends of the spectrum.

    Returns
    -------
    list of CubicSpline
        For each width, of the wavelength at rest in micron.
    """
    plane = float(np.median(np.diff(wavelength_um)))
    step, beyond, pad = plane / _OVERSAMPLING, 1 + reach_kms / LIGHT_KMS, 5 * max(widths_um)
    grid = np.arange(wavelength_um[0] / beyond - pad, wavelength_um[-1] * beyond + pad, step)
    own = float(np.median(wavelength_um)) / template.resolution
    box = np.ones(_OVERSAMPLING + 1)
    box[[0, -1]] = 0.5  # a plane from edge to edge
    summed = convolve1d(_binned(template, grid, step), box / _OVERSAMPLING, mode="nearest")
    shapes = []
    for fwhm_um in widths_um:
        sigma = math.sqrt(max(fwhm_um**2 - own**2, 0.0)) / _FWHM / step
        shown = convolve1d(summed, _gaussian(sigma), mode="nearest") if sigma > 0 else summed
        shapes.append(CubicSpline(grid, shown, extrapolate=False))
    return shapes


def _binned(template: Template, grid: Floats, step: float) -> Floats:
    """Return the means of a template over bins: its lines may be narrower than these."""
    near = slice(*np.searchsorted(template.wavelength_um, (grid[0] - step, grid[-1] + step)) + np.array([-2, 2]))
    first, last = max(near.start, 0), max(near.stop, 4)
    wave, flux = template.wavelength_um[first:last], template.flux[first:last]
    if wave.size < 4:  # it ends before
        return np.full(grid.size, template.flux[-1])
    sums = np.concatenate([[0.0], np.cumsum(0.5 * (flux[1:] + flux[:-1]) * np.diff(wave))])
    edges = np.append(grid - 0.5 * step, grid[-1] + 0.5 * step)
    inside = np.clip(edges, wave[0], wave[-1])
    integral = CubicSpline(wave, sums)(inside)
    integral += (edges - inside) * np.where(edges < wave[0], flux[0], flux[-1])
    return np.asarray(np.diff(integral) / step)


def _gaussian(sigma: float) -> Floats:
    reach = max(1, math.ceil(_REACH * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(kernel / kernel.sum())
