"""Displacements in pixels have the signs of the pipeline."""

from __future__ import annotations

import pytest

from napari_kmos.align import displacement_pix
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import make_wcs, shift_wcs, sky_to_pixel

FIRST = make_wcs(266.4, -29.0, crpix=(8.0, 7.0))


def test_star_further_right_and_up_has_positive_dx_and_negative_dy():
    # the telescope went east and south: on an image with east left the star goes right and up
    other = shift_wcs(FIRST, 0.3, -0.5)
    assert sky_to_pixel(other, 266.4, -29.0) == (pytest.approx(6 + 2.5), pytest.approx(7 + 1.5))
    assert displacement_pix(FIRST, other, shape=(13, 15)) == (pytest.approx(1.5), pytest.approx(-2.5))


def test_displacement_is_in_pixels_of_a_turned_field():
    first = make_wcs(266.4, -29.0, crpix=(8.0, 7.0), rotation_deg=90)
    dx, dy = displacement_pix(first, shift_wcs(first, 0.4, 0.0), shape=(13, 15))  # y is east
    assert (dx, dy) == (pytest.approx(0, abs=1e-5), pytest.approx(2, abs=1e-5))


def test_rotated_exposures_have_none():
    other = make_wcs(266.4, -29.0, crpix=(8.0, 7.0), rotation_deg=30)
    with pytest.raises(AlignmentError, match=r"angles 0\.00 and 30\.00 deg have no common displacement"):
        displacement_pix(FIRST, other, shape=(13, 15))
