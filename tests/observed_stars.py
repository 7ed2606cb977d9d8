"""Standards and stars seen through a simulated atmosphere, whose airmass and water are known, and their truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u
from scipy.special import voigt_profile

from napari_kmos.aperture import Aperture
from napari_kmos.curve import Curve
from napari_kmos.instrument import BANDS
from napari_kmos.simulate.atmosphere import over_planes, seen_through
from napari_kmos.simulate.templates import absorption
from napari_kmos.spectral.lines import rydberg_wavelength
from napari_kmos.spectral.thermal import planck_shape
from napari_kmos.spectrum import StarSpectrum

#: Equivalent widths in micron of lines of hydrogen, by levels; the ratio of those of Br gamma and Br delta, as of the
#: others, is not the one that the correction assumes.
LINES = {(7, 4): 1.9e-3, (8, 4): 1.65e-3}
LINES |= {(upper, 4): 9e-4 * 0.93 ** (upper - 10) for upper in range(10, 17)}
LINES |= {(upper, 3): 1.1e-3 * 0.88 ** (upper - 5) for upper in range(5, 12)}
STANDARD_AIRMASS, STANDARD_WATER = 1.15, 2.2
TARGET_AIRMASS, TARGET_WATER = 1.40, 2.9


@dataclass(frozen=True)
class Setup:
    """A grating: the range of its planes, the width of its lines, and where it responds most, in micron."""

    start_um: float
    end_um: float
    fwhm_um: float
    middle_um: float

    @property
    def fine(self) -> np.ndarray:
        """Wavelengths on which the light is sampled; they reach beyond the planes."""
        return np.arange(self.start_um - 0.025, self.end_um + 0.025, 1e-5)


K = Setup(1.925, 2.5, 5.3e-4, 2.22)
FINE = K.fine


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


def setup_of(band: str) -> Setup:
    """Return the setup of a grating; that of K is the one of the tests."""
    if band == "K":
        return K
    start, end, resolution = BANDS[band].start_um, BANDS[band].end_um, BANDS[band].resolution
    middle = 0.5 * (start + end)
    return Setup(start, end, middle / resolution, middle)


def instrument(wave: np.ndarray, *, middle_um: float = 2.22) -> np.ndarray:
    """Return the response of the instrument: no black body, and no polynomial of low order."""
    return np.exp(-0.5 * ((wave - middle_um) / 0.35) ** 2) * (1 + 0.02 * np.sin(6 * wave))


def hot_star(wave: np.ndarray) -> np.ndarray:
    """Return a standard: a black body of 9700 K with hydrogen in absorption."""
    light = planck_shape(wave, 9700.0)
    for levels, width in LINES.items():
        light = light * (1 - width * voigt_profile(wave - rydberg_wavelength(*levels).value, 0.0012, 0.0015))
    return light / light.mean()


def smooth_star(wave: np.ndarray, *, middle_um: float = 2.2) -> np.ndarray:
    """Return a target without lines."""
    x = (wave - middle_um) / 0.3
    return 1 + 0.2 * x - 0.1 * x**2


def late_star(wave: np.ndarray) -> np.ndarray:
    """Return a cool giant."""
    return smooth_star(wave) * (1 - absorption("late", wave))


def see(
    light,
    *,
    airmass: float,
    water: float,
    snr: float,
    rng,
    shift_pix=(0.0, 0.0),
    nz: int = 2048,
    seed: int = 0,
    setup: Setup = K,
) -> Seen:
    """Observe a star; the shift goes evenly from the first plane to the last."""
    step = (setup.end_um - setup.start_um) / nz
    wave = setup.start_um + step * np.arange(nz)
    places = wave - step * np.linspace(*shift_pix, nz)
    how = {"airmass": airmass, "water_mm": water, "fwhm_um": setup.fwhm_um, "seed": seed}
    fine, middle = setup.fine, setup.middle_um
    response = instrument(fine, middle_um=middle)
    flux = over_planes(seen_through(light(fine) * response, fine, **how), fine, places)
    air = over_planes(seen_through(np.ones(fine.size), fine, **how), fine, places)
    noise = np.full(nz, np.median(flux) / snr)
    truth = light(wave) * instrument(wave, middle_um=middle)
    return Seen(wave, flux + rng.normal(0, noise), noise, truth, air)


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
