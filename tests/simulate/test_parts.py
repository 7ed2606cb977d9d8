"""The parts of the simulator: point and line spread, templates, parameters."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import KmosError
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.field import choose_arms, make_targets
from napari_kmos.simulate.lsf import FWHM_PIX, Lsf, smooth, spread_lines
from napari_kmos.simulate.psf import moffat_images, seeing_at
from napari_kmos.simulate.stars import ISOLATED_SHARE, make_stars
from napari_kmos.simulate.templates import absorption


def test_star_image_holds_its_flux_and_stands_at_its_position():
    images = moffat_images(np.array([60.3, 58.7]), np.array([70.6, 71.2]), (121, 141), fwhm_pix=3.5)
    # A Moffat profile has wings: this share lies beyond 50 pixels of the centre (beta 2.8).
    alpha = 3.5 / (2 * np.sqrt(2 ** (1 / 2.8) - 1))
    beyond = (1 + (50 / alpha) ** 2) ** -1.8
    assert images.sum(axis=(1, 2)) == pytest.approx(1.0, abs=2 * beyond)
    y, x = np.indices(images.shape[1:])
    near = np.hypot(y - 60.3, x - 70.6) < 3
    peak = np.unravel_index(np.argmax(images[0]), images[0].shape)
    assert peak == (60, 71)
    assert np.sum((images[0] * y)[near]) / images[0][near].sum() == pytest.approx(60.3, abs=0.1)  # the disc cuts pixels


def test_star_image_has_its_width():
    row = moffat_images(np.array([20.0]), np.array([20.0]), (41, 41), fwhm_pix=8.0)[0, 20]
    half = np.interp(0.5 * row[20], row[20:][::-1], np.arange(21)[::-1].astype(float))
    assert 2 * half == pytest.approx(8.0, rel=0.02)  # pixel integration broadens it a little


def test_seeing_is_better_at_longer_wavelengths():
    assert seeing_at(0.8, 2.2) == pytest.approx(0.8)
    assert seeing_at(0.8, 1.1) == pytest.approx(0.8 * 2**0.2)


@pytest.mark.parametrize("wing", [0.0, 0.1])
def test_line_holds_its_light_and_position(wing):
    position, strength = np.array([30.27, 70.9]), np.array([5.0, 2.0])
    spectrum = spread_lines(position, strength, 101, lsf=Lsf(fwhm_pix=1.9, wing=wing))
    assert spectrum.sum() == pytest.approx(7.0, rel=1e-5)  # cut at five sigma
    planes = np.arange(101)
    centre = np.average(planes[:50], weights=spectrum[:50])
    # The wing, displaced by 0.6 sigma of the core, moves the mean by its share.
    assert centre == pytest.approx(30.27 + wing * 0.6 * 1.9 / 2.3548, abs=1e-4)
    variance = np.average((planes[:50] - centre) ** 2, weights=spectrum[:50])
    if not wing:
        assert np.sqrt(variance - 1 / 12) * 2.3548 == pytest.approx(1.9, rel=1e-3)


def test_line_outside_the_cube_is_cut_off():
    spectrum = spread_lines(np.array([-30.0, -0.5]), np.ones(2), 20, lsf=Lsf(fwhm_pix=1.9))
    assert spectrum.sum() == pytest.approx(0.5, abs=1e-6)


def test_smoothed_spectrum_and_lines_have_the_same_spread():
    lsf = Lsf(fwhm_pix=FWHM_PIX, wing=0.05)
    fine = np.zeros(4 * 80)
    fine[4 * 40] = 4.0  # a line of light 1 at plane 40
    expected = spread_lines(np.array([40.0]), np.ones(1), 80, lsf=lsf)
    assert smooth(fine, lsf, 4)[::4] == pytest.approx(expected, abs=0.01)  # the fine samples broaden it a little
    assert smooth(np.ones(200), lsf, 4) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("kind", "wave", "continuum"),
    [
        ("late", 2.2975, 2.2900),  # CO 2-0
        ("late", 1.6210, 1.6160),  # CO 6-3
        ("late", 0.85444, 0.8480),  # Ca II
        ("early", 2.16612, 2.1500),  # Brackett gamma
        ("early", 1.28216, 1.2700),  # Paschen beta
        ("early", 1.08333, 1.0700),  # He I
    ],
)
def test_each_band_has_features(kind, wave, continuum):
    at, beside = absorption(kind, np.array([wave, continuum]))
    assert at > beside + 0.05
    assert at < 1


def test_arms_are_spread_over_the_detectors():
    assert choose_arms(3) == (3, 11, 19)
    assert choose_arms(24) == tuple(range(1, 25))


def test_each_arm_has_an_isolated_star_near_its_target():
    parameters = SimulationParameters(ifus=5, density=40.0, seed=11)
    stars = make_stars(parameters)
    for target in make_targets(parameters):
        near = (stars.ifu == target.ifu) & stars.isolated
        east = (stars.ra[near] - target.ra) * 3600 * np.cos(np.deg2rad(target.dec))
        north = (stars.dec[near] - target.dec) * 3600
        assert np.any(np.maximum(abs(east), abs(north)) < 0.5)
    assert np.array_equal(stars.isolated, stars.contamination < ISOLATED_SHARE)
    assert len(set(stars.id)) == len(stars)


@pytest.mark.parametrize("given", [{"ifus": 25}, {"nz": 3}, {"band": "L"}, {"seeing_arcsec": (0.9, 0.6)}, {"seed": -1}])
def test_impossible_parameters_are_refused(given):
    with pytest.raises(KmosError, match=r"expected|no band|negative"):
        SimulationParameters(**given)
