"""Noise estimated from the flux."""

from __future__ import annotations

import dataclasses

import dask.array as da
import numpy as np
import pytest
from astropy import units as u
from factories import make_wcs, star_image

from napari_kmos.cube import Cube
from napari_kmos.errors import GeometryError, KmosWarning
from napari_kmos.spectral import ensure_noise, estimate_noise

SHAPE = (400, 13, 15)
GAIN, READ = 0.4, 3.0


@pytest.fixture(scope="module")
def scene():
    """Cube of sky lines and a star with photon and read noise, and the true noise."""
    rng = np.random.default_rng(1)
    lines = 5 + 300 * np.exp(-0.5 * ((np.arange(SHAPE[0]) % 40 - 20) / 1.2) ** 2)
    star = star_image(SHAPE[1:], [(4.0, 9.0, 20_000.0)])
    light = lines[:, None, None] + star
    noise = np.sqrt(READ**2 + GAIN * light)
    flux = (light + noise * rng.standard_normal(SHAPE)).astype(np.float32)
    cube = Cube(flux=flux, wavelength=np.linspace(2.0, 2.1, SHAPE[0]) * u.um, wcs=make_wcs(), name="star", ifu=3)
    return cube, noise, lines, star


@pytest.mark.parametrize("where", ["dark", "lines", "star"])
def test_noise_is_found(scene, where):
    """In the dark, on sky lines and on the star, where it has grown by the photons."""
    cube, noise, lines, star = scene
    ratio = np.asarray(estimate_noise(cube).noise) / noise
    chosen = {
        "dark": ratio[lines < 6][:, star < 1],
        "lines": ratio[lines > 250][:, star < 1],
        "star": ratio[:, star > 300],
    }[where]
    # The scatter of 78 spaxels tells a plane's noise to 8 %, and ten planes lie on the top of a line.
    assert np.median(chosen) == pytest.approx(1, abs=0.1)
    assert np.std(ratio[lines < 6][:, star < 1]) < 0.12


def test_lazy_cube_gets_the_same_noise_lazily(scene):
    cube = scene[0]
    lazy = estimate_noise(dataclasses.replace(cube, flux=da.from_array(cube.flux, chunks=(64, -1, 8))))
    assert not isinstance(lazy.noise, np.ndarray)
    assert lazy.noise.dtype == np.float32
    assert np.asarray(lazy.noise) == pytest.approx(np.asarray(estimate_noise(cube).noise), rel=1e-5)


def test_no_data_has_no_noise_and_gaps_are_bridged(scene):
    cube = scene[0]
    flux = np.array(cube.flux)
    flux[:5], flux[100], flux[200, 3, 3], flux[:, 12, 0] = np.nan, np.nan, np.nan, np.nan
    estimated = estimate_noise(dataclasses.replace(cube, flux=flux))
    assert np.array_equal(np.isnan(estimated.noise), np.isnan(flux))
    assert np.isnan(estimate_noise(dataclasses.replace(cube, flux=np.full(SHAPE, np.nan))).noise).all()


def test_estimate_is_said_to_be_one_and_is_made_only_where_needed(scene):
    cube = scene[0]
    estimated = ensure_noise(cube)
    assert estimated.noise_estimated
    assert not cube.noise_estimated
    assert ensure_noise(estimated) is estimated


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_noise_that_is_nowhere_more_than_0_is_none(scene, value):
    """Such an extension would make products without any noise."""
    cube = dataclasses.replace(scene[0], noise=np.full(SHAPE, value, dtype=np.float32))
    with pytest.warns(KmosWarning, match="IFU 3 star: its noise is nowhere more than 0; it is estimated"):
        estimated = ensure_noise(cube)
    assert estimated.noise_estimated
    assert np.array_equal(estimated.noise, estimate_noise(scene[0]).noise)


def test_two_planes_are_too_few(scene):
    cube = scene[0]
    few = dataclasses.replace(cube, flux=cube.flux[:2], wavelength=cube.wavelength[:2])
    with pytest.raises(GeometryError, match="IFU 3 star: 2 planes are too few to estimate noise"):
        estimate_noise(few)
