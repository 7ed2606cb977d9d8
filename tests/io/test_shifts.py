"""Shift files and sets of frames in the form that the pipeline reads."""

from __future__ import annotations

import pytest

from napari_kmos.errors import KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import read_shifts, read_sof, write_shifts, write_sof


def test_two_columns_without_header(tmp_path):
    path = write_shifts([(1.25, -0.5), (-1e-9, 3)], tmp_path / "shifts.txt")
    assert path.read_text() == "1.2500 -0.5000\n0.0000 3.0000\n"
    with pytest.raises(WriteError, match="--overwrite"):
        write_shifts([], path)


def test_frames_with_their_tags(tmp_path):
    frames = [(tmp_path / "a.fits", "SINGLE_CUBES"), (tmp_path / "b.fits", "SKY_TWEAK"), (tmp_path / "c.fits", "")]
    lines = write_sof(frames, tmp_path / "frames.sof").read_text().splitlines()
    tags = ("SINGLE_CUBES", "SINGLE_CUBES", "SCI_RECONSTRUCTED")
    assert lines == [f"{path} {tag}" for (path, _), tag in zip(frames, tags, strict=True)]


def test_spaces_in_paths_are_warned_of(tmp_path):
    with pytest.warns(KmosWarning, match=r"my night/a\.fits: white space in a path, which esorex cannot read"):
        write_sof([(tmp_path / "my night/a.fits", "")], tmp_path / "frames.sof")


def test_shifts_come_back_as_they_were_written(tmp_path):
    moves = [(1.25, -0.5), (-13.0625, 3)]
    path = write_shifts(moves, tmp_path / "shifts.txt")
    assert read_shifts(path) == tuple(moves)
    path.write_text(f"# dx dy\n\n{path.read_text()}  # the last\n")
    assert read_shifts(path) == tuple(moves)


@pytest.mark.parametrize("text", ["1 2 3\n", "1\n", "dx dy\n1 2\n", "1 nan\n"])
def test_lines_that_are_not_two_numbers(tmp_path, text):
    path = tmp_path / "shifts.txt"
    path.write_text(text)
    with pytest.raises(KmosError, match=r"shifts\.txt, line 1: .*; expected a shift file: two numbers a line"):
        read_shifts(path)
    path.write_text("# nothing\n")
    with pytest.raises(KmosError, match=r"has no shift; expected a line a frame but the first"):
        read_shifts(path)


def test_sets_of_frames_come_back_in_their_order(tmp_path):
    frames = [(tmp_path / name, "SINGLE_CUBES") for name in ("b.fits", "a.fits")]
    path = write_sof(frames, tmp_path / "frames.sof")
    path.write_text(f"# mine\n{path.read_text()}\n{tmp_path}/sky.fits OH_SPEC\nnear.fits\n")
    assert read_sof(path) == (tmp_path / "b.fits", tmp_path / "a.fits", tmp_path / "near.fits")
    path.write_text(f"{tmp_path}/my night/a.fits COMMAND_LINE\n")
    assert read_sof(path) == (tmp_path / "my night/a.fits",)
    path.write_text("# nothing\n")
    with pytest.raises(NotKmosError, match=r"names no frame; expected a set of frames \(SOF\)"):
        read_sof(path)
