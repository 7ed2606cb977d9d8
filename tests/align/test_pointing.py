"""What the IFUs of an exposure have in common."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.align.pointing import common_pointings
from napari_kmos.offset import Offset

TELESCOPE = (0.42, -0.31)


def row(exposure, ifu, offset, *, err=0.01, accepted=True):
    return Offset(
        exposure=exposure,
        file="",
        ifu=ifu,
        dra_arcsec=float(offset[0]),
        ddec_arcsec=float(offset[1]),
        err_arcsec=err,
        method="correlation",
        accepted=accepted,
    )


def test_pointing_is_found_among_wrong_rows_and_its_scatter_is_that_of_the_arms():
    rng = np.random.default_rng(1)
    offsets = TELESCOPE + 0.2 * rng.standard_normal((20, 2))
    rows = [row(1, number, offset) for number, offset in enumerate(offsets)]
    rows += [row(1, 21, (-2.0, 2.0)), row(1, 22, (3.0, 3.0), accepted=False), row(0, 1, (0.0, 0.0), err=0.0)]
    found = common_pointings(rows, arm_error_arcsec=0.25)
    assert list(found) == [1]
    pointing = found[1]
    assert pointing.number == 21
    assert (pointing.dra_arcsec, pointing.ddec_arcsec) == pytest.approx(TELESCOPE, abs=0.12)
    assert pointing.scatter_arcsec == pytest.approx(0.2, rel=0.3)
    assert [one.ifu for one in rows if one.exposure == 1 and one.accepted and pointing.is_far(one)] == [21]


def test_few_ifus_are_drawn_to_what_arms_are_trusted_to():
    rows = [row(2, ifu, TELESCOPE) for ifu in (1, 2, 3)]
    assert common_pointings(rows[:2], arm_error_arcsec=0.25) == {}
    assert common_pointings(rows, arm_error_arcsec=0.25)[2].scatter_arcsec == pytest.approx(0.25 / np.sqrt(2))
