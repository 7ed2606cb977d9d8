"""Optimal extraction of a star that stands alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose

from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.spatial.moffat import moffat_images
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky

SHAPE, PLACE, FLUX, SKY = (19, 21), (9.3, 10.6), 400.0, 12.0
N_WAVE = 400


def star_cube(sigma: np.ndarray | float = 1.0) -> Cube:
    """Return a star alone on a bright sky, its flux the same in all planes."""
    image = moffat_images(*(np.array([at]) for at in PLACE), SHAPE, fwhm_pix=3.4, beta=2.8)[0]
    noise = np.broadcast_to(sigma, (N_WAVE, *SHAPE)).astype(np.float32)
    values = noise * np.random.default_rng(6).standard_normal(noise.shape)
    return Cube(
        flux=(FLUX * image + SKY + values).astype(np.float32),
        noise=noise,
        wavelength=np.linspace(2.0, 2.4, N_WAVE) * u.um,
        wcs=make_wcs(266.4, -28.9, crpix=(11.0, 10.0)),
        name="GC",
    )


def star_of(cube: Cube) -> Aperture:
    ra, dec = pixel_to_sky(cube.wcs, *PLACE)
    return Aperture(id="a", ra=ra, dec=dec, radius_arcsec=0.9)


@pytest.mark.parametrize("sky", ["annulus", "areas", "none"])
def test_all_light_of_a_star_with_its_error(sky: str):
    cube = star_cube()
    if sky == "none":
        cube = dataclasses.replace(cube, flux=cube.flux - np.float32(SKY))
    corners = [pixel_to_sky(cube.wcs, y, x) for y in (1, 17) for x in (1, 19)]
    skies = [Aperture(id=f"s{n}", kind="sky", ra=ra, dec=dec, radius_arcsec=0.3) for n, (ra, dec) in enumerate(corners)]
    parameters = ExtractParameters(sky=sky, inner=1.3, outer=1.8)  # type: ignore[arg-type]

    (spectrum,) = extract_spectra(cube, [star_of(cube), *skies], method="optimal", parameters=parameters)
    (plain,) = extract_spectra(cube, [star_of(cube), *skies], parameters=parameters)

    # Wings of the star lie in the sky areas: 0.2 % of its light a spaxel at most, some 20 spaxels of it.
    assert spectrum.flux.mean() == pytest.approx(FLUX, rel=0.03 if sky == "areas" else 0.01)
    # 400 values tell their scatter to 3.5 %; the median of a ring of 100 spaxels is better than pi/2 by a few per cent.
    assert np.median(spectrum.noise) / spectrum.flux.std() == pytest.approx(1, abs=0.12)
    assert plain.flux.mean() < 0.95 * FLUX
    signal = spectrum.flux.mean() / spectrum.flux.std()
    assert signal > 1.1 * plain.flux.mean() / plain.flux.std()
    assert spectrum.parameters["sky"] == sky
    assert spectrum.psf is not None


def test_noisy_spaxels_weigh_little_and_gaps_are_no_loss_of_light():
    sigma = np.ones(SHAPE)
    sigma[8:10, 12] = 50.0
    cube = star_cube(sigma)
    flux = cube.flux.copy()
    flux[::2, 10, 10] = np.nan

    (spectrum,) = extract_spectra(
        dataclasses.replace(cube, flux=flux),
        [star_of(cube)],
        method="optimal",
        parameters=ExtractParameters(clip=0, inner=1.3, outer=1.8),
    )

    assert_allclose(np.array([spectrum.flux[::2].mean(), spectrum.flux[1::2].mean()]), FLUX, rtol=0.02)
    assert np.median(spectrum.noise[::2]) > 1.02 * np.median(spectrum.noise[1::2])
    assert np.median(spectrum.noise) / spectrum.flux.std() == pytest.approx(1, abs=0.12)
