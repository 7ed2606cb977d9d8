"""Spectra to compare stars with: one of the project's own for late types, or the user's."""

from __future__ import annotations

import dataclasses
import functools
import math
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.instrument import BANDS
from napari_kmos.measure.continuum import ContinuumParameters, fit_continuum
from napari_kmos.spectral.carbon_monoxide import co_absorption
from napari_kmos.spectral.lines import LIGHT_KMS
from napari_kmos.spectrum import Template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_kmos.spectral.windows import Window
    from napari_kmos.spectrum import SpectralLine

    Floats = NDArray[np.float64]

#: Samples of the own template, in km/s.
_STEP_KMS = 1.5
#: What is left of the light in the cores of saturated lines of CO.
_CORE = 0.5
#: Optical depth of CO in the strongest line, and of the variant: its bands are less saturated, and steeper.
_DEPTH, _THINNER = 300.0, 30.0
#: The upper end of the flux, by parts of a window, of what is over its continuum: between lines it is about one.
_PARTS, _UPPER_PERCENT, _ABOUT_ONE = 10, 95.0, (0.8, 1.2)
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


@functools.lru_cache(maxsize=4)
def _co_grid(temperature_k: float, depth: float) -> tuple[Floats, Floats]:
    """Wavelengths of all bands, and what CO leaves of the light."""
    start, end = min(band.start_um for band in BANDS.values()), max(band.end_um for band in BANDS.values())
    wave = np.exp(np.arange(math.log(0.99 * start), math.log(1.02 * end), _STEP_KMS / LIGHT_KMS))
    return wave, 1 - (1 - _CORE) * co_absorption(wave, temperature_k=temperature_k, depth=depth)


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
        Synthetic, not a model of an atmosphere: wavelengths are those of the laboratory, depths are typical. A factor
        between its depths and those of a star is fitted, and the differences to its variants, which have a tenth of
        the CO, and no atoms: without these, bands of another shape move the velocity by up to 2 km/s, and atomic lines
        of another depth by 0.5 km/s. See `correlate`.
    """
    wave, co = _co_grid(temperature_k, _DEPTH)
    _, thinner = _co_grid(temperature_k, _THINNER)
    atoms = np.ones(wave.size)
    for line in lines:
        depth, sigma_kms = _ATOMS.get(line.species, (0.0, 1.0))
        if depth and line.kind != "head":
            sigma = line.wavelength_um * sigma_kms / LIGHT_KMS
            near = slice(*np.searchsorted(wave, (line.wavelength_um - 6 * sigma, line.wavelength_um + 6 * sigma)))
            atoms[near] *= 1 - depth * np.exp(-0.5 * ((wave[near] - line.wavelength_um) / sigma) ** 2)
    source = "CO bands and atomic lines, synthetic"
    variants = (thinner * atoms, co)
    return Template(name="late", wavelength_um=wave, flux=co * atoms, source=source, variants=variants)


def over_continuum(template: Template, windows: Sequence[Window], *, degree: int, reach_kms: float) -> Template:
    """Return a template over its continuum in windows, as `fit_continuum` finds that; one that is so already as it is.

    Parameters
    ----------
    template : Template
        Where its upper end is not about one all along a window, as that of fluxes, it is divided there.
    windows : sequence of (start, end) in micron
        Where it is compared; of one that was divided all else becomes 1.
    degree : int
        Of the polynomial, one for each window.
    reach_kms : float
        It is looked at so far beyond the ends of a window.
    """
    wave, beyond = template.wavelength_um, 1 + reach_kms / LIGHT_KMS
    parts = [slice(*np.searchsorted(wave, (start / beyond, end * beyond))) for start, end in windows]
    if all(_is_about_one(template.flux[part]) for part in parts):
        return template
    fluxes = np.stack([template.flux, *template.variants])
    over = np.ones(fluxes.shape)
    for part in parts:
        over[:, part] = fluxes[:, part] / _continuum(wave[part], template.flux[part], degree)
    return dataclasses.replace(template, flux=over[0], variants=tuple(over[1:]))


def _continuum(wave: Floats, flux: Floats, degree: int) -> Floats:
    """Return the continuum of a part; 1 where it is known as that already, or cannot be found."""
    if _is_about_one(flux):
        return np.ones(wave.size)
    logarithm = np.log(np.where(flux > 0, flux, np.nan))  # fluxes fall by orders of magnitude, yet stay above zero
    found, used = fit_continuum(wave, logarithm, parameters=ContinuumParameters(degree=degree))
    return np.exp(found) if used.any() else np.ones(wave.size)


def _is_about_one(flux: Floats) -> bool:
    """Tell whether the upper end of a flux is about one in all parts of a window; of too few points nothing is told."""
    if flux.size < _PARTS:
        return True
    upper = np.array([np.percentile(part, _UPPER_PERCENT) for part in np.array_split(flux, _PARTS)])
    low, high = _ABOUT_ONE
    return bool(low < upper.min() and upper.max() < high)
