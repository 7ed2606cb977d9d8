"""What was decided in a viewer is on disk within a second, and comes back in another viewer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import decided
import pytest
from napari.components import ViewerModel

from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.keeper import Keeper, keeper_of
from napari_kmos._napari.points import read_points
from napari_kmos._napari.positions import layout_of, offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.restoring import restore
from napari_kmos._napari.session import log_of, session_of
from napari_kmos.errors import NotKmosError
from napari_kmos.io.session_file import ENDING
from napari_kmos.session import decisions, kinds_of_decisions

if TYPE_CHECKING:
    from pytestqt.qtbot import QtBot

#: A second on a quiet machine; others may be at work on it.
WITHIN_MS = 5000


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def open_viewer(*paths: Path) -> ViewerModel:
    viewer = ViewerModel()
    for path in paths:
        add_file(viewer, path)
    return viewer


def kept(keeper: Keeper) -> dict[str, Any]:
    return json.loads(keeper.place.read_text())["decisions"] if keeper.place else {}


def test_every_decision_is_kept_within_a_second_and_restored_in_one_step(
    qtbot: QtBot, pair_of_files: tuple[Path, Path]
):
    viewer = open_viewer(*pair_of_files)
    keeper = keeper_of(viewer)
    qtbot.wait(700)
    assert keeper.place is None  # nothing but files
    values = decided.decide_everything(session_of(viewer), pair_of_files[0].parent)
    assert offset_of(viewer.layers[1]) == pytest.approx((0.3, -0.1), abs=1e-6)
    with qtbot.waitSignal(keeper.saved, timeout=WITHIN_MS):
        pass
    assert keeper.place.parent == pair_of_files[0].parent
    assert set(kept(keeper)) == set(kinds_of_decisions()) - {"layout"}
    qtbot.waitUntil(lambda: all(one["sha256"] for one in json.loads(keeper.place.read_text())["files"] if one["size"]))
    keeper.close()

    again = open_viewer()
    before = decisions(session_of(again))
    problems = restore(again, keeper.place)
    assert [one for one in problems if "is not at" not in one] == []  # those that were made up are nowhere
    found = decisions(session_of(again))
    assert found == values
    assert offset_of(again.layers[1]) == pytest.approx((0.3, -0.1), abs=1e-6)
    (drawn,) = [one for one in read_points(again, values["apertures"]) if one.id == "1"]
    assert (drawn.ra, drawn.sky_side) == (pytest.approx(266.41, abs=1e-7), "left")
    assert [one.file for one in session_of(again).offsets] == ["second.fits"]
    log = log_of(again)
    assert [one.what for one in log.actions] == [f"Restored {keeper.place.name}"]
    log.undo()
    assert decisions(session_of(again), undone=True) == {name: before[name] for name in kinds_of_decisions(undone=True)}
    assert offset_of(again.layers[1]) == pytest.approx((0, 0), abs=1e-6)


def test_a_session_goes_on_in_its_file_unless_that_is_open_elsewhere(qtbot: QtBot, pair_of_files: tuple[Path, Path]):
    viewer = open_viewer(*pair_of_files)
    keeper = keeper_of(viewer)
    session_of(viewer).velocity_kms = 5.0
    with qtbot.waitSignal(keeper.saved):
        pass
    beside = open_viewer()
    (problem,) = restore(beside, keeper.place)
    assert "is open in another window" in problem
    assert session_of(beside).velocity_kms == 5.0
    keeper.close()
    later = open_viewer()
    assert restore(later, keeper.place) == ()
    session_of(later).velocity_kms = 7.0
    with qtbot.waitSignal(keeper_of(later).saved):
        pass
    qtbot.waitUntil(lambda: kept(keeper_of(later))["velocity_kms"] == 7.0)
    assert keeper_of(later).place == keeper.place


def test_the_contact_sheet_comes_back(qtbot: QtBot, exposure_file: Callable[..., Path]):
    viewer = open_viewer(exposure_file(ifus=(3, 5)))
    keeper = keeper_of(viewer)
    switch_layout(viewer)
    session_of(viewer).velocity_kms = 5.0
    with qtbot.waitSignal(keeper.saved):
        pass
    keeper.close()
    again = open_viewer()
    restore(again, keeper.place)
    assert layout_of(again) == layout_of(viewer) == session_of(again).layout == "sheet"


def test_after_a_crash_the_session_is_offered_when_one_of_its_files_is_opened(
    qtbot: QtBot, pair_of_files: tuple[Path, Path]
):
    viewer = open_viewer(*pair_of_files)
    keeper = keeper_of(viewer)
    session_of(viewer).velocity_kms = 5.0
    with qtbot.waitSignal(keeper.saved):
        pass
    decided.leave_open(keeper.place)
    again = ViewerModel()
    with qtbot.waitSignal(keeper_of(again).offered) as heard:
        add_file(again, pair_of_files[1])
    assert heard.args == [keeper.place]
    assert keeper_of(again).offer == keeper.place


def test_what_is_closed_with_its_layers_is_kept_as_it_was_before(qtbot: QtBot, pair_of_files: tuple[Path, Path]):
    viewer = open_viewer(*pair_of_files)
    keeper = keeper_of(viewer)
    session_of(viewer).velocity_kms = 5.0
    viewer.layers.clear()
    keeper.close()
    content = json.loads(keeper.place.read_text())
    assert len(content["decisions"]["files"]) == 2
    assert content["open_in"] is None
    qtbot.wait(500)
    assert json.loads(keeper.place.read_text()) == content


def test_what_cannot_be_restored_changes_nothing(qtbot: QtBot, pair_of_files: tuple[Path, Path], tmp_path: Path):
    viewer = open_viewer(*pair_of_files)
    before = decisions(session_of(viewer))
    path = tmp_path / f"new{ENDING}"
    path.write_text(json.dumps({"format": "napari-kmos session", "version": 99}))
    with pytest.raises(NotKmosError, match="version 99"):
        restore(viewer, path)
    assert decisions(session_of(viewer)) == before
