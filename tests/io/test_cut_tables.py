"""Tables of cuts: read as people write them, and what cannot be meant is told with its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import CutRow, read_cuts, write_cuts


def _table(folder: Path, text: str, name: str = "cuts.csv") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_a_table_is_read_as_it_was_written(tmp_path: Path):
    rows = (CutRow(ifu=3, half=1, x=-4, y=12, n_x=54, n_y=108), CutRow(ifu=24, x=7, y=1))
    file = write_cuts(rows, tmp_path / "cuts.ecsv")
    assert read_cuts(file) == rows
    assert "1-based as ds9 and FITS count" in file.read_text()
    plain = (CutRow(ifu=3, x=4, y=12),)
    assert read_cuts(write_cuts(plain, tmp_path / "plain.ecsv")) == plain


@pytest.mark.parametrize("text", ["ifu,x,y\n7,3,-4\n", "IFU X Y\n7 3 -4\n", "Y,note,x,ifu\n-4,a b,3.0,7\n"])
def test_spelling_order_and_format_do_not_matter(tmp_path: Path, text: str):
    name = "cuts.csv" if "," in text else "cuts.txt"
    assert read_cuts(_table(tmp_path, text, name)) == (CutRow(ifu=7, x=3, y=-4),)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("ifu,x\n7,3\n", "column y missing; expected ifu, x, y .* found ifu, x"),
        ("ifu,x,y\n", "has no row; expected one for each cut"),
        ("ifu,x,y\n7,3,4\n25,1,2\n", "row 2: ifu is 25; expected 1 to 24"),
        ("ifu,x,y\n7,nan,4\n", "row 1: x is nan; expected a whole number"),
        ("ifu,x,y\n7,,4\n", "row 1: x is missing"),
        ("ifu,x,y\n7,2.5,4\n", r"row 1: x is 2\.5; expected a whole number"),
        ("ifu,x,y\nseven,2,4\n", "row 1: ifu is seven; expected a whole number"),
        ("ifu,half,x,y\n7,3,2,4\n", "half is 3; expected 1, 2 or nothing"),
        ("ifu,x,y,n_x\n7,3,2,0\n", "n_x is 0; expected at least 1"),
        ("ifu,x,y,n_y\n7,3,2,40000\n", "n_y is 40000; expected at least 1, at most 32767"),
        ("ifu,x,y\n7,3,2\n8,1,1\n7,4,2\n", "rows 1 and 3 are both IFU 7; give each once"),
        ("ifu,half,x,y\n7,2,3,2\n7,2,3,2\n", "rows 1 and 2 are both IFU 7 half 2"),
        ("ifu,x,y\n" + "".join(f"{1 + n % 24},{n},1\n" for n in range(300)), "rows 1 and 25 are both IFU 1;"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, text: str, match: str):
    with pytest.raises(KmosError, match=match):
        read_cuts(_table(tmp_path, text))


def test_what_is_no_table_is_told(tmp_path: Path):
    with pytest.raises(NotKmosError, match="cannot be read as a table"):
        read_cuts(tmp_path / "gone.ecsv")
