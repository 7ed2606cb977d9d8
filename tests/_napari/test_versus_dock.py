"""Subsets compared in the dock: check marks, buttons, the layer of the difference, and what is used again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from dithered_files import Visit, write_visits
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from superqt import QCollapsible

from napari_kmos._napari.versus import VERSUS
from napari_kmos._napari.widgets.combine import CombineDock
from napari_kmos.combine.stack import Layer

pytestmark = pytest.mark.viewer

WAIT_MS = 20_000
VISITS = tuple(Visit(dither=dither) for dither in ((0.02, -0.03), (0.12, -0.11), (-0.06, 0.08), (0.05, 0.04)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return tuple(write_visits(tmp_path_factory.mktemp("night"), VISITS))


@pytest.fixture
def dock(
    make_napari_viewer: Callable[..., Viewer], qtbot: QtBot, files: tuple[Path, ...], tmp_path: Path
) -> Iterator[CombineDock]:
    viewer = make_napari_viewer(show=True)
    dock = CombineDock(viewer)
    viewer.window.add_dock_widget(dock, area="right")
    dock.session.inputs = files
    dock.session.out_dir = tmp_path / "out"
    dock.what.setCurrentText("one target")
    dock.which.setText("gc1")
    next(one for one in dock.findChildren(QCollapsible) if one.text() == "Compare subsets").expand(animate=False)
    qtbot.wait(50)
    yield dock
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)


def wait(dock: CombineDock, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)


def mark(dock: CombineDock, marks: str) -> None:
    """Mark the exposures: A, B, both or neither."""
    for row, sides in enumerate(marks.split()):
        for column, side in enumerate("AB"):
            state = Qt.CheckState.Checked if side in sides else Qt.CheckState.Unchecked
            dock.versus.table.item(row, column).setCheckState(state)


def test_check_marks_make_two_subsets_and_a_layer(dock: CombineDock, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch):
    table = dock.versus.table
    assert table.subsets() == "all:all"
    dock.versus.compare.click()
    wait(dock, qtbot)
    assert "no target has exposures in both subsets, and different ones" in dock.message.text()
    mark(dock, "A A B B")
    dock.versus.compare.click()
    wait(dock, qtbot)
    (layer,) = dock.viewer.layers
    assert layer.metadata[VERSUS] == "gc1"
    assert layer.name == "gc1: 1,2 - 3,4 in sigma"
    low, high = layer.contrast_limits
    assert low == -high
    assert dock.versus.rows.item(0, 3).text() == "4"
    assert "1,2 instead of 3,4" in dock.versus.line.text()
    monkeypatch.setattr(Layer, "read", None)  # nothing is read, nothing is resampled again
    mark(dock, "AB AB B -")
    dock.versus.compare.click()
    wait(dock, qtbot)
    assert list(dock.viewer.layers) == [layer]
    assert layer.name == "gc1: 1,2 - 1,2,3 in sigma"
    assert dock.versus.rows.item(0, 3).text() == "3"
    assert np.isfinite(layer.data).sum() > 100


def test_buttons_for_usual_subsets(dock: CombineDock, qtbot: QtBot):
    dock.versus.drop.click()
    assert "Select the exposures" in dock.versus.line.text()
    dock.versus.table.selectRow(2)
    dock.versus.drop.click()
    wait(dock, qtbot)
    assert dock.versus.table.subsets() == "1,2,4:all"
    dock.versus.epochs.click()
    wait(dock, qtbot)
    assert dock.versus.table.subsets() == "1:2"
    dock.versus.halves.click()
    wait(dock, qtbot)
    assert "half1: no exposure is of this subset" in dock.message.text()
    assert dock.versus.table.subsets() == "1:2"


def test_a_comparison_is_written_on_request(dock: CombineDock, qtbot: QtBot):
    dock.versus.write.click()
    wait(dock, qtbot)
    assert "nothing is compared yet" in dock.message.text()
    mark(dock, "A B B B")
    dock.versus.compare.click()
    wait(dock, qtbot)
    dock.versus.write.click()
    wait(dock, qtbot)
    assert (dock.session.out_dir / "VERSUS_gc1_1_2_3_4.png").is_file()


def test_marks_stay_with_their_exposures(dock: CombineDock, qtbot: QtBot, files: tuple[Path, ...]):
    mark(dock, "A B A B")
    dock.session.inputs = (*files[1:], files[0])
    assert dock.versus.table.subsets() == "2,4:1,3"
    dock.session.inputs = files[:1]
    dock.versus.compare.click()
    wait(dock, qtbot)
    assert "1 exposures to compare: add more" in dock.message.text()
