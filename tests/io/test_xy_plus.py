"""Shifts found by eye, in the files of those who found them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import XyPlus, is_xy_plus, read_xy_plus


def test_files_as_numpy_writes_them(tmp_path):
    path = tmp_path / "ifu7_half2_xy_plus.txt"
    np.savetxt(path, np.array([[-3, 12]]), fmt="%.0f", header="xp, yp")
    assert path.read_text() == "# xp, yp\n-3 12\n"
    assert read_xy_plus(path) == XyPlus(ifu=7, half=2, x=-3, y=12)
    whole = path.rename(tmp_path / "ifu24_xy_plus.txt")
    assert read_xy_plus(whole) == XyPlus(ifu=24, half=None, x=-3, y=12)
    assert is_xy_plus(whole)
    assert not is_xy_plus(tmp_path / "shifts_gc1.txt")


@pytest.mark.parametrize("name", ["ifu25_half1_xy_plus.txt", "ifu3_half3_xy_plus.txt", "ifu0_xy_plus.txt", "notes.txt"])
def test_names_that_tell_no_ifu(tmp_path, name):
    path = tmp_path / name
    path.write_text("1 2\n")
    with pytest.raises(KmosError, match=r"tells no IFU and half; expected ifu<1 to 24>_half<1 or 2>_xy_plus\.txt"):
        read_xy_plus(path)


@pytest.mark.parametrize("text", ["", "# xp, yp\n", "1\n", "1 2\n3 4\n", "1 2 3\n", "one two\n", "nan 1\n"])
def test_what_is_not_two_numbers(tmp_path, text):
    path = tmp_path / "ifu3_half1_xy_plus.txt"
    path.write_text(text)
    with pytest.raises(KmosError, match=r"ifu3_half1_xy_plus\.txt: expected one line of two numbers"):
        read_xy_plus(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NotKmosError, match="cannot be read"):
        read_xy_plus(tmp_path / "ifu3_half1_xy_plus.txt")
