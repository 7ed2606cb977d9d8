"""Spectra of stars whose truth is known, to be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from napari_kmos.aperture import Aperture
from napari_kmos.simulate.lsf import FWHM_PIX, Lsf, smooth
from napari_kmos.spectrum import StarSpectrum

if TYPE_CHECKING:
    from napari_kmos.spectrum import Template

STEP = 0.575 / 2048
K = 1.925 + STEP * np.arange(2048)
LIGHT_KMS = 299792.458
RA, DEC = 266.4168, -29.0078
_OVERSAMPLING, _PAD = 16, 40


def star_of(flux, noise=None, *, name="a", wave=K, **facts) -> StarSpectrum:
    """Return the spectrum of a star; without noise it has none."""
    values = np.asarray(flux, dtype=float)
    place = {"ra": facts.pop("ra", RA), "dec": facts.pop("dec", DEC), "radius_arcsec": 0.5}
    return StarSpectrum(
        aperture=Aperture(id=name, kind=facts.pop("kind", "star"), **place),
        wavelength=wave * u.um,
        flux=values,
        noise=np.full(values.shape, np.nan) if noise is None else np.asarray(noise, dtype=float),
        sky=facts.pop("sky", np.zeros(values.shape)),
        mask=~np.isfinite(values),
        area_pix=19.6,
        coverage=np.ones(values.shape),
        **facts,
    )


def observed(template: Template, kms: float, *, depth: float = 1.0, fwhm_pix: float = FWHM_PIX) -> np.ndarray:
    """Return the flux of a star like a template, as an instrument with planes shows it: continuum of 50."""
    fine = np.arange(-_PAD * _OVERSAMPLING, (K.size + _PAD) * _OVERSAMPLING) / _OVERSAMPLING
    fine_um = K[0] + fine * STEP
    absorbed = 1 - np.interp(fine_um / (1 + kms / LIGHT_KMS), template.wavelength_um, template.flux)
    shown = smooth(absorbed, Lsf(fwhm_pix=fwhm_pix), _OVERSAMPLING)
    return 50 * (K / 2.2) ** -1.3 * (1 - depth * np.interp(K, fine_um, shown))
