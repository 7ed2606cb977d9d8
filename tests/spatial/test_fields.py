"""Sources in fields, wherever on the sky these lie."""

import numpy as np
import pytest

from napari_kmos.spatial.fields import centre_of, common_share, is_inside, near_pairs, rows_near, window_near
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, window_wcs

SHAPE = (13, 15)


def field(ra: float, dec: float):
    return make_wcs(ra, dec, crpix=(2.0, 9.0), scale_arcsec=0.2, rotation_deg=30.0), SHAPE


@pytest.mark.parametrize(("ra", "dec"), [(266.4, -29.0), (0.0, 10.0), (120.0, 90.0)])
def test_only_what_lies_on_a_pixel_is_inside(ra: float, dec: float):
    one = field(ra, dec)
    y, x = np.array([[6.0, 7.0], [-0.49, 14.49], [12.49, 0.0], [12.51, 0.0], [6.0, -0.51], [40.0, 7.0]]).T
    assert is_inside(one, *pixel_to_sky(one[0], y, x)).tolist() == [True, True, True, False, False, False]
    far_ra, far_dec = (centre_of(one)[0] + 180) % 360, -centre_of(one)[1]
    assert not is_inside(one, np.array([far_ra]), np.array([far_dec])).any()


@pytest.mark.parametrize(("ra", "dec"), [(266.4, -29.0), (0.0, 10.0), (120.0, 89.999)])
def test_no_source_inside_any_field_is_cut_away_and_few_others_stay(ra: float, dec: float):
    fields = [field(ra, dec), field((ra - 0.01) % 360, dec)]
    rng = np.random.default_rng(8)
    near = [pixel_to_sky(wcs, rng.uniform(-20, 30, 200), rng.uniform(-20, 30, 200)) for wcs, _ in fields]
    sky = rng.uniform(0, 360, 5000), np.rad2deg(np.arcsin(rng.uniform(-1, 1, 5000)))
    found_ra, found_dec = np.concatenate([*near, sky], axis=1)
    rows = rows_near(fields, found_ra, found_dec)
    inside = np.flatnonzero(is_inside(fields[0], found_ra, found_dec) | is_inside(fields[1], found_ra, found_dec))
    assert len(inside) > 20  # 31 expected
    assert np.isin(inside, rows).all()
    assert len(rows) <= 402  # of 5000 anywhere on the sky less than one lies within an arcminute


def test_the_part_of_a_mosaic_near_a_field_holds_it_and_its_surroundings():
    mosaic = make_wcs(266.4, -29.0, crpix=(50.0, 40.0), scale_arcsec=0.2), (90, 120)
    small = make_wcs(*pixel_to_sky(mosaic[0], 30.0, 70.0), crpix=(8.0, 7.0), scale_arcsec=0.2), (13, 15)
    assert window_near(mosaic, small, reach_arcsec=0.9) == (slice(19, 42), slice(58, 83))
    assert window_near(mosaic, small, reach_arcsec=5.5) == (slice(0, 65), slice(35, 106))
    far = make_wcs(266.5, -29.0, crpix=(8.0, 7.0), scale_arcsec=0.2), (13, 15)
    assert window_near(mosaic, far, reach_arcsec=5.0) is None
    assert window_near(mosaic, field(86.4, 29.0), reach_arcsec=5.0) is None


@pytest.mark.parametrize(("ra", "dec"), [(266.4, -29.0), (0.0, 10.0), (120.0, 89.9)])
def test_fields_are_near_if_they_overlap_or_can_be_moved_so_far(ra: float, dec: float):
    first = field(ra, dec)
    # 10 columns of 15 further, and 100
    fields = [first, *((window_wcs(first[0], 0, columns), SHAPE) for columns in (10, 100))]
    assert near_pairs(fields) == [(0, 1)]
    assert near_pairs(fields, reach_arcsec=17.0) == [(0, 1), (0, 2), (1, 2)]
    assert near_pairs([]) == []
    assert common_share(fields[0], fields[1]) == pytest.approx(5 / 15)
    assert common_share(fields[0], fields[2]) == 0
    large = window_wcs(first[0], -20, -20), (60, 60)
    assert common_share(large, first) == common_share(first, large) == 1
