"""Offset tables: what is written is read back, and odd tables are refused by name."""

from __future__ import annotations

import dataclasses

import pytest
from astropy import units as u
from astropy.table import Table

from napari_kmos.errors import AlignmentError, NotKmosError, WriteError
from napari_kmos.io.offsets import read_offsets, write_offsets
from napari_kmos.offset import Offset

ROWS = (
    Offset(
        exposure=0, file="a.fits", ifu=3, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0.25, method="header", epoch="p105"
    ),
    Offset(
        exposure=1,
        file="ob/b.fits",
        ifu=None,
        dra_arcsec=-0.12345,
        ddec_arcsec=0.2,
        err_arcsec=0.01,
        method="by hand, twice",
        accepted=False,
        note='runner-up at +1.2", "close"',
        half=2,
        score=12.34,
        margin=2.5,
        runner_up=(-0.5, 0.25),
        decision="skipped",
        against="truth.csv",
    ),
)


def test_rows_survive_the_file(tmp_path):
    path = write_offsets(ROWS, tmp_path / "offsets.ecsv")
    assert read_offsets(path) == ROWS


def test_columns_are_those_of_the_contract(tmp_path):
    table = Table.read(write_offsets(ROWS[:1], tmp_path / "offsets.ecsv"))
    angles = ["dra_arcsec", "ddec_arcsec", "err_arcsec"]
    assert table.colnames == ["exposure", "file", "ifu", *angles, "method", "accepted", "note", "epoch"]
    assert table["dra_arcsec"].unit == u.arcsec


def test_rotations_are_columns_only_where_there_are_some(tmp_path):
    turned = dataclasses.replace(ROWS[1], rotation_deg=-0.3, rotation_err_deg=0.05)
    rows = (*ROWS, turned, dataclasses.replace(turned, rotation_err_deg=None))
    path = write_offsets(rows, tmp_path / "offsets.ecsv")
    assert read_offsets(path) == rows
    table = Table.read(path)
    assert table.colnames[-2:] == ["rotation_deg", "rotation_err_deg"]
    assert table["rotation_deg"].unit == u.deg
    assert "about the centre of the pixels" in table.meta["comments"][1]
    table["rotation_deg"] = table["rotation_deg"].to(u.arcmin)
    table.write(tmp_path / "arcmin.ecsv")
    assert read_offsets(tmp_path / "arcmin.ecsv")[2].rotation_deg == pytest.approx(-0.3)


def test_unknown_decision_names_its_row(tmp_path):
    table = Table.read(write_offsets(ROWS, tmp_path / "offsets.ecsv"))
    table["decision"] = ["maybe", ""]
    table.write(tmp_path / "offsets.ecsv", overwrite=True)
    with pytest.raises(AlignmentError, match=r"row 1 .*decision is 'maybe', expected accepted, rejected, skipped"):
        read_offsets(tmp_path / "offsets.ecsv")


def test_table_by_hand_with_the_least_columns(tmp_path):
    table = Table({"exposure": [0], "file": ["a.fits"], "ifu": [7], "dra_arcsec": [1.0], "ddec_arcsec": [-1.0]})
    table.write(tmp_path / "hand.ecsv")
    (row,) = read_offsets(tmp_path / "hand.ecsv")
    assert (row.ifu, row.dra_arcsec, row.accepted, row.method) == (7, 1.0, True, "")


def test_other_angle_units_are_converted(tmp_path):
    table = Table({"exposure": [0], "file": ["a"], "ifu": [7], "dra_arcsec": [0.01] * u.arcmin, "ddec_arcsec": [0.5]})
    table.write(tmp_path / "hand.ecsv")
    (row,) = read_offsets(tmp_path / "hand.ecsv")
    assert row.dra_arcsec == pytest.approx(0.6)


@pytest.mark.parametrize(("text", "accepted"), [("true", True), ("False", False), ("no", False)])
def test_accepted_as_text(tmp_path, text, accepted):
    table = Table({"exposure": [0], "file": ["a"], "ifu": [7], "dra_arcsec": [0.0], "ddec_arcsec": [0.0]})
    table["accepted"] = [text]
    table.write(tmp_path / "hand.ecsv")
    assert read_offsets(tmp_path / "hand.ecsv")[0].accepted is accepted


def test_bad_cell_names_its_row(tmp_path):
    table = Table({"exposure": [0], "file": ["a"], "ifu": [7], "dra_arcsec": [0.0], "ddec_arcsec": [0.0]})
    table["accepted"] = ["perhaps"]
    table.write(tmp_path / "hand.ecsv")
    with pytest.raises(AlignmentError, match=r"row 1 .*'perhaps'"):
        read_offsets(tmp_path / "hand.ecsv")


def test_missing_columns_are_named(tmp_path):
    Table({"exposure": [0], "file": ["a"]}).write(tmp_path / "few.ecsv")
    with pytest.raises(AlignmentError, match="columns missing: ifu, dra_arcsec, ddec_arcsec"):
        read_offsets(tmp_path / "few.ecsv")


def test_no_table_at_all(tmp_path):
    (tmp_path / "text.ecsv").write_text("hello\n")
    with pytest.raises(NotKmosError, match="not an offset table"):
        read_offsets(tmp_path / "text.ecsv")
    with pytest.raises(NotKmosError, match="no such file"):
        read_offsets(tmp_path / "absent.ecsv")


def test_existing_table_is_kept(tmp_path):
    path = write_offsets(ROWS, tmp_path / "offsets.ecsv")
    with pytest.raises(WriteError, match="--overwrite"):
        write_offsets(ROWS[:1], path)
    assert len(read_offsets(path)) == 2
