"""IFUs of an exposure help each other: where the others point is looked for what was not found."""

from __future__ import annotations

import dataclasses

import pytest
from factories import make_cube, make_wcs

from napari_kmos.align import AlignParameters
from napari_kmos.offset import Offset
from napari_kmos.recipes.align_jointly import solve_jointly
from napari_kmos.spatial.wcs import offset_between

TELESCOPE = (0.6, -0.5)
PARAMETERS = AlignParameters()


def row(exposure, ifu, offset=TELESCOPE, *, accepted=True, err=0.01, runner_up=None):
    return Offset(
        exposure=exposure,
        file="",
        ifu=ifu,
        dra_arcsec=offset[0],
        ddec_arcsec=offset[1],
        err_arcsec=err,
        method="correlation",
        accepted=accepted,
        note="told",
        runner_up=runner_up,
    )


@pytest.fixture
def night():
    """Targets of four IFUs in two exposures, the first of which is the reference."""
    cube = make_cube(wcs=make_wcs())
    targets = [[(number, dataclasses.replace(cube, ifu=ifu)) for number in (0, 1)] for ifu in (1, 2, 3, 4)]
    rows = [row(0, ifu, (0.0, 0.0), err=0.0) for ifu in (1, 2, 3, 4)] + [row(1, ifu) for ifu in (1, 2, 3, 4)]
    return rows, targets


def test_what_was_missed_is_looked_for_where_the_others_point(night):
    rows, targets = night
    rows[-1] = row(1, 4, (1.1, 1.1), accepted=False)
    asked = []

    def measure(visits, parameters):
        asked.append((visits, parameters))
        return [row(0, 4, (0.0, 0.0), err=0.0), row(1, 4, (0.02, -0.01), runner_up=(0.3, 0.3))]

    found = solve_jointly(rows, targets, measure, PARAMETERS)
    ((visits, parameters),) = asked
    assert [cube.ifu for _, cube in visits] == [4, 4]
    steps = [offset_between(make_wcs(), cube.wcs) for _, cube in visits]
    assert steps == [pytest.approx((0, 0), abs=1e-6), pytest.approx(TELESCOPE, abs=1e-4)]
    assert parameters.pointing_error_arcsec < PARAMETERS.pointing_error_arcsec
    assert found[:-1] == rows[:-1]
    assert (found[-1].dra_arcsec, found[-1].ddec_arcsec) == pytest.approx((0.62, -0.51))
    assert found[-1].runner_up == pytest.approx((0.9, -0.2))
    assert found[-1].accepted
    assert "where 3 IFUs point" in found[-1].note


def test_what_contradicts_the_others_is_accepted_no_more(night):
    rows, targets = night
    rows[-1] = row(1, 4, (-1.6, 1.5))
    found = solve_jointly(rows, targets, lambda visits, parameters: [row(1, 4, (5.0, 5.0))], PARAMETERS)
    assert not found[-1].accepted
    assert found[-1].note.startswith("no match: 4 IFUs of the exposure point to +0.60 -0.50 arcsec")
    assert (found[-1].dra_arcsec, found[-1].ddec_arcsec) == (-1.6, 1.5)
    assert all(one.accepted for one in found[:-1])


def test_what_is_against_another_exposure_is_not_compared_with_the_pointing_of_the_others(night):
    rows, targets = night
    # the reference has no data of the last target, and the exposure that it is against points elsewhere
    rows[-1] = dataclasses.replace(row(1, 4, (-1.6, 1.5)), against="exp2.fits")
    assert solve_jointly(rows, targets, lambda visits, parameters: [], PARAMETERS) == rows
