"""Offsets applied to coordinates: shift and rotation, in any order, about the centre of the pixels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import make_cube

from napari_kmos.offset import Offset
from napari_kmos.spatial.correction import corrected, corrected_wcs, place_wcs
from napari_kmos.spatial.fields import centre_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky, position_angle_deg, shift_wcs

SHAPE = (13, 20)
#: CRPIX far from the centre of the pixels, at 60 deg of declination.
FIELD = make_wcs(266.4, 60.0, crpix=(3.0, 11.0), rotation_deg=25.0), SHAPE
OFFSET = Offset(
    exposure=0,
    file="a.fits",
    ifu=3,
    dra_arcsec=0.3,
    ddec_arcsec=-0.2,
    err_arcsec=0.01,
    method="truth",
    rotation_deg=1.5,
    rotation_err_deg=0.1,
)


def corners(wcs):
    return np.array(pixel_to_sky(wcs, np.array([0, 0, 12, 12]), np.array([0, 19, 0, 19])))


def test_a_field_turns_from_north_to_east_about_its_centre():
    turned = place_wcs(FIELD, 0.0, 0.0, 1.5)
    assert position_angle_deg(turned) == pytest.approx(26.5, abs=1e-9)
    # the centre stays to a nano-arcsecond
    assert np.hypot(*offset_arcsec(*centre_of(FIELD), *centre_of((turned, SHAPE)))) < 1e-9
    # what is drawn up, north if the y axis is, comes to lie further east
    up = [offset_arcsec(*centre_of(FIELD), *pixel_to_sky(wcs, 12.0, 9.5)) for wcs in (FIELD[0], turned)]
    angles = np.rad2deg([np.arctan2(east, north) for east, north in up])
    assert np.diff(angles) == pytest.approx(1.5, abs=1e-6)


def test_an_offset_without_rotation_changes_crval_only():
    straight = corrected_wcs(FIELD, dataclasses.replace(OFFSET, rotation_deg=0.0))
    assert straight.wcs.compare(shift_wcs(FIELD[0], 0.3, -0.2).wcs)


def test_the_centre_moves_by_the_shift_whatever_the_rotation():
    moved = centre_of((corrected_wcs(FIELD, OFFSET), SHAPE))
    plain = centre_of((shift_wcs(FIELD[0], 0.3, -0.2), SHAPE))
    assert np.hypot(*offset_arcsec(*plain, *moved)) < 1e-9


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_corrections_add_up_in_any_order(order):
    parts = [(0.3, -0.2, 1.5), (-0.1, 0.4, -0.7), (0.05, 0.1, 0.0)]
    wcs = FIELD[0]
    for number in order:
        wcs = place_wcs((wcs, SHAPE), *parts[number])
    whole = place_wcs(FIELD, *np.sum(parts, axis=0))
    # CRVAL is moved at declinations that differ by 0.4 arcsec: 3e-6 of a shift of 0.3 arcsec
    assert np.hypot(*offset_arcsec(*corners(whole), *corners(wcs))).max() < 2e-6


def test_what_was_turned_is_turned_back():
    back = place_wcs((place_wcs(FIELD, 0.0, 0.0, 1.5), SHAPE), 0.0, 0.0, -1.5)
    assert np.hypot(*offset_arcsec(*corners(FIELD[0]), *corners(back))).max() < 1e-9


def test_pc_and_cdelt_are_turned_like_cd():
    plain = FIELD[0].deepcopy()
    matrix = plain.wcs.cd
    del plain.wcs.cd
    plain.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    plain.wcs.pc = matrix / plain.wcs.cdelt[:, None]
    plain.wcs.set()
    turned = [place_wcs((wcs, SHAPE), 0.3, -0.2, 1.5) for wcs in (FIELD[0], plain)]
    assert np.hypot(*offset_arcsec(*corners(turned[0]), *corners(turned[1]))).max() < 1e-9


def test_a_cube_is_corrected_and_nothing_else_of_it():
    cube = make_cube(wcs=FIELD[0], shape=(3, *SHAPE))
    right = corrected(cube, OFFSET)
    assert right.flux is cube.flux
    assert right.wcs.wcs.compare(corrected_wcs(FIELD, OFFSET).wcs)
    assert cube.wcs is FIELD[0]
