"""Stars that are found in an image."""

from __future__ import annotations

import numpy as np
import pytest
from factories import make_wcs, star_image

from napari_kmos.cube import Image
from napari_kmos.spatial.wcs import sky_to_pixel
from napari_kmos.stars import FindParameters, detect_stars, find_stars

HOW = {"fwhm_arcsec": 0.6, "threshold": 10.0, "radius_arcsec": 0.4, "most": 5}
STARS = ((8.3, 14.2, 300.0), (20.6, 7.1, 500.0), (25.0, 24.0, 100.0))


def image(stars=STARS, *, noise=True, missing=None):
    data = 4.0 + star_image((31, 33), stars) + 0.2 * np.random.default_rng(2).standard_normal((31, 33))
    if missing is not None:
        data[missing] = np.nan
    return Image(data=data, noise=np.full(data.shape, 0.2) if noise else None, wcs=make_wcs())


@pytest.mark.parametrize("noise", [True, False])
def test_the_brightest_come_first(noise):
    found = find_stars(image(noise=noise), **HOW)
    assert [star.id for star in found] == ["1", "2", "3"]
    expected = sorted(STARS, key=lambda star: -star[2])
    for star, (y, x, _) in zip(found, expected, strict=True):
        assert sky_to_pixel(make_wcs(), star.ra, star.dec) == pytest.approx((y, x), abs=0.15)
        assert star.radius_arcsec == 0.4


def test_so_many_are_taken():
    assert len(find_stars(image(), **{**HOW, "most": 2})) == 2


def test_stars_at_the_edge_of_the_data_are_left_out():
    found = find_stars(image(missing=np.s_[:, :9]), **HOW)
    assert len(found) == 2
    assert len(find_stars(image([(0.5, 12.0, 500.0), *STARS]), **HOW)) == 3


@pytest.mark.parametrize("missing", [None, np.s_[:]])
def test_no_star_and_no_data(missing):
    assert find_stars(image([], missing=missing), **HOW) == ()


def test_bumps_on_a_bright_star_are_no_stars_and_noise_that_is_correlated_counts():
    rng = np.random.default_rng(7)
    star = [(15.2, 16.3, 1e5)]
    light = star_image((31, 33), star, fwhm_pix=5.0) + star_image((31, 33), star, fwhm_pix=25.0)
    data = 100 + light * (1 + 0.02 * rng.standard_normal(light.shape))  # spaxels differ by 2 %
    data += 0.1 * rng.standard_normal(light.shape)
    picture = Image(data=data, noise=np.full(data.shape, 0.1), wcs=make_wcs())
    how = FindParameters(fwhm_arcsec=0.8)

    (star,) = detect_stars(picture, how)
    rough = detect_stars(picture, FindParameters(fwhm_arcsec=0.8, roughness=0.0))
    (less,) = detect_stars(picture, how, correlation=np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]))

    assert sky_to_pixel(make_wcs(), star.ra, star.dec) == pytest.approx((15.2, 16.3), abs=0.1)
    assert len(rough) > 1
    assert 1.2 < star.sigma / less.sigma < 2.0
    assert detect_stars(Image(data=np.full((9, 11), np.nan), noise=None, wcs=make_wcs()), how) == ()
    assert detect_stars(Image(data=np.ones((9, 11)), noise=None, wcs=make_wcs()), how) == ()


def test_stars_are_as_near_to_the_edge_and_to_each_other_as_wanted():
    picture = image([(1.2, 12.0, 500.0), (14.0, 12.0, 500.0), (14.0, 15.2, 500.0)])
    found = [
        len(detect_stars(picture, FindParameters(fwhm_arcsec=0.6, **facts)))
        for facts in ({}, {"edge_arcsec": 0.6}, {"separation_fwhm": 1.5}, {"most": 1})
    ]
    assert found == [3, 2, 2, 1]
