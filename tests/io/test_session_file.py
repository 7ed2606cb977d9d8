"""Session files: written whole, found after a crash, read from other versions, told where they cannot be."""

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from napari_kmos.errors import NotKmosError
from napari_kmos.io.session_file import (
    ENDING,
    DataFile,
    SessionFile,
    close_session,
    found_again,
    is_the_same,
    known_file,
    left_open,
    new_places,
    read_session,
    write_session,
)


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "night" / "exp.fits"
    path.parent.mkdir()
    path.write_bytes(b"some data")
    return path


def written(data: Path, *, is_closed: bool = False) -> Path:
    content = SessionFile(decisions={"velocity_kms": 3.0, "snapping": "off"}, files=(known_file(data),))
    return write_session(content, new_places([data], datetime(2026, 5, 30, 22, tzinfo=UTC))[0], is_closed=is_closed)


def change(path: Path, **entries: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def of_a_process_that_ended() -> dict[str, Any]:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return {"host": socket.gethostname(), "pid": ended.pid}


def test_a_session_is_one_readable_file_beside_the_data_that_names_it_relatively(data: Path):
    path = written(data)
    assert path.parent == data.parent
    assert path.name == f"kmos_20260530-220000-{os.getpid()}{ENDING}"
    content = json.loads(path.read_text())
    assert list(content) == sorted(content)
    assert len(path.read_text().splitlines()) > 10
    (entry,) = content["files"]
    assert entry["path"] == "exp.fits"
    assert len(entry["sha256"]) == 64
    found = read_session(path)
    assert found.decisions == {"velocity_kms": 3.0, "snapping": "off"}
    assert found.files == (known_file(data),)
    assert set(data.parent.iterdir()) == {data, path}


def test_what_is_kept_for_the_user_is_found_until_it_is_closed(data: Path, state_folder: Path):
    place = new_places([data], datetime(2026, 5, 30, tzinfo=UTC))[1]
    assert place.is_relative_to(state_folder)
    write_session(SessionFile(decisions={}, files=(known_file(data),)), place)
    assert read_session(place).files[0].path == data
    change(place, open_in=of_a_process_that_ended())
    assert left_open([data]) == [place]
    close_session(place)
    assert left_open([data]) == []


def test_a_session_that_nobody_closed_is_found_by_its_files_the_newest_first(data: Path, tmp_path: Path):
    path = written(data)
    assert left_open([data]) == []  # it is open here
    change(path, open_in={"host": "another", "pid": os.getpid()})
    assert left_open([data]) == []  # nobody knows
    change(path, open_in=of_a_process_that_ended())
    older = path.with_name(f"older{ENDING}")
    shutil.copy(path, older)
    change(older, saved="2020-01-01T00:00:00")
    (data.parent / f"broken{ENDING}").write_text("{")
    assert left_open([data]) == [path, older]
    assert left_open([data.with_name("other.fits")]) == []
    written(data, is_closed=True)
    assert left_open([data]) == [older]


def test_a_moved_file_is_found_beside_the_session_by_its_content(data: Path, tmp_path: Path):
    known = known_file(data)
    assert found_again(known, tmp_path) == data
    there = Path(shutil.move(data, tmp_path / data.name))
    assert found_again(known, data.parent) is None
    os.utime(there, ns=(1, 1))
    assert found_again(known, tmp_path) == there
    there.write_bytes(b"other dat")
    assert found_again(known, tmp_path) is None
    assert not is_the_same(known, there)
    assert not is_the_same(DataFile(path=data), there)


def test_a_newer_version_is_refused_with_the_reason(data: Path):
    path = written(data)
    change(path, version=2)
    with pytest.raises(NotKmosError, match="is of version 2, and this program knows versions up to 1; open it with"):
        read_session(path)


def test_an_older_version_is_understood(data: Path):
    path = data.with_name(f"old{ENDING}")
    old = {"format": "napari-kmos session", "version": 0, "state": {"snapping": "off"}, "open_files": ["exp.fits"]}
    path.write_text(json.dumps(old))
    found = read_session(path)
    assert (found.decisions, found.files) == ({"snapping": "off"}, (DataFile(path=data),))
    assert not found.is_left_open


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"format": "another"}, "is no session of napari-kmos"),
        ({"version": "1"}, "is no session of napari-kmos"),
        ({"version": True}, "is no session of napari-kmos"),
        ({"version": -1}, "is of version -1"),
        ({"decisions": []}, "decisions is missing or damaged"),
        ({"files": None}, "files is missing or damaged"),
    ],
)
def test_what_is_no_session_is_told_in_a_line(data: Path, entries: dict[str, Any], told: str):
    path = written(data)
    change(path, **entries)
    with pytest.raises(NotKmosError, match=told):
        read_session(path)


def test_entries_of_files_that_make_no_sense_are_left_out(data: Path):
    path = written(data)
    odd = [5, {}, {"path": ""}, {"path": "a\x00"}, {"path": ["x"]}, {"path": "exp.fits", "size": "x", "sha256": 7}]
    change(path, files=odd, open_in={"host": 1, "pid": "x"})
    found = read_session(path)
    assert found.files == (DataFile(path=data),)
    assert not found.is_in_use
