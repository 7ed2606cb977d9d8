"""Cubes and spectra divided plane by plane."""

from __future__ import annotations

import dataclasses

import dask.array as da
import factories
import numpy as np
import observed_stars as stars
import pytest

from napari_kmos.telluric import Correction, correct_cube, correct_spectrum, scale_cube


def _correction(wave):
    through = np.linspace(1.0, 0.4, wave.size)
    through[3] = np.nan
    return Correction(
        wavelength_um=wave,
        transmission=through,
        relative_noise=np.full(wave.size, 0.02),
        windows=(),
        standard="made up",
    )


def test_cube_is_divided_and_its_noise_has_that_of_the_transmission():
    cube = factories.make_cube(shape=(40, 7, 9))
    correction = _correction(cube.wavelength_um)
    found = correct_cube(cube, correction)
    through = correction.transmission[:, None, None]
    np.testing.assert_allclose(found.flux, cube.flux / through, rtol=1e-6)
    np.testing.assert_allclose(found.noise, np.hypot(cube.noise, 0.02 * cube.flux) / through, rtol=1e-5)
    assert np.isnan(found.flux[3]).all()
    assert np.isnan(found.noise[3]).all()
    assert found.unit == cube.unit
    assert correct_cube(dataclasses.replace(cube, noise=None), correction).noise is None


def test_lazy_cube_stays_lazy_in_its_pieces():
    cube = factories.make_cube(shape=(40, 7, 9))
    lazy = dataclasses.replace(
        cube, flux=da.from_array(cube.flux, chunks=(16, 7, 9)), noise=da.from_array(cube.noise, chunks=(16, 7, 9))
    )
    found = correct_cube(lazy, _correction(cube.wavelength_um))
    assert found.flux.chunks == lazy.flux.chunks
    assert found.flux.dtype == found.noise.dtype == np.float32
    np.testing.assert_array_equal(found.flux.compute(), correct_cube(cube, _correction(cube.wavelength_um)).flux)
    scaled = scale_cube(lazy, np.full(40, 3e-17))
    np.testing.assert_allclose(scaled.flux.compute(), cube.flux * 3e-17, rtol=1e-6)


def test_spectrum_is_masked_where_too_little_comes_through():
    seen = stars.see(stars.smooth_star, airmass=1.1, water=1.0, snr=50, rng=np.random.default_rng(1), nz=200)
    spectrum = stars.star_spectrum(seen)
    found = correct_spectrum(spectrum, _correction(seen.wave))
    assert found.mask[3]
    assert found.mask.sum() == 1
    assert found.flux[10] == pytest.approx(spectrum.flux[10] / _correction(seen.wave).transmission[10])
    assert np.all(found.noise[10:] > spectrum.noise[10:])
