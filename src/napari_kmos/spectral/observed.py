"""A template as the instrument shows it: at its resolution, summed over planes."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from scipy.interpolate import CubicSpline
from scipy.ndimage import convolve1d

from napari_kmos.spectral.lines import LIGHT_KMS, air_to_vacuum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_kmos.spectrum import Template

    Floats = NDArray[np.float64]

_FWHM = 2.354820045
#: Samples a plane of what is compared with spectra, and how far kernels reach in sigma.
_OVERSAMPLING, _REACH = 6, 4.5


def in_vacuum(template: Template) -> Template:
    """Return a template with its wavelengths in vacuum."""
    if template.medium == "vacuum":
        return template
    wave = air_to_vacuum(template.wavelength_um * u.um).to_value(u.um)
    return dataclasses.replace(template, wavelength_um=wave, medium="vacuum")


def as_observed(
    template: Template, wavelength_um: Floats, *, widths_um: Sequence[float], reach_kms: float
) -> list[CubicSpline]:
    """Return a template as the instrument shows it, to be evaluated at wavelengths at rest.

    Parameters
    ----------
    template : Template
        In vacuum, at any resolution; beyond its ends it is what it is there.
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
