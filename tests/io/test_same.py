"""What differs between two files is told, and what is within rounding is not."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from napari_kmos.io import differences, write_table


def _put(path, data, **cards):
    header = fits.Header({"DATE": "2026-01-01", **cards})
    fits.HDUList([fits.PrimaryHDU(header=header), fits.ImageHDU(data, name="GC.DATA")]).writeto(path, overwrite=True)
    return path


@pytest.fixture
def cube():
    values = np.random.default_rng(1).normal(size=(5, 3, 4)).astype(np.float32)
    values[2, 1, 1] = np.nan
    return values


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda cube: cube * (1 + 2e-7), []),  # rounding of float32
        (lambda cube: np.where(np.isnan(cube), 0, cube), ["GC.DATA: 1 of 60 values differ"]),
        (lambda cube: cube + 0.5 * (np.arange(4) == 2), ["GC.DATA: 15 of 60 values differ, by up to 0.5"]),
        (lambda cube: cube[:, :, :3], ["GC.DATA: NAXIS1 is '3', was '4'", "GC.DATA: shape (5, 3, 3), was (5, 3, 4)"]),
    ],
)
def test_pixels(change, told, cube, tmp_path):
    old, new = _put(tmp_path / "old.fits", cube), _put(tmp_path / "new.fits", change(cube).astype(np.float32))
    found = differences(new, old, tolerance=1e-6)
    assert [text[: len(start)] for text, start in zip(found, told, strict=True)] == told


def test_header_but_for_dates(cube, tmp_path):
    old = _put(tmp_path / "old.fits", cube, GAIN=1.5, OBJECT="GC")
    new = _put(tmp_path / "new.fits", cube, GAIN=1.5 + 1e-8, OBJECT="M31", DATE="2026-02-02", ADDED=1)
    assert differences(new, old, tolerance=1e-6) == ["PRIMARY: OBJECT is 'M31', was 'GC'", "PRIMARY: ADDED is new"]


def test_tables_row_by_row(tmp_path):
    def put(name, value, file):
        table = Table({"id": ["a", "b"], "snr": [1.0, value], "file": ["x.fits", file], "seconds": [value, 1.0]})
        return write_table(table, tmp_path / name)

    old = put("old.ecsv", np.nan, "../night/y.fits")
    assert differences(put("same.ecsv", np.nan, "/moved/y.fits"), old, tolerance=1e-6) == []
    told = differences(put("new.ecsv", 2.0, "/moved/z.fits"), old, tolerance=1e-6)
    assert told[0] == "column snr: 1 rows differ; row 2 is 2.0, was nan"
    assert told[1].startswith("column file: 1 rows differ; row 2 is /moved/z.fits")


def test_text_word_by_word(tmp_path):
    for name, text in (
        ("old.txt", "a 1.0\n/x/b.fits 2"),
        ("same.txt", "a 1.00000001\n/y/b.fits 2"),
        ("new.txt", "a 1"),
    ):
        (tmp_path / name).write_text(text)
    old = tmp_path / "old.txt"
    assert differences(tmp_path / "same.txt", old, tolerance=1e-6) == []
    assert differences(tmp_path / "new.txt", old, tolerance=1e-6) == ["line 2: '', was '/x/b.fits 2'"]
