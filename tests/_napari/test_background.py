"""The index of large cubes in the background, with an index that does nothing but wait."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from napari.components import ViewerModel
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot

from napari_kmos._napari import background
from napari_kmos._napari.background import Indexer, indexer_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.index_line import IndexLine
from napari_kmos.cube import Cube
from napari_kmos.errors import WriteError
from napari_kmos.progress import Cancelled, Progress

WAIT_MS = 10_000


class Index:
    """Stands for the index: takes until it is let, and may fail."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.done: list[str] = []
        self.let = threading.Event()
        self.problem: Exception | None = None

    def make(self, cube: Cube, *, progress: Progress) -> None:
        self.begun.append(cube.source)
        try:
            progress(1, 4, "copying spectra")
            while not self.let.wait(0.01):
                progress(1, 4, "copying spectra")
        except Cancelled:
            self.cancelled.append(cube.source)
            raise
        if self.problem is not None:
            raise self.problem
        self.done.append(cube.source)

    def is_made(self, cube: Cube) -> bool:
        return cube.source in self.done


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    made = Index()
    monkeypatch.setattr(background, "index", made.make)
    monkeypatch.setattr(background, "is_indexed", made.is_made)
    monkeypatch.setattr(background, "_LARGE_BYTES", 1000)
    monkeypatch.delenv("NAPARI_KMOS_CACHE_GIB", raising=False)
    return made


@pytest.fixture
def viewer(index: Index, exposure_file: Callable[..., Path]) -> ViewerModel:
    viewer = ViewerModel()
    add_file(viewer, exposure_file("a.fits", ifus=(5,)))
    add_file(viewer, exposure_file("b.fits", ifus=(7,)))
    return viewer


@pytest.fixture
def indexer(viewer: ViewerModel, index: Index, qtbot: QtBot) -> Iterator[Indexer]:
    indexer = indexer_of(viewer)
    assert indexer is indexer_of(viewer)
    indexer.join()
    yield indexer
    indexer.leave()
    qtbot.waitUntil(lambda: not indexer.is_running, timeout=WAIT_MS)


@pytest.fixture
def told() -> Iterator[list[str]]:
    texts: list[str] = []

    def on_told(one: object) -> None:
        texts.append(one.message)

    notification_manager.notification_ready.connect(on_told)
    yield texts
    notification_manager.notification_ready.disconnect(on_told)


def test_visible_large_cubes_are_indexed_one_after_the_other_the_topmost_first(
    viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot
):
    indexer.look()
    indexer.look()
    qtbot.waitUntil(lambda: indexer.done == 0.25, timeout=WAIT_MS)
    assert (index.begun, indexer.text) == (["b.fits[IFU.7.DATA]"], "copying spectra")
    index.let.set()
    qtbot.waitUntil(lambda: len(index.done) == 2 and not indexer.is_running, timeout=WAIT_MS)
    assert index.done == ["b.fits[IFU.7.DATA]", "a.fits[IFU.5.DATA]"]
    assert (indexer.done, indexer.text) == (0.0, "")


def test_hidden_cubes_small_cubes_and_those_that_have_an_index_are_left(
    viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    viewer.layers[0].visible = False
    index.done.append("b.fits[IFU.7.DATA]")
    indexer.look()
    qtbot.waitUntil(lambda: not indexer.is_running, timeout=WAIT_MS)
    monkeypatch.setattr(background, "_LARGE_BYTES", 10**9)
    viewer.layers[0].visible = True
    indexer.look()
    assert not indexer.is_running
    assert index.begun == []


def test_no_cache_no_index(indexer: Indexer, index: Index, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NAPARI_KMOS_CACHE_GIB", "0")
    indexer.look()
    assert not indexer.is_running


def test_what_was_cancelled_is_not_begun_again(viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot):
    viewer.layers[0].visible = False
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 1, timeout=WAIT_MS)
    indexer.cancel()
    qtbot.waitUntil(lambda: not indexer.is_running, timeout=WAIT_MS)
    indexer.look()
    assert not indexer.is_running
    assert index.cancelled == ["b.fits[IFU.7.DATA]"]


def test_a_cube_that_is_removed_is_not_worked_for_and_begun_anew_when_it_comes_back(
    viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot
):
    viewer.layers[0].visible = False
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 1, timeout=WAIT_MS)
    layer = viewer.layers.pop(1)
    qtbot.waitUntil(lambda: len(index.cancelled) == 1 and not indexer.is_running, timeout=WAIT_MS)
    viewer.add_layer(layer)
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 2, timeout=WAIT_MS)


def test_a_cube_whose_index_was_cancelled_is_begun_anew_when_it_is_opened_again(
    viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot
):
    viewer.layers[0].visible = False
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 1, timeout=WAIT_MS)
    indexer.cancel()
    qtbot.waitUntil(lambda: not indexer.is_running, timeout=WAIT_MS)
    viewer.add_layer(viewer.layers.pop(1))
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 2, timeout=WAIT_MS)


def test_the_last_dock_that_closes_ends_it_until_there_is_another(
    viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot
):
    indexer.join()
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 1, timeout=WAIT_MS)
    indexer.leave()
    assert not index.cancelled
    indexer.leave()
    qtbot.waitUntil(lambda: not indexer.is_running, timeout=WAIT_MS)
    indexer.look()
    assert len(index.begun) == len(index.cancelled) == 1
    indexer.join()
    indexer.look()
    qtbot.waitUntil(lambda: len(index.begun) == 2, timeout=WAIT_MS)
    assert index.begun[0] == index.begun[1]


def test_a_failure_is_said_once(viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot, told: list[str]):
    viewer.layers[0].visible = False
    index.problem = WriteError("the cache does not fit")
    index.let.set()
    for _ in range(3):
        indexer.look()
        qtbot.waitUntil(lambda: not indexer.is_running, timeout=WAIT_MS)
    assert told == ["the cache does not fit"]
    assert len(index.begun) == 1


def test_the_line_is_seen_while_it_lasts_and_its_button_ends_it(
    viewer: ViewerModel, indexer: Indexer, index: Index, qtbot: QtBot
):
    viewer.layers[0].visible = False
    line = IndexLine(viewer)
    qtbot.addWidget(line)
    assert line.isHidden()
    line.look()
    qtbot.waitUntil(lambda: not line.isHidden(), timeout=WAIT_MS)
    assert line.bar.value() / line.bar.maximum() == pytest.approx(0.25)
    line.stop.click()
    qtbot.waitUntil(line.isHidden, timeout=WAIT_MS)
    assert len(index.cancelled) == 1
