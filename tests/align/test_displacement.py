"""Displacements in pixels have the signs of the pipeline."""

from __future__ import annotations

import pytest

from napari_kmos.align import correction_arcsec, displacement_pix
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


@pytest.mark.parametrize("rotation", [0.0, 65.0])
@pytest.mark.parametrize("apart", [0.0, 60.0])
def test_a_correction_gives_back_its_displacement(rotation, apart):
    """Also where the IFU lies an arcminute from the reference, as in the log of a mosaic, and near the pole."""
    for dec in (-29.0, 85.0):
        first = make_wcs(266.4, dec, crpix=(8.0, 7.0), rotation_deg=rotation)
        other = shift_wcs(make_wcs(266.4, dec, crpix=(6.0, 9.0), rotation_deg=rotation), apart + 0.4, -0.7 * apart)
        if dec > 80 and apart:
            continue  # an arcminute there turns the field by more than kmos_combine takes
        east, north = correction_arcsec(first, other, (12.5, -3.25), shape=(13, 15))
        found = displacement_pix(first, shift_wcs(other, east, north), shape=(13, 15))
        assert found == (pytest.approx(12.5, abs=1e-4), pytest.approx(-3.25, abs=1e-4))


def test_a_correction_of_a_star_that_moved():
    """A star two spaxels further right and one up than the header says: the header is moved the other way."""
    assert correction_arcsec(FIRST, FIRST, (2.0, -1.0), shape=(13, 15)) == (
        pytest.approx(0.4, abs=1e-6),
        pytest.approx(-0.2, abs=1e-6),
    )
    turned = make_wcs(266.4, -29.0, crpix=(8.0, 7.0), rotation_deg=30)
    with pytest.raises(AlignmentError, match="have no common displacement"):
        correction_arcsec(FIRST, turned, (0.0, 0.0), shape=(13, 15))
