"""An atmosphere of H2O, O2, CO2 and CH4 from 0.8 to 2.5 micron: what stars are seen through, line by line.

Lines are narrow and partly saturated, and the instrument sees them blurred: transmission at its resolution is no power
of that at another airmass. Places are of the molecules' bands, strengths are made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter1d

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Bands: molecule, from, to (micron), lines, mean depth at airmass 1 (water: and 1 mm of it).
_BANDS = (
    ("H2O", 1.900, 1.990, 500, 0.16),
    ("H2O", 1.990, 2.080, 60, 0.012),
    ("H2O", 2.080, 2.340, 90, 0.004),
    ("H2O", 2.340, 2.420, 120, 0.03),
    ("H2O", 2.410, 2.520, 420, 0.13),
    ("CH4", 2.150, 2.280, 220, 0.035),
    ("CH4", 2.280, 2.400, 320, 0.13),
    ("CH4", 2.400, 2.520, 240, 0.10),
    ("H2O", 0.813, 0.836, 120, 0.03),
    ("H2O", 0.890, 0.990, 400, 0.10),
    ("H2O", 1.106, 1.166, 400, 0.12),
    ("H2O", 1.300, 1.345, 250, 0.15),
    ("H2O", 1.345, 1.480, 650, 0.60),
    ("H2O", 1.730, 1.780, 200, 0.04),
    ("H2O", 1.780, 1.900, 700, 0.60),
    ("O2", 1.255, 1.285, 120, 0.12),
    ("CH4", 1.630, 1.700, 200, 0.06),
)
#: Origins of the bands of CO2 in 1/cm, and the depths of their strongest lines.
_CARBON_DIOXIDE = ((4853.6, 1.6), (4977.8, 2.2), (5099.7, 0.7), (6227.9, 0.25), (6347.9, 0.25))
#: Rotation of CO2, 1/cm: below, above; and kT.
_B_LOWER, _B_UPPER, _KT_PER_CM = 0.3902, 0.3870, 180.0
#: 1 sigma of lines in the air.
_LINE = 1.5e-5
#: FWHM of a Gaussian of sigma 1.
_FWHM = 2.354820045
#: Step on which lines are sampled, and how far the air is computed beyond the planes, in micron.
_FINE, _MARGIN = 1e-5, 1e-3


def depths(wavelength_um: Floats, *, seed: int = 0) -> dict[str, Floats]:
    """Return the optical depth of each molecule at airmass 1, of water with 1 mm of it, shape of the wavelengths.

    Parameters
    ----------
    wavelength_um : ndarray, shape (n,)
        Evenly spaced, finely enough for the lines: about 1e-5 micron.
    seed : int
        Of the lines' places and strengths.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Floats] = {}
    for molecule, start, end, n_lines, mean in _BANDS:
        places = rng.uniform(start, end, n_lines)
        areas = rng.exponential(mean * (end - start) / n_lines, n_lines)
        found[molecule] = found.get(molecule, 0.0) + _lines(wavelength_um, places, areas)
    found["CO2"] = _carbon_dioxide(wavelength_um)
    return found


def seen_through(
    light: Floats, wavelength_um: Floats, *, airmass: float, water_mm: float, fwhm_um: float, seed: int = 0
) -> Floats:
    """Return light as it arrives: through the atmosphere, then blurred by the instrument, shape of the wavelengths.

    Parameters
    ----------
    light : ndarray, shape (n,)
        Outside the atmosphere.
    wavelength_um : ndarray, shape (n,)
        As in `depths`.
    airmass, water_mm : float
        Of the observation; water towards the zenith.
    fwhm_um : float
        Of the instrument's line spread function.
    seed : int
        Of the atmosphere.
    """
    through = np.exp(-_total(wavelength_um, airmass, water_mm, seed))
    step = wavelength_um[1] - wavelength_um[0]
    return np.asarray(gaussian_filter1d(light * through, fwhm_um / _FWHM / step, mode="nearest"))


def transmission(planes_um: Floats, *, airmass: float = 1.2, water_mm: float = 2.5, seed: int = 0) -> Floats:
    """Return what comes through in each plane, its lines resolved within it, shape (n_planes,).

    Parameters
    ----------
    planes_um : ndarray, shape (n_planes,)
        Centres of the planes, ascending.
    airmass, water_mm, seed
        As in `seen_through`.
    """
    fine = np.arange(planes_um[0] - _MARGIN, planes_um[-1] + _MARGIN, _FINE)
    through = over_planes(np.exp(-_total(fine, airmass, water_mm, seed)), fine, planes_um)
    return np.clip(through, 0, 1)  # sums over planes are rounded


def _total(wave: Floats, airmass: float, water_mm: float, seed: int) -> Floats:
    """Return the optical depth of all molecules."""
    found = depths(wave, seed=seed)
    water = found.pop("H2O")
    return np.asarray(airmass * (water_mm * water + sum(found.values())))


def over_planes(light: Floats, wavelength_um: Floats, planes_um: Floats) -> Floats:
    """Return the mean of finely sampled light over each plane, shape (n_planes,).

    Parameters
    ----------
    light, wavelength_um : ndarray, shape (n,)
        Evenly spaced.
    planes_um : ndarray, shape (n_planes,)
        Centres of the planes, ascending; they need not be even, as where a spectrograph bends.
    """
    step = wavelength_um[1] - wavelength_um[0]
    middles = 0.5 * (planes_um[1:] + planes_um[:-1])
    edges = np.concatenate([[2 * planes_um[0] - middles[0]], middles, [2 * planes_um[-1] - middles[-1]]])
    sums = np.concatenate([[0.0], np.cumsum(light) * step])
    ends = np.append(wavelength_um - 0.5 * step, wavelength_um[-1] + 0.5 * step)
    return np.asarray(np.diff(np.interp(edges, ends, sums)) / np.diff(edges))


def _carbon_dioxide(wave: Floats) -> Floats:
    """Return the depths of the lines of its bands."""
    places, areas = [], []
    for origin, strength in _CARBON_DIOXIDE:
        j = np.arange(0, 80, 2)
        light = (2 * j + 1) * np.exp(-_B_LOWER * j * (j + 1) / _KT_PER_CM)
        for step in (-1, 1):
            upper = j + step
            per_cm = origin + _B_UPPER * upper * (upper + 1) - _B_LOWER * j * (j + 1)
            places.append(1e4 / per_cm[upper >= 0])
            areas.append((strength * light / light.max() * _LINE * np.sqrt(2 * np.pi))[upper >= 0])
    return _lines(wave, np.concatenate(places), np.concatenate(areas))


def _lines(wave: Floats, places: Floats, areas: Floats) -> Floats:
    """Return the depths of lines of given areas."""
    step = wave[1] - wave[0]
    index = np.round((places - wave[0]) / step).astype(int)
    inside = (index >= 0) & (index < wave.size)
    depth = np.zeros(wave.size)
    np.add.at(depth, index[inside], areas[inside] / step)
    return np.asarray(gaussian_filter1d(depth, _LINE / step))
