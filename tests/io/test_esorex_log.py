"""Logs of `kmos_combine`: what is a shift is read, whatever stands around it; what could mean two things is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import read_logged_shifts

HEAD = "19:13:39 [ INFO  ] kmos_combine: [tid=000] "
LOG = f"""\
Start time     : 2023-10-02T19:13:38
19:13:38 [ INFO  ] esorex: This is EsoRex, version 3.13.6. \xe9
{HEAD}Shifting the cubes in x: and in y: directions
{HEAD}[ob_1_tweak.fits, IFU 1] is the reference
{HEAD}[ob_1_tweak.fits, IFU 2] Shifts in x: -27.125 pix, in y:   0.000 pix
{HEAD}[ob_2 new.KMOS.2021-06-03T04:19:43.880.fits, IFU 24] Shifts in x:  405.000 pix, in y: -81.5 pix
"""


def _log(folder: Path, text: str) -> Path:
    file = folder / "esorex.log"
    file.write_text(text, encoding="latin-1")
    return file


def test_shifts_are_found_among_other_lines(tmp_path: Path):
    shifts = read_logged_shifts(_log(tmp_path, LOG))
    assert [(one.frame[:4], one.ifu, one.dx, one.dy) for one in shifts] == [
        ("ob_1", 2, -27.125, 0.0),
        ("ob_2", 24, 405.0, -81.5),
    ]
    assert shifts[0].mjd != shifts[0].mjd  # its name has no date
    assert shifts[1].mjd == pytest.approx(59368.180369, abs=1e-5)  # 2021-06-03T04:19:43.880
    assert len(read_logged_shifts(tmp_path)) == 2


@pytest.mark.parametrize(
    "line",
    [
        "[a.fits, IFU 7] Shifts in x: 1.5 pix, in y: -2.25 pix",
        "[a.fits,IFU  7] in x:1.5,in y:-2.25",
        "[IFU 7] shift in X = +1.5, in Y = -2.25e0",
        "x [tid=000] [ /data/a.fits , ifu 7 ] IN X: 1.5 pixels; IN Y: -2.25 pixels",
    ],
)
def test_spelling_does_not_matter(tmp_path: Path, line: str):
    (one,) = read_logged_shifts(_log(tmp_path, f"{line}\r\n"))
    assert (one.ifu, one.dx, one.dy) == (7, 1.5, -2.25)


def test_a_line_twice_is_one_and_two_runs_are_told(tmp_path: Path):
    line = f"{HEAD}[a.fits, IFU 7] Shifts in x: 1.5 pix, in y: 2.0 pix\n"
    assert len(read_logged_shifts(_log(tmp_path, line * 2))) == 1
    with pytest.raises(KmosError, match=r"line 3: a second shift for IFU 7 of a\.fits: \(9, 2\) after \(1\.5, 2\) pix"):
        read_logged_shifts(_log(tmp_path, line * 2 + line.replace("1.5", "9.0")))
    nameless = line.replace("a.fits, ", "")
    assert len(read_logged_shifts(_log(tmp_path, nameless * 2))) == 2  # two exposures, for all that is said


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("[a, IFU 25] in x: 1 pix, in y: 2 pix", "line 1: IFU 25; KMOS has IFUs 1 to 24"),
        ("[a, IFU 0] in x: 1 pix, in y: 2 pix", "IFU 0; KMOS"),
        ("[a, IFU 3] in x: **** pix, in y: 2 pix", r"IFU 3 in x is '\*\*\*\*'; expected lines such as"),
        ("[a, IFU 3] in x: nan pix, in y: 2 pix", "in x is 'nan'"),
        ("[a, IFU 3] in x: 1 pix,", "in y is ''"),
        ("[a, IFU 3] in x: 1 arcsec, in y: 2 arcsec", "in x is in arcsec"),
    ],
)
def test_a_shift_that_is_not_understood_is_told(tmp_path: Path, line: str, match: str):
    with pytest.raises(KmosError, match=match):
        read_logged_shifts(_log(tmp_path, f"{line}\n"))


def test_what_is_no_log_is_told(tmp_path: Path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotKmosError, match="no shift in it; expected lines such as"):
        read_logged_shifts(_log(tmp_path, "nothing\n"))
    with pytest.raises(NotKmosError, match=r"gone\.log: cannot be read"):
        read_logged_shifts(tmp_path / "gone.log")
    with pytest.raises(NotKmosError, match=r"esorex\.log: cannot be read"):
        read_logged_shifts(empty)
    with (tmp_path / "mosaic.fits").open("wb") as stream:
        stream.truncate(2**28 + 1)
    with pytest.raises(NotKmosError, match="too large for a log"):
        read_logged_shifts(tmp_path / "mosaic.fits")
