"""The rotation of an exposure by its stars: found to its error, in one large field or many small ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import DEC, RA

from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.rotation import StarField, Stars, fit_rotation, locate_stars
from napari_kmos.cube import Image
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.correction import place_wcs
from napari_kmos.spatial.fields import centre_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky, sky_to_pixel

SHAPE = (50, 60)
#: Degrees by which headers are wrong, and arcsec.
TURN, SHIFT = 0.3, (0.05, -0.08)


def seen(rng, stars, wcs, *, shape, fwhm_pix):
    ra, dec, flux = stars
    light = np.tensordot(flux, moffat_images(*sky_to_pixel(wcs, ra, dec), shape, fwhm_pix=fwhm_pix), 1)
    return Image(data=light + rng.standard_normal(shape), noise=np.ones(shape), wcs=wcs)


def star_field(seed, *, shape=SHAPE, n_stars=20):
    """A field in an exposure whose header is wrong, as it stands, and in one that is right; unmatched seeing."""
    rng = np.random.default_rng(seed)
    right = make_wcs(RA, DEC, crpix=(12.0, 9.0), rotation_deg=25.0)
    places = pixel_to_sky(right, *(rng.uniform(0, length - 1, n_stars) for length in shape))
    stars = (*places, 150 + 2000 * rng.random(n_stars) ** 3)
    reference = seen(rng, stars, right, shape=shape, fwhm_pix=3.5)
    true = place_wcs((right, shape), 0.31, -0.22, 0.0)
    moving = seen(rng, stars, true, shape=shape, fwhm_pix=4.0)
    header = place_wcs((true, shape), *SHIFT, -TURN)
    found = [locate_stars(one, AlignParameters()) for one in (dataclasses.replace(moving, wcs=header), reference)]
    return StarField(*found, centre=centre_of((header, shape)))


def pulls(found):
    return np.array([(one.deg - TURN) / one.err_deg for one in found])


def test_a_mosaic_of_twenty_stars_tells_it_to_its_error():
    found = [fit_rotation([star_field(seed)], match_arcsec=0.3) for seed in range(24)]
    # 12 of 20 stars stand apart; 0.014 arcsec each at 4 arcsec from the centre tell 0.06 deg, not more than four times
    assert max(abs(one.deg - TURN) for one in found) < 0.2
    assert np.median([one.err_deg for one in found]) < 0.08
    # 24 trials tell a scatter to 15 %; errors are cautious: centroids are taken to be good to 0.05 pixel at best
    assert 0.5 < np.sqrt(np.mean(pulls(found) ** 2)) < 1.2
    assert np.mean([one.n_stars for one in found]) > 8


def test_the_ifus_of_an_exposure_tell_it_together():
    found = [
        fit_rotation([star_field([seed, ifu], shape=(13, 14), n_stars=8) for ifu in range(24)], match_arcsec=0.3)
        for seed in range(3)
    ]
    assert all(one.n_fields > 2 for one in found)
    # two or three stars of one IFU tell it to a degree; all IFUs together, by the root of their number
    assert max(one.err_deg for one in found) < 0.7
    assert max(abs(pulls(found))) < 3.0


def exact(n_stars, *, turn=TURN, err=0.01, n_fields=1):
    """Stars whose places are known exactly."""
    rng = np.random.default_rng(n_stars)
    fields = []
    for number in range(n_fields):
        header = make_wcs(RA, DEC + number / 60, crpix=(7.5, 7.0), rotation_deg=-40.0)
        true = place_wcs((header, SHAPE), 0.02 * number, 0.03, turn)
        y, x = rng.uniform(0, 49, n_stars), rng.uniform(0, 59, n_stars)
        stars, right = (Stars(*pixel_to_sky(wcs, y, x), np.full(n_stars, err)) for wcs in (header, true))
        fields.append(StarField(stars=stars, right=right, centre=centre_of((header, SHAPE))))
    return fields


@pytest.mark.parametrize("turn", [TURN, -1.0])
@pytest.mark.parametrize(("n_stars", "n_fields"), [(3, 1), (12, 1), (4, 5)])
def test_exact_places_give_the_exact_angle(n_stars, n_fields, turn):
    found = fit_rotation(exact(n_stars, n_fields=n_fields, turn=turn), match_arcsec=0.3)
    assert found.deg == pytest.approx(turn, abs=1e-5)
    assert (found.n_stars, found.n_fields) == (n_stars * n_fields, n_fields)
    assert found.sigma > 3


def test_a_star_that_moved_is_left_out():
    (field,) = exact(9)
    ra = field.right.ra + np.where(np.arange(9) == 4, 0.2 / 3600, 0.0)
    found = fit_rotation([field._replace(right=field.right._replace(ra=ra))], match_arcsec=0.3)
    assert found.n_stars == 8
    assert found.deg == pytest.approx(TURN, abs=1e-4)


def test_stars_that_are_not_in_common_tell_nothing():
    (field,) = exact(9)
    two = Stars(*(values[:2] for values in field.stars))
    found = fit_rotation([field._replace(stars=two)], match_arcsec=0.3)
    assert (found.deg, found.err_deg, found.n_stars, found.n_fields, found.sigma) == (0.0, np.inf, 2, 0, 0.0)
    pair = fit_rotation([field._replace(stars=two), *exact(4)], match_arcsec=0.3)
    assert (pair.n_stars, pair.n_fields) == (6, 2)
    assert pair.deg == pytest.approx(TURN, abs=1e-5)
    assert fit_rotation([], match_arcsec=0.3).n_stars == 0


def test_a_star_drawn_to_its_neighbour_is_no_place():
    rng = np.random.default_rng(1)
    wcs = make_wcs(RA, DEC, crpix=(7.5, 7.0))
    y, x = np.array([20.0, 30.0, 30.0]), np.array([40.0, 12.0, 14.6])
    stars = (*pixel_to_sky(wcs, y, x), np.array([2000.0, 4000.0, 300.0]))
    found = locate_stars(seen(rng, stars, wcs, shape=SHAPE, fwhm_pix=3.0), AlignParameters())
    off = np.hypot(*offset_arcsec(found.ra[:, None], found.dec[:, None], stars[0], stars[1])).min(axis=1)
    assert off.max() < 0.06
