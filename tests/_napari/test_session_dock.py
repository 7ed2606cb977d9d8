"""The dock *Session*: what was done as a list to go back in, sessions opened and offered, plan and script written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import decided
import napari
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_kmos._napari.keeper import keeper_of
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.restoring import session_reader
from napari_kmos._napari.session import log_of, session_of
from napari_kmos._napari.widgets.align import AlignDock
from napari_kmos._napari.widgets.session import SessionDock
from napari_kmos.io.session_file import read_session

if TYPE_CHECKING:
    from napari.viewer import Viewer
    from pytestqt.qtbot import QtBot

pytestmark = pytest.mark.viewer


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def open_viewer() -> Iterator[Callable[[], Viewer]]:
    viewers = []

    def make() -> Viewer:
        viewers.append(napari.Viewer(show=False))
        return viewers[-1]

    yield make
    for viewer in viewers:
        viewer.close()


def texts(dock: SessionDock) -> list[str]:
    return [dock.list.item(row).text() for row in range(dock.list.count())]


def word_of(dock: AlignDock) -> str:
    return dock.table.item(1, 0).text()


def add(viewer: Viewer, dock: SessionDock | AlignDock) -> None:
    viewer.window.add_dock_widget(dock, area="right")
    viewer.show()


def test_actions_of_all_docks_are_one_list_and_a_crash_loses_nothing(
    open_viewer: Callable[[], Viewer], qtbot: QtBot, pair_of_files: tuple[Path, Path], tmp_path: Path
):
    viewer = open_viewer()
    for path in pair_of_files:
        add_file(viewer, path)
    session, (_, second) = session_of(viewer), viewer.layers
    align, dock = AlignDock(viewer), SessionDock(viewer)
    add(viewer, dock)
    add(viewer, align)
    qtbot.waitUntil(lambda: align.is_seen and dock.is_seen)
    session.velocity_kms = 30.0
    align.choose(*viewer.layers)
    align.bench.move(align.pair.identity, 0.3, -0.1)
    align.accept()
    assert texts(dock) == [
        "as it was at first",
        "velocity of the marks: 30",
        "Moved exposure 1 IFU 5 star5",
        "Accepted exposure 1 IFU 5 star5",
    ]
    dock.list.itemClicked.emit(dock.list.item(1))
    assert (session.velocity_kms, offset_of(second)) == (30.0, pytest.approx((0, 0), abs=1e-9))
    assert dock.list.currentRow() == 1
    assert word_of(align) != "accepted"
    QTest.keyClick(dock, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.velocity_kms == 0.0
    assert not dock.undo_button.isEnabled()
    for _ in range(3):
        dock.redo_button.click()
    assert offset_of(second) == pytest.approx((0.3, -0.1), abs=1e-6)
    assert word_of(align) == "accepted"
    qtbot.waitUntil(lambda: dock.keeper.place is not None)
    assert dock.place.text() == f"Kept in {dock.keeper.place.name}"
    dock.write_script(tmp_path / "night.py")
    assert "IFU" in (tmp_path / "night.py").read_text()
    dock.save_copy(tmp_path / "copy_session.json")
    assert read_session(tmp_path / "copy_session.json").pid == 0
    dock.write_plan(tmp_path / "night.toml")
    qtbot.waitUntil(lambda: not dock.is_running)
    assert "are the same exposure" in dock.message.text()  # these two are no night
    place = dock.keeper.place
    qtbot.waitUntil(lambda: read_session(place).decisions["velocity_kms"] == 30.0)
    kept = place.read_text()
    viewer.close()
    assert read_session(place).pid == 0
    place.write_text(kept)
    decided.leave_open(place)

    again = open_viewer()
    dock = SessionDock(again)
    add(again, dock)
    assert not dock.offer.isVisible()
    with qtbot.waitSignal(dock.keeper.offered):
        add_file(again, pair_of_files[0])
    assert dock.offer.isVisible()
    dock.restore_button.click()
    assert not dock.offer.isVisible()
    assert session_of(again).velocity_kms == 30.0
    assert [offset_of(layer) for layer in again.layers] == [pytest.approx((0, 0)), pytest.approx((0.3, -0.1), abs=1e-6)]
    assert texts(dock)[1:] == [f"Restored {place.name}"]


def test_a_session_that_is_left_is_not_offered_again_and_can_be_opened(
    open_viewer: Callable[[], Viewer], qtbot: QtBot, pair_of_files: tuple[Path, Path]
):
    viewer = open_viewer()
    add_file(viewer, pair_of_files[0])
    keeper = keeper_of(viewer)
    session_of(viewer).velocity_kms = 30.0
    with qtbot.waitSignal(keeper.saved):
        pass
    qtbot.wait(500)  # until nothing more is written
    decided.leave_open(keeper.place)
    again = open_viewer()
    dock = SessionDock(again)
    add(again, dock)
    with qtbot.waitSignal(dock.keeper.offered):
        add_file(again, pair_of_files[0])
    dock.leave_button.click()
    assert not dock.offer.isVisible()
    assert not read_session(keeper.place).is_left_open
    assert log_of(again).actions == ()
    assert session_reader("night.json") is None
    assert session_reader(str(keeper.place))(str(keeper.place)) == [(None,)]
    assert session_of(again).velocity_kms == 30.0
