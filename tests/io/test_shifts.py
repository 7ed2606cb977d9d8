"""Shift files and sets of frames in the form that the pipeline reads."""

from __future__ import annotations

import pytest

from napari_kmos.errors import KmosWarning, WriteError
from napari_kmos.io import write_shifts, write_sof


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
