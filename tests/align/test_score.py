"""The score of a pair is best where the offset is right, in any unit, seeing, rotation and spaxel size."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from napari_kmos.align import white_light
from napari_kmos.align.images import with_noise
from napari_kmos.align.score import PairScore
from napari_kmos.cube import Image
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import make_wcs, shift_wcs

ERROR = (0.31, -0.22)


@pytest.fixture
def pair(make_field):
    """Reference and moving image of a crowded field, the header of the second wrong by ERROR."""

    def make(**moving):
        field = make_field(3, 60)
        facts = {"error": ERROR, "gain": 1.3, "fwhm": 0.85, "noise": 0.1} | moving
        return white_light(field.expose(fwhm=0.62, noise=0.1)), white_light(field.expose(**facts))

    return make


@pytest.mark.parametrize("rotation", [0.0, 35.0])
def test_the_right_offset_scores_about_one_and_others_much_more(pair, rotation):
    score = PairScore(*pair(rotation=rotation))
    right, wrong = score.at(*ERROR), score.at(0.0, 0.0)
    # noise and 4 % of the light; Moffat stars of two seeings differ in more than a Gaussian
    assert 0.3 < right.residual < 1.5
    assert wrong.residual > 4 * right.residual
    assert right.gain == pytest.approx(1.3, rel=0.15)  # a Gaussian widens the core, and not the wings


def test_the_curve_has_its_lowest_place_at_the_right_offset_and_agrees_with_the_score(pair):
    score = PairScore(*pair())
    curve = score.curve(*ERROR, reach_arcsec=0.5, n=11)
    np.testing.assert_allclose(curve.steps_arcsec, np.linspace(-0.5, 0.5, 11), atol=1e-12)
    assert np.argmin(curve.east) == np.argmin(curve.north) == 5
    assert curve.east[5] == pytest.approx(score.at(*ERROR).residual, rel=1e-9)
    beside = score.curve(ERROR[0] - 0.2, ERROR[1], reach_arcsec=0.4, n=9)
    assert beside.steps_arcsec[np.argmin(beside.east)] == pytest.approx(0.2)


def test_stars_are_matched_where_the_offset_is_right(pair):
    score = PairScore(*pair())
    right, wrong = score.at(*ERROR), score.at(ERROR[0] + 0.5, ERROR[1] + 0.5)
    assert right.n_stars >= right.n_matched >= 3
    assert right.rms_arcsec < 0.1  # half a spaxel: close stars of different seeing are drawn to each other
    assert wrong.n_matched < right.n_matched


def test_the_best_score_near_a_wrong_offset_has_the_right_flux_scale(pair):
    score = PairScore(*pair())
    best, right = score.best_near(ERROR[0] + 0.35, ERROR[1] - 0.4), score.at(*ERROR)
    assert best.gain == pytest.approx(right.gain, rel=0.1)  # steps of 0.2 arcsec, a spaxel
    assert best.residual < 3 * right.residual


def test_units_and_backgrounds_do_not_matter(pair):
    reference, moving = pair()
    scaled = dataclasses.replace(
        reference, data=1e-17 * reference.data + 3e-16, noise=1e-17 * np.asarray(reference.noise)
    )
    plain, other = (PairScore(one, moving).at(*ERROR) for one in (reference, scaled))
    assert other.residual == pytest.approx(plain.residual, rel=1e-3)
    assert other.gain == pytest.approx(1e17 * plain.gain, rel=1e-3)


def test_the_difference_is_the_moving_image_less_the_fitted_reference(pair):
    reference, moving = pair(noise=0.02, fwhm=0.62)
    moving.data[:, -1] = np.nan
    score = PairScore(reference, moving)
    right, wrong = score.difference(*ERROR), score.difference(0.0, 0.0)
    assert right.shape == moving.data.shape
    assert np.isnan(right[:, -1]).all()
    assert np.isfinite(right).sum() > 100
    assert np.nanstd(right) < 0.05 * np.nanstd(moving.data)
    assert np.nanstd(wrong) > 5 * np.nanstd(right)


@pytest.fixture
def sharp_pair(make_field):
    """Image of small pixels and sharp stars, without noise of its own, and an exposure; the header of this is wrong."""

    def make(noise=0.0):
        field = make_field(5, 60)
        moving = white_light(field.expose(error=ERROR, noise=0.1))
        fine = make_wcs(266.41, -28.93, crpix=(150.5, 130.0), scale_arcsec=0.05)
        y, x = np.indices((260, 300))
        east, north = 0.05 * (149.5 - x), 0.05 * (y - 129.0)
        squared = (east[..., None] - field.east) ** 2 + (north[..., None] - field.north) ** 2
        light = np.exp(-squared / 2 / 0.1**2) @ field.flux
        return Image(data=light + noise * np.random.default_rng(1).standard_normal(light.shape), wcs=fine), moving

    return make


def test_a_large_reference_of_small_pixels_is_used_about_the_moving_image(sharp_pair):
    curve = PairScore(*sharp_pair()).curve(*ERROR, reach_arcsec=0.4, n=9)
    assert np.argmin(curve.east) == np.argmin(curve.north) == 4


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_the_residual_against_an_image_without_noise_is_in_units_of_noise(sharp_pair, noise):
    sharp, moving = sharp_pair(noise)
    score = PairScore(sharp, moving)
    right = score.at(*ERROR)
    # stars of a Gaussian against those of a Moffat profile differ by more than the 4 % that a model may, and smoothing
    # averages more of the noise than that of the pixels in a spaxel
    assert 0.3 < right.residual < 6
    assert score.at(ERROR[0] + 0.4, ERROR[1]).residual > 2.5 * right.residual
    assert right.gain == pytest.approx(0.04 / (2 * np.pi * 0.1**2), rel=0.35)  # flux in a spaxel; wings are left


@pytest.mark.parametrize("sigma", [0.5, 3.0])
def test_noise_of_an_image_is_estimated_where_it_is_dark(sharp_pair, sigma):
    image = with_noise(sharp_pair(sigma)[0])
    np.testing.assert_allclose(image.noise, sigma, rtol=0.05)  # 31200 pixels; what stars leave is below 2 %


def test_images_without_any_noise_have_some(sharp_pair):
    sharp, _ = sharp_pair()
    smooth = dataclasses.replace(sharp, data=np.zeros(sharp.data.shape))
    smooth.data[5, 7] = 20.0
    np.testing.assert_allclose(with_noise(smooth).noise, 0.002)  # 0.01 % of its range
    few = dataclasses.replace(sharp, data=sharp.data[:2, :3])
    assert np.all(np.asarray(with_noise(few).noise) > 0)


def test_some_of_the_pixels_tell_about_the_same_as_all(pair):
    images = pair()
    whole, some = PairScore(*images), PairScore(*images, most_pixels=60)
    assert some.at(*ERROR).residual == pytest.approx(whole.at(*ERROR).residual, rel=0.3)  # 60 of 182 pixels
    assert some.at(0.0, 0.0).residual > 4 * some.at(*ERROR).residual
    assert np.isfinite(some.difference(*ERROR)).sum() == np.isfinite(whole.difference(*ERROR)).sum()


def test_too_little_overlap_has_no_score(pair):
    score = PairScore(*pair())
    far = score.at(2.6, 2.6)
    assert np.isnan([far.residual, far.gain, far.rms_arcsec]).all()
    assert far.n_matched == 0
    assert np.isnan(score.difference(2.6, 2.6)).all()
    assert np.isnan(score.curve(2.6, 2.6, n=3).east).all()


def test_images_that_cannot_be_compared_are_refused(pair):
    reference, moving = pair()
    far = dataclasses.replace(reference, wcs=shift_wcs(reference.wcs, 30.0, 0.0))
    with pytest.raises(AlignmentError, match="more than 5 arcsec apart"):
        PairScore(far, moving)
    with pytest.raises(AlignmentError, match="0 spaxels with data"):
        PairScore(reference, dataclasses.replace(moving, data=np.full(moving.data.shape, np.nan)))
