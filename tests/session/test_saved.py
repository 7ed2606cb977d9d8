"""A session is saved and loaded whole: with files that moved, changed or are gone, and read-only folders."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import decided
import numpy as np
import pytest

from napari_kmos.errors import WriteError
from napari_kmos.io.session_file import known_file
from napari_kmos.session import Alignment, Session, decisions, kinds_of_decisions
from napari_kmos.session.saved import data_files, load, save


@pytest.fixture
def night(tmp_path: Path) -> Path:
    folder = tmp_path / "night"
    folder.mkdir()
    for number in range(5):
        (folder / f"exp{number}.fits").write_bytes(b"exposure %d" % number)
    return folder


def every_decision(folder: Path, seed: int = 1) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    nothing = decisions(Session())
    return {name: decided.make_decision(name, rng, folder, unlike=nothing[name]) for name in kinds_of_decisions()}


def saved(values: dict[str, Any], night: Path) -> Path:
    return save(values, [night / "kmos_1_session.json"], files=map(known_file, data_files(values)))


def test_every_decision_comes_back(night: Path):
    values = every_decision(night)
    found = load(saved(values, night))
    assert found.values == values
    assert (found.problems, found.missing, found.is_in_use) == ((), (), True)


def test_what_nobody_decided_is_not_written_and_comes_back_as_in_a_new_session(night: Path):
    values = {**decisions(Session()), "velocity_kms": 5.0}
    path = saved(values, night)
    assert json.loads(path.read_text())["decisions"] == {"velocity_kms": 5.0}
    assert load(path).values == values


def test_a_folder_that_moved_as_a_whole_is_the_same_session(night: Path, tmp_path: Path):
    values = every_decision(night)
    path = saved(values, night)
    there = Path(shutil.move(night, tmp_path / "elsewhere"))
    found = load(there / path.name)
    assert found.problems == ()
    assert found.values["files"] == tuple(there / one.name for one in values["files"])
    assert {Path(one.file).parent for one in found.values["alignment"].offsets} == {there}


def test_a_file_that_moved_is_asked_for_and_not_dropped(night: Path, tmp_path: Path):
    values = {**decisions(Session()), "files": (night / "exp1.fits", night / "exp2.fits"), "velocity_kms": 5.0}
    path = saved(values, night)
    there = Path(shutil.move(night / "exp1.fits", tmp_path / "exp1.fits"))
    asked = []
    found = load(path, ask=lambda name: asked.append(name))
    assert asked == [night / "exp1.fits"]
    assert found.missing == (night / "exp1.fits",)
    assert found.values == values
    assert found.problems == (f"exp1.fits: is not at {night / 'exp1.fits'}, and what was decided of it is kept",)
    found = load(path, ask=lambda _name: there)
    assert found.values["files"] == (there, night / "exp2.fits")
    assert found.problems == ()


def test_what_was_decided_of_a_file_that_is_another_now_is_in_doubt(night: Path):
    values = {**decisions(Session()), "files": (night / "exp1.fits",)}
    rng = np.random.default_rng(1)
    offsets = [decided.make_offset(rng, night) for _ in range(30)]
    values["alignment"] = Alignment(offsets=tuple(offsets))
    path = saved(values, night)
    os.utime(night / "exp1.fits", ns=(1, 1))
    assert load(path).problems == ()  # another date alone is no change
    (night / "exp1.fits").write_bytes(b"something")
    found = load(path)
    assert found.problems == ("exp1.fits: has changed since",)
    for before, now in zip(offsets, found.values["alignment"].offsets, strict=True):
        is_other = Path(before.file).name == "exp1.fits"
        assert (now.decision, now.dra_arcsec) == ("" if is_other else before.decision, before.dra_arcsec)
        assert ("has changed" in now.note) == is_other


@pytest.mark.parametrize("name", ["/etc/cron.d", "../../elsewhere", "/"])
def test_products_do_not_go_where_a_session_says_if_that_is_elsewhere(night: Path, name: str):
    path = saved({**decisions(Session()), "velocity_kms": 5.0}, night)
    content = json.loads(path.read_text())
    content["decisions"]["out_dir"] = name
    path.write_text(json.dumps(content))
    found = load(path)
    assert found.values["out_dir"] == Session().out_dir
    assert "choose the folder again" in found.problems[0]


def test_where_the_folder_cannot_be_written_to_another_place_is_taken(night: Path, tmp_path: Path):
    values = every_decision(night)
    (night / "kmos_session.json").mkdir()  # also root cannot write a file of this name
    place = tmp_path / "state" / "kmos_session.json"
    assert save(values, [night / "kmos_session.json", place]) == place
    assert load(place).values == {**values, "out_dir": Session().out_dir}  # products are asked for again
    with pytest.raises(WriteError, match=r"neither beside the data nor for the user: .*is a folder"):
        save(values, [night / "kmos_session.json"])
