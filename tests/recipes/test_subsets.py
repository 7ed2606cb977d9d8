"""Subsets of exposures as users say them."""

from __future__ import annotations

from pathlib import Path

import pytest
from astropy.time import Time
from factories import make_cube

from napari_kmos.errors import KmosError
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.recipes.selecting import Member
from napari_kmos.recipes.subsets import Subsets

NAMES = (
    "KMOS.2013-06-30T23:48:17.fits",
    "KMOS.2013-07-01T00:10:00.fits",
    "b_half1.fits",
    "later/c.fits",
    "later/d.fits",
)
MJDS = (56473.99, 56474.01, 56474.05, 57000.1, 57000.2)
CUBE = make_cube(shape=(5, 4, 3))


def make_subsets(halves=(1, 1, 2, 1, 2)):
    members = []
    for name, mjd, half in zip(NAMES, MJDS, halves, strict=True):
        arms = (Arm(number=5, cube=CUBE),)
        exposure = Exposure(arms=arms, path=Path("night") / name, date=Time(mjd, format="mjd"))
        members.append(Member(exposure=exposure, cube=CUBE, half=half))
    return Subsets.of([one.exposure.path for one in members], members, ())


SUBSETS = make_subsets()


@pytest.mark.parametrize(
    ("text", "a", "b"),
    [
        ("half1:half2", {0, 1, 3}, {2, 4}),
        ("half1", {0, 1, 3}, {2, 4}),
        ("half1:all", {0, 1, 3}, {0, 1, 2, 3, 4}),
        ("epoch1:epoch2", {0, 1, 2}, {3, 4}),
        ("epoch2:rest", {3, 4}, {0, 1, 2}),
        ("rest:epoch2", {3, 4}, {0, 1, 2}),
        ("2013-06-30", {0, 1, 2}, {3, 4}),
        ("1,3-4", {0, 2, 3}, {1, 4}),
        ("1, 5:2", {0, 4}, {1}),
        ("c,d.fits", {3, 4}, {0, 1, 2}),
        ("KMOS*", {0, 1}, {2, 3, 4}),
        ("KMOS.2013-06-30T23:48:17.fits", {0}, {1, 2, 3, 4}),
        ("KMOS.2013-06-30T23:48:17:KMOS.2013-07-01T00:10:00.fits", {0}, {1}),
        ("without:2", {0, 2, 3, 4}, {0, 1, 2, 3, 4}),
        ("without:c.fits,d:epoch1", {0, 1, 2}, {0, 1, 2}),
        ("half2:without:KMOS.2013-06-30T23:48:17", {2, 4}, {1, 2, 3, 4}),
        ("without:half1:half1", {2, 4}, {0, 1, 3}),
        ("night/later/c.fits", {3}, {0, 1, 2, 4}),
    ],
)
def test_what_is_meant(text, a, b):
    first, second = SUBSETS.pair(text)
    assert (set(first.members), set(second.members)) == (a, b)


@pytest.mark.parametrize("text", ["", "nothing.fits", "half3", "half1:nothing", "9", ":", "without:", "1::2"])
def test_what_is_not_understood_is_told_with_what_there_is(text):
    with pytest.raises(KmosError, match=r"is no subset; there are all, rest, half1, half2, epoch1 \(2013-06-30\)"):
        SUBSETS.pair(text)


@pytest.mark.parametrize("text", ["all", "all:rest", "epoch3", "without:all"])
def test_subsets_that_hold_nothing(text):
    with pytest.raises(KmosError, match="no exposure is of this subset"):
        SUBSETS.pair(text)


def test_halves_that_nothing_tells():
    with pytest.raises(KmosError, match=r"half1: no exposure is of this subset; there are all, rest, epoch1"):
        make_subsets((None,) * 5).pair("half1:half2")


def test_files_of_a_subset():
    first, second = SUBSETS.pair("half1:2")
    assert (SUBSETS.files_of(first), SUBSETS.files_of(second)) == ({0, 1, 3}, {1})
