"""Standards and stars seen through a simulated atmosphere, whose airmass and water are known, and their truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from scipy.special import voigt_profile

from napari_kmos.aperture import Aperture
from napari_kmos.curve import Curve
from napari_kmos.simulate.atmosphere import over_planes, seen_through
from napari_kmos.simulate.templates import absorption
from napari_kmos.spectral.lines import rydberg_wavelength
from napari_kmos.spectral.thermal import planck_shape
from napari_kmos.spectrum import StarSpectrum

FINE = np.arange(1.90, 2.525, 1e-5)
START, END, FWHM_UM = 1.925, 2.5, 5.3e-4
#: Equivalent widths of Br gamma and Br delta, in micron; their ratio is not the one that the correction assumes.
LINES = {7: 1.9e-3, 8: 1.65e-3}
STANDARD_AIRMASS, STANDARD_WATER = 1.15, 2.2
TARGET_AIRMASS, TARGET_WATER = 1.40, 2.9


@dataclass(frozen=True)
class Seen:
    """A spectrum as it was seen, and its truth: light of the star times the instrument, and what the air left."""

    wave: np.ndarray
    flux: np.ndarray
    noise: np.ndarray
    truth: np.ndarray
    transmission: np.ndarray

    @property
    def absorbed(self) -> np.ndarray:
        """Planes in bands of absorption where more than half of the light comes through."""
        return (self.transmission < 0.97) & (self.transmission > 0.5)


def instrument(wave: np.ndarray) -> np.ndarray:
    """Return the response of the instrument: no black body, and no polynomial of low order."""
    return np.exp(-0.5 * ((wave - 2.22) / 0.35) ** 2) * (1 + 0.02 * np.sin(6 * wave))


def hot_star(wave: np.ndarray) -> np.ndarray:
    """Return a standard: a black body of 9700 K with hydrogen in absorption."""
    light = planck_shape(wave, 9700.0)
    for upper, width in LINES.items():
        light = light * (1 - width * voigt_profile(wave - rydberg_wavelength(upper, 4).value, 0.0012, 0.0015))
    return light / light.mean()


def smooth_star(wave: np.ndarray) -> np.ndarray:
    """Return a target without lines."""
    x = (wave - 2.2) / 0.3
    return 1 + 0.2 * x - 0.1 * x**2


def late_star(wave: np.ndarray) -> np.ndarray:
    """Return a cool giant."""
    return smooth_star(wave) * (1 - absorption("late", wave))


def see(
    light, *, airmass: float, water: float, snr: float, rng, shift_pix=(0.0, 0.0), nz: int = 2048, seed: int = 0
) -> Seen:
    """Observe a star; the shift goes evenly from the first plane to the last."""
    step = (END - START) / nz
    wave = START + step * np.arange(nz)
    places = wave - step * np.linspace(*shift_pix, nz)
    how = {"airmass": airmass, "water_mm": water, "fwhm_um": FWHM_UM, "seed": seed}
    flux = over_planes(seen_through(light(FINE) * instrument(FINE), FINE, **how), FINE, places)
    air = over_planes(seen_through(np.ones(FINE.size), FINE, **how), FINE, places)
    noise = np.full(nz, np.median(flux) / snr)
    return Seen(wave, flux + rng.normal(0, noise), noise, light(wave) * instrument(wave), air)


def standard(rng, *, snr: float = 400.0, seed: int = 0, scale: float = 1.0, **facts: float) -> Curve:
    """Return the spectrum of a standard."""
    how = {"airmass": STANDARD_AIRMASS, "water": STANDARD_WATER} | facts
    seen = see(hot_star, snr=snr, rng=rng, seed=seed, **how)
    return Curve(name="standard", wavelength_um=seen.wave, flux=scale * seen.flux, noise=scale * seen.noise)


def star_spectrum(seen: Seen, **facts: object) -> StarSpectrum:
    """Return a spectrum as extracted."""
    zeros = np.zeros(seen.wave.size)
    return StarSpectrum(
        aperture=Aperture(id="a", ra=266.4, dec=-28.9, radius_arcsec=0.4),
        wavelength=seen.wave * u.um,
        flux=seen.flux,
        noise=seen.noise,
        sky=zeros,
        mask=zeros.astype(bool),
        area_pix=12.0,
        coverage=zeros + 1,
        **{"unit": u.adu / u.s, **facts},
    )
