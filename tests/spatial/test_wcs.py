"""World coordinates: signs, round trips and grids."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from napari_kmos.errors import GeometryError
from napari_kmos.spatial import wcs as w

RA, DEC = 266.4, -29.0


def field(**options):
    return w.make_wcs(RA, DEC, **{"crpix": (7.5, 6.5)} | options)


def test_unrotated_field_has_north_up_and_east_left():
    wcs = field()
    east, north = w.offset_arcsec(RA, DEC, *w.pixel_to_sky(wcs, 5.5 + 1, 6.5 - 2))
    assert (east, north) == (pytest.approx(0.4), pytest.approx(0.2))
    assert w.position_angle_deg(wcs) == pytest.approx(0)


def test_position_angle_counts_from_north_through_east():
    east, north = w.offset_arcsec(RA, DEC, *w.pixel_to_sky(field(rotation_deg=90), 5.5 + 1, 6.5))
    assert (east, north) == (pytest.approx(0.2), pytest.approx(0, abs=1e-9))


@pytest.mark.parametrize("angle", [-135.0, 0.0, 30.0, 105.0, 180.0])
def test_angle_and_scale_are_recovered(angle):
    wcs = field(rotation_deg=angle, scale_arcsec=0.1)
    assert w.position_angle_deg(wcs) == pytest.approx(angle)
    assert w.pixel_scale_arcsec(wcs) == pytest.approx(0.1)


@given(y=st.floats(-50, 50), x=st.floats(-50, 50), angle=st.floats(-180, 180), dec=st.floats(-85, 85))
def test_pixels_survive_the_sky(y, x, angle, dec):
    wcs = w.make_wcs(0.001, dec, crpix=(7.5, 6.5), rotation_deg=angle)
    assert w.sky_to_pixel(wcs, *w.pixel_to_sky(wcs, y, x)) == (pytest.approx(y, abs=1e-6), pytest.approx(x, abs=1e-6))


@given(
    dec=st.floats(-80, 40),
    first=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    second=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
)
def test_corrections_add_up(dec, first, second):
    wcs = w.make_wcs(359.9999, dec, crpix=(7.5, 6.5), rotation_deg=20)
    moved = w.shift_wcs(w.shift_wcs(wcs, *first), *second)
    # cos(dec) changes over 3 arcsec: 3 * 6 / 206265 * tan(80 deg)
    expected = pytest.approx((first[0] + second[0], first[1] + second[1]), abs=1e-3)
    assert w.offset_between(wcs, moved) == expected


def test_correction_moves_the_star_and_not_its_pixel():
    wcs = field(rotation_deg=40)
    moved = w.shift_wcs(wcs, 0.7, -0.4)
    assert w.offset_arcsec(RA, DEC, *w.pixel_to_sky(moved, 5.5, 6.5)) == pytest.approx((0.7, -0.4), abs=1e-5)
    assert tuple(wcs.wcs.crval) == (RA, DEC)


def test_cdelt_headers_are_understood():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [RA, DEC], [7.5, 6.5]
    wcs.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    assert w.pixel_scale_arcsec(w.window_wcs(wcs, 0, 0, zoom=0.5)) == pytest.approx(0.1)
    assert w.is_parallel(wcs, field())


def test_window_keeps_the_sky():
    wcs = field(rotation_deg=10)
    cut = w.window_wcs(wcs, 3, -2)
    assert w.pixel_to_pixel(wcs, cut, 4.0, 5.0) == (pytest.approx(1), pytest.approx(7))
    fine = w.window_wcs(wcs, 0, 0, zoom=0.5)
    assert w.pixel_to_pixel(wcs, fine, -0.5, -0.5) == (pytest.approx(-0.5), pytest.approx(-0.5))
    assert w.pixel_to_pixel(wcs, fine, 0.0, 0.0) == (pytest.approx(0.5), pytest.approx(0.5))


def test_parallel_asks_for_angle_and_hand():
    mirrored = field()
    mirrored.wcs.cd = mirrored.wcs.cd * np.array([[-1], [1]])
    mirrored.wcs.set()
    assert w.is_parallel(field(rotation_deg=180), field(rotation_deg=-179.99))
    assert not w.is_parallel(field(), field(rotation_deg=0.2))
    assert not w.is_parallel(field(), mirrored)


def test_grid_is_that_of_the_first_field_extended():
    first = field()
    other = w.shift_wcs(first, 0.5, 0.3)  # 2.5 columns to the left, 1.5 rows up
    wcs, shape = w.image_grid([(first, (12, 14)), (other, (12, 14))])
    assert shape == (14, 17)
    assert w.pixel_to_pixel(first, wcs, 0.0, 0.0) == (pytest.approx(0, abs=1e-6), pytest.approx(3, abs=1e-6))


def test_grid_of_one_field_is_the_field():
    first = field(rotation_deg=33)
    wcs, shape = w.image_grid([(first, (12, 14))])
    assert shape == (12, 14)
    assert w.pixel_to_pixel(first, wcs, 2.0, 3.0) == (pytest.approx(2), pytest.approx(3))


def test_grid_of_other_scale_keeps_the_corner():
    wcs, shape = w.image_grid([(field(), (12, 14))], scale_arcsec=0.1)
    assert shape == (24, 28)
    assert w.pixel_to_pixel(field(), wcs, -0.5, -0.5) == (pytest.approx(-0.5), pytest.approx(-0.5))


def test_rotated_field_fits_into_the_grid():
    _, shape = w.image_grid([(field(), (12, 14)), (field(rotation_deg=45), (12, 14))])
    assert shape == (20, 20)  # (12 + 14) / sqrt(2) = 18.4 pixels, in whole pixels of the first


def test_fields_on_the_other_side_of_the_sky():
    with pytest.raises(GeometryError, match="too far apart"):
        w.image_grid([(field(), (12, 14)), (w.make_wcs(RA - 180, -DEC, crpix=(7.5, 6.5)), (12, 14))])
    with pytest.raises(GeometryError, match="no field"):
        w.image_grid([])
