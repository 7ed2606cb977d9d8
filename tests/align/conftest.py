"""Crowded fields seen with dither, rotation, seeing, throughput and pointing errors, all known."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from factories import DEC, RA, make_cube

from napari_kmos.io import catalogue_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky, shift_wcs

SHAPE = (13, 14)
N_PLANES = 9


class Field:
    """Stars within 3 arcsec of (RA, DEC), brighter ones rarer, and how an exposure sees them."""

    def __init__(self, seed: int, stars: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.east, self.north = self.rng.uniform(-3, 3, (2, stars))
        self.flux = 2.0 + 100 * self.rng.random(stars) ** 4

    def light(self, wcs, fwhm_arcsec):
        """White-light image through a Moffat profile."""
        y, x = np.indices(SHAPE)
        east, north = offset_arcsec(RA, DEC, *pixel_to_sky(wcs, y, x))
        core = fwhm_arcsec / 2 / np.sqrt(2 ** (1 / 2.8) - 1)
        squared = (east[..., None] - self.east) ** 2 + (north[..., None] - self.north) ** 2
        profile = 1.8 / np.pi / core**2 * (1 + squared / core**2) ** -2.8
        return 0.04 * profile @ self.flux

    def catalogue(self, *, error_arcsec=0.0, name="stars"):
        """Catalogue of its stars, off by some error."""
        ra = RA + (self.east + self.rng.normal(0, error_arcsec, len(self.east))) / 3600 / np.cos(np.deg2rad(DEC))
        dec = DEC + (self.north + self.rng.normal(0, error_arcsec, len(self.east))) / 3600
        return catalogue_of(Table({"ra": ra, "dec": dec, "Kmag": 20 - 2.5 * np.log10(self.flux)}), name)

    def expose(self, *, dither=(0.0, 0.0), rotation=0.0, error=(0.0, 0.0), fwhm=0.7, gain=1.0, noise=0.3, **facts):
        """Cube whose header is wrong by ``error``: the correction that makes it right."""
        right = shift_wcs(make_wcs(RA, DEC, crpix=(7.5, 7.0), rotation_deg=rotation), *dither)
        light = gain * self.light(right, fwhm) + self.rng.uniform(0, 20)
        flux = light + noise * self.rng.standard_normal((N_PLANES, *SHAPE))
        facts = {"wcs": shift_wcs(right, -error[0], -error[1]), "noise": np.full(flux.shape, noise, np.float32)} | facts
        return make_cube(shape=flux.shape, stars=[], flux=flux.astype(np.float32), **facts)


@pytest.fixture
def make_field():
    return Field
