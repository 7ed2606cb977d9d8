"""Mosaics: fields of several IFUs that overlap are solved together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import DEC, RA, make_cube

from napari_kmos.exposure import Arm, Exposure
from napari_kmos.recipes.align import measure_exposures
from napari_kmos.recipes.align_targets import mosaics_of, targets_of
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_sky, shift_wcs, sky_to_pixel

SHAPE = (6, 13, 14)
STEP = 1.4
#: Where the IFUs of two exposures point, and how wrong their headers are: (east, north) in arcsec. Each exposure has
#: two corners of the mosaic, which no more overlap than arms can come near each other.
PLACES = {(0, 3): (0.0, 0.0), (0, 12): (STEP, STEP), (1, 3): (STEP, 0.0), (1, 12): (0.0, STEP)}
ERRORS = {(0, 3): (0.21, -0.12), (0, 12): (-0.19, 0.26), (1, 3): (-0.34, 0.17), (1, 12): (0.28, 0.31)}


def right_wcs(key):
    return shift_wcs(make_wcs(RA, DEC, crpix=(7.5, 7.0)), *PLACES[key])


@pytest.fixture(scope="module")
def mosaic():
    """Two exposures of two IFUs each, whose four fields lie side by side."""
    rng = np.random.default_rng(5)
    sky = shift_wcs(make_wcs(RA, DEC, crpix=(1, 1), scale_arcsec=1.0), STEP / 2, STEP / 2)
    stars = pixel_to_sky(sky, *rng.uniform(-3, 3, (2, 120)))
    flux = 60 + 2000 * rng.random(120) ** 5
    return [Exposure(arms=tuple(arm(number, ifu, stars, flux) for ifu in (3, 12)), band="K") for number in (0, 1)]


def arm(number, ifu, stars, flux):
    at = sky_to_pixel(right_wcs((number, ifu)), *stars)
    east, north = ERRORS[number, ifu]
    cube = make_cube(
        shape=SHAPE,
        stars=list(zip(*at, flux, strict=True)),
        sigma=0.1,
        seed=100 * number + ifu,
        wcs=shift_wcs(right_wcs((number, ifu)), -east, -north),
        name=f"field{number}{ifu}",
        ifu=ifu,
    )
    return Arm(number=ifu, name=cube.name, original=ifu, cube=cube)


def test_fields_of_a_mosaic_are_solved_together(mosaic):
    rows = measure_exposures(mosaic)
    assert [(row.exposure, row.ifu) for row in rows] == list(PLACES)
    assert all(row.accepted for row in rows)
    # the headers of the reference exposure are right on average
    zero = np.mean([ERRORS[0, 3], ERRORS[0, 12]], axis=0)
    for row in rows:
        expected = ERRORS[row.exposure, row.ifu] - zero
        # a tenth of a spaxel: of each field two halves, or so, are seen by others
        assert (row.dra_arcsec, row.ddec_arcsec) == pytest.approx(expected, abs=0.02)
        assert 0 < row.err_arcsec < 0.02
        assert "2 of 2 pairs agree" in row.note


def test_neighbours_fall_on_each_other_then(mosaic):
    rows = {(row.exposure, row.ifu): row for row in measure_exposures(mosaic)}
    for first, second in (((0, 3), (1, 3)), ((1, 12), (0, 12))):
        places = []
        for key in (first, second):
            cube = mosaic[key[0]].cube(key[1])
            moved = shift_wcs(cube.wcs, rows[key].dra_arcsec, rows[key].ddec_arcsec)
            places.append(offset_arcsec(*pixel_to_sky(right_wcs(key), 6.0, 6.5), *pixel_to_sky(moved, 6.0, 6.5)))
        assert places[0] == pytest.approx(places[1], abs=0.02)


def test_targets_are_joined_where_their_fields_overlap(mosaic):
    targets = targets_of(mosaic, 0, None)
    assert [len(visits) for visits in targets] == [1, 1, 1, 1]
    (together,) = mosaics_of(targets, min_overlap=0.3)
    assert [(number, cube.ifu) for number, cube in together] == list(PLACES)
    assert mosaics_of(targets, min_overlap=0.8) == targets
    far = [
        [(number, dataclasses.replace(cube, wcs=shift_wcs(cube.wcs, 20.0 * place, 0.0))) for number, cube in visits]
        for place, visits in enumerate(targets)
    ]
    assert mosaics_of(far, min_overlap=0.3) == far
