"""World coordinates are solved from stars, matched or given; what cannot be solved is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.table import Table
from factories import DEC, RA, star_image

from napari_kmos.align.solving import StarPairs, solve_wcs, turn_wcs
from napari_kmos.align.star_matching import match_stars
from napari_kmos.align.star_parameters import SolveParameters
from napari_kmos.cube import Image, pixel_scale_arcsec
from napari_kmos.errors import AlignmentError, KmosError
from napari_kmos.io import catalogue_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky, position_angle_deg, shift_wcs

SHAPE = (150, 230)
RIGHT = make_wcs(RA, DEC, crpix=(40.0, 30.0), rotation_deg=25.0)
#: Shift in arcsec, rotation in degrees, and scale by which a header is wrong.
ERRORS = ((5.5, -4.0, 1.9, 1.018), (-3.0, 6.5, -1.7, 0.985), (0.3, 0.2, 0.0, 1.0))


def wrong_wcs(east, north, rotation_deg, scale):
    """The coordinates of a header; what has to be done to them is what is told."""
    return turn_wcs(shift_wcs(RIGHT, -east, -north), -rotation_deg, 1 / scale)


def pairs_of(y, x, *, wcs=RIGHT):
    ra, dec = pixel_to_sky(wcs, np.asarray(y, float), np.asarray(x, float))
    ids = tuple(f"s{number}" for number in range(len(ra)))
    return StarPairs(y=np.asarray(y, float), x=np.asarray(x, float), ra=ra, dec=dec, ids=ids)


def corners_off(wcs):
    """How far the corners of the field are from where they should be, in arcsec."""
    y, x = np.array([0, 0, SHAPE[0], SHAPE[0]]), np.array([0, SHAPE[1], 0, SHAPE[1]])
    return np.hypot(*offset_arcsec(*pixel_to_sky(RIGHT, y, x), *pixel_to_sky(wcs, y, x)))


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("n_stars", [3, 12])
def test_exact_pairs_give_exact_coordinates(error, n_stars):
    rng = np.random.default_rng(n_stars)
    pairs = pairs_of(rng.uniform(0, SHAPE[0], n_stars), rng.uniform(0, SHAPE[1], n_stars))
    found = solve_wcs((wrong_wcs(*error), SHAPE), pairs)
    assert corners_off(found.wcs).max() < 1e-5
    assert found.rotation_deg == pytest.approx(error[2], abs=1e-5)
    assert found.scale == pytest.approx(error[3], abs=1e-7)
    assert position_angle_deg(found.wcs) == pytest.approx(25.0, abs=1e-5)
    assert pixel_scale_arcsec(found.wcs) == pytest.approx(0.2, abs=1e-7)
    assert found.used.all()
    assert found.rms_arcsec < 1e-5


def test_errors_are_those_of_many_trials():
    rng = np.random.default_rng(7)
    off = []
    for _ in range(60):
        true = pairs_of(rng.uniform(0, SHAPE[0], 9), rng.uniform(0, SHAPE[1], 9))
        seen = dataclasses.replace(true, y=true.y + rng.normal(0, 0.15, 9), x=true.x + rng.normal(0, 0.15, 9))
        found = solve_wcs((wrong_wcs(*ERRORS[0]), SHAPE), seen)
        shift = np.array(offset_arcsec(*pixel_to_sky(RIGHT, 74.5, 114.5), *pixel_to_sky(found.wcs, 74.5, 114.5)))
        shift_err, turn_err, scale_err = found.errors
        off.append([*shift / shift_err, (found.rotation_deg - 1.9) / turn_err, (found.scale - 1.018) / scale_err])
    # 60 trials tell a scatter to 9 %, and the errors come from 14 degrees of freedom: Student's t is 8 % wider
    assert np.sqrt(np.mean(np.square(off), axis=0)) == pytest.approx([1.08] * 4, abs=0.3)


def test_a_wrong_pair_is_left_out_and_told():
    rng = np.random.default_rng(3)
    pairs = pairs_of(rng.uniform(0, SHAPE[0], 8), rng.uniform(0, SHAPE[1], 8))
    pairs.y[:] += rng.normal(0, 0.05, 8)
    pairs.x[2] += 9.0
    found = solve_wcs((wrong_wcs(*ERRORS[1]), SHAPE), pairs)
    assert found.used.tolist() == [True, True, False, True, True, True, True, True]
    assert np.hypot(*found.residuals_arcsec[2]) == pytest.approx(1.8, abs=0.1)
    assert corners_off(found.wcs).max() < 0.05


def test_two_pairs_are_too_few():
    with pytest.raises(AlignmentError, match=r"2 pairs of stars are too few .* 3 or more are needed"):
        solve_wcs((RIGHT, SHAPE), pairs_of([1, 50], [4, 90]))
    with pytest.raises(AlignmentError, match="the 3 stars lie in one place"):
        solve_wcs((RIGHT, SHAPE), pairs_of([30, 30.2, 30], [40, 40, 40.5]))
    right = pairs_of([1, 50, 30], [4, 90, 60])
    with pytest.raises(AlignmentError, match="the 3 stars lie in one place"):
        solve_wcs((RIGHT, SHAPE), dataclasses.replace(right, y=np.full(3, 9.0), x=np.full(3, 9.0)))
    with pytest.raises(AlignmentError, match="a pair has no place"):
        solve_wcs((RIGHT, SHAPE), pairs_of([30, np.nan, 30], [40, 40, 90]))


def test_stars_that_were_mixed_up_are_no_solution():
    right = pairs_of([5, 120, 70, 140, 20], [10, 200, 60, 30, 180])
    mixed = dataclasses.replace(right, ra=right.ra[::-1], dec=right.dec[::-1])
    with pytest.raises(AlignmentError, match=r"5 pairs of stars contradict each other: .* arcsec rms; see which star"):
        solve_wcs((RIGHT, SHAPE), mixed)


def mosaic(seed, *, n_stars=60, error=ERRORS[0], depth=6.0):
    """A mosaic with gaps, its header wrong, and a catalogue that lacks some stars and has others."""
    rng = np.random.default_rng(seed)
    y, x = rng.uniform(-30, SHAPE[0] + 30, n_stars * 2), rng.uniform(-30, SHAPE[1] + 30, n_stars * 2)
    magnitude = 12 + depth * rng.random(n_stars * 2) ** 0.6
    data = star_image(SHAPE, list(zip(y, x, 10 ** (-0.4 * (magnitude - 21)), strict=True)), fwhm_pix=3.6)
    data += rng.normal(0, 1.0, SHAPE)
    data[:60, 100:130] = np.nan
    image = Image(data=data, noise=np.ones(SHAPE), wcs=wrong_wcs(*error), name="mosaic")
    seen = rng.random(n_stars * 2) < 0.85
    others = rng.uniform(-30, 200, (2, 30))
    ra, dec = pixel_to_sky(RIGHT, np.append(y[seen], others[0]), np.append(x[seen], others[1]))
    magnitudes = np.append(magnitude[seen] + rng.normal(0, 0.2, seen.sum()), rng.uniform(14, 18, 30))
    return image, catalogue_of(Table({"name": np.arange(len(ra)), "ra": ra, "dec": dec, "Kmag": magnitudes}), "gc")


@pytest.mark.parametrize("error", ERRORS)
def test_stars_of_a_catalogue_are_found_in_a_wrong_mosaic(error):
    for seed in range(2):
        image, catalogue = mosaic(seed, error=error)
        pairs = match_stars(image, catalogue)
        assert len(pairs) > 15
        found = solve_wcs((image.wcs, SHAPE), pairs)
        # a quarter of a spaxel at the corners, where rotation and scale tell most
        assert corners_off(found.wcs).max() < 0.05
        assert found.rms_arcsec < 0.06


def test_without_magnitudes_all_sources_vote():
    image, catalogue = mosaic(5)
    bare = dataclasses.replace(catalogue, magnitude_name="")
    found = solve_wcs((image.wcs, SHAPE), match_stars(image, bare))
    assert corners_off(found.wcs).max() < 0.05


def test_other_field_is_no_match():
    image, _ = mosaic(1)
    _, catalogue = mosaic(2)
    with pytest.raises(AlignmentError, match=r"gc: no match: .* evidence .* give pairs by hand \(--pairs\)"):
        match_stars(image, catalogue)


def fields(seed, *, n_stars, size=14, corners=((10, 15), (60, 150), (120, 70))):
    """A mosaic of fields far from each other, and a catalogue that has stars in these only."""
    rng = np.random.default_rng(seed)
    y, x = (np.concatenate([low[axis] + rng.uniform(0, size, n_stars) for low in corners]) for axis in (0, 1))
    magnitude = 14 + 5 * rng.random(len(y)) ** 0.6
    data = star_image(SHAPE, list(zip(y, x, 10 ** (-0.4 * (magnitude - 21)), strict=True)), fwhm_pix=3.6)
    data += rng.normal(0, 1.0, SHAPE)
    inside = np.zeros(SHAPE, dtype=bool)
    for low in corners:
        inside[low[0] : low[0] + size, low[1] : low[1] + size] = True
    image = Image(data=np.where(inside, data, np.nan), noise=np.ones(SHAPE), wcs=wrong_wcs(*ERRORS[2]), name="mosaic")
    ra, dec = pixel_to_sky(RIGHT, y, x)
    return image, catalogue_of(Table({"name": np.arange(len(ra)), "ra": ra, "dec": dec, "Kmag": magnitude}), "gc")


def test_stars_in_fields_far_from_each_other_agree_by_chance_and_that_is_told():
    found = 0
    for seed in range(12):
        image, catalogue = fields(seed, n_stars=15)
        solution = solve_wcs((image.wcs, SHAPE), match_stars(image, catalogue))
        found += corners_off(solution.wcs).max() < 0.4
    assert found >= 11
    image, catalogue = fields(23, n_stars=8)
    with pytest.raises(AlignmentError, match=r"gc: no match: 4 of 5 .*, but elsewhere almost as well, evidence 1\d"):
        match_stars(image, catalogue)


def test_too_few_stars():
    image, catalogue = mosaic(1)
    empty = dataclasses.replace(image, data=np.random.default_rng(1).normal(size=SHAPE))
    with pytest.raises(AlignmentError, match=r"gc: \d stars are found in the image"):
        match_stars(empty, catalogue)
    far = dataclasses.replace(catalogue, ra=catalogue.ra + 1.0)
    with pytest.raises(AlignmentError, match="and 0 of the catalogue lie near it"):
        match_stars(image, far)
    with pytest.raises(KmosError, match=r"max_scale is 0\.7, expected a number from 0 to 0\.5"):
        SolveParameters(max_scale=0.7)
