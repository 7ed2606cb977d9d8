"""Offset tables that add up, and those that tell one measurement twice."""

from __future__ import annotations

import dataclasses

import pytest
from dithered_files import star_sky, true_rows, write_visits

from napari_kmos.aperture import Aperture
from napari_kmos.combine import CombineParameters
from napari_kmos.errors import KmosWarning
from napari_kmos.io import write_offsets
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.extract import extract
from napari_kmos.recipes.offset_tables import read_tables

USER = CombineParameters(method="user", cmethod="average")
SAID = r"a\.ecsv and .*b\.ecsv both move exp0\.fits IFU 3 and 5 more: .*given twice; give one of the tables, unless"


def test_one_measurement_in_two_tables_is_told(tmp_path):
    files = write_visits(tmp_path)
    tables = [write_offsets(true_rows(), tmp_path / f"{name}.ecsv") for name in "ab"]
    with pytest.warns(KmosWarning, match=SAID):
        combine(files, tmp_path / "c", offsets=tables, name="gc1", parameters=USER)
    ra, dec = star_sky("gc1")
    star = Aperture(id="1", ra=ra, dec=dec, radius_arcsec=0.4)
    with pytest.warns(KmosWarning, match=SAID):
        extract(files, [star], tmp_path / "s", offsets=tables)


@pytest.mark.parametrize(
    "facts",
    [
        {"file": "", "epoch": "2020-05-31"},
        {"file": "other.fits"},
        {"ifu": 4},
        {"half": 2},
        {"accepted": False},
        {"dra_arcsec": 0.0, "ddec_arcsec": 0.0},
    ],
    ids=["all of an epoch", "another file", "another IFU", "the other half", "not accepted", "zero"],
)
def test_tables_for_different_things_add_up(tmp_path, facts):
    row = dataclasses.replace(true_rows()[0], half=1)
    tables = [
        write_offsets([row], tmp_path / "a.ecsv"),
        write_offsets([dataclasses.replace(row, **facts)], tmp_path / "b.ecsv"),
    ]
    assert [len(rows) for rows in read_tables(tables)] == [1, 1]  # and no warning
