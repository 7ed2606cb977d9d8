"""Long work in threads: the newest request wins, what is cancelled stops, and the window goes on meanwhile."""

import threading
import time
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from napari_kmos._napari import workers
from napari_kmos._napari.workers import Latest, Task
from napari_kmos.progress import Cancelled, Progress

WAIT_MS = 10_000


class Slow:
    """A source that answers when it is let, and can be given up between two blocks."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.given_up: list[int] = []
        self.let = threading.Event()

    def reading(self, number: int) -> Callable[[Progress], int]:
        def read(progress: Progress) -> int:
            self.began.append(number)
            try:
                while not self.let.wait(0.01):
                    progress(0, 1, "a block of planes")
            except Cancelled:
                self.given_up.append(number)
                raise
            return number

        return read


@pytest.fixture
def answers(qtbot: QtBot) -> tuple[Latest, list[int], list[BaseException]]:
    latest, ready, failed = Latest(), [], []
    latest.ready.connect(ready.append)
    latest.failed.connect(failed.append)
    return latest, ready, failed


def test_a_slow_request_is_given_up_for_the_newest_and_those_between_never_begin(answers, qtbot: QtBot):
    latest, ready, failed = answers
    slow = Slow()
    for number in range(1, 6):
        latest.request(slow.reading(number))
    qtbot.waitUntil(lambda: slow.began == [1, 5], timeout=WAIT_MS)
    assert (slow.given_up, ready) == ([1], [])
    slow.let.set()
    qtbot.waitUntil(lambda: ready == [5], timeout=WAIT_MS)
    assert failed == []


def test_a_hand_that_moves_on_sees_every_second_of_slow_answers(answers, qtbot: QtBot):
    latest, ready, _ = answers
    slow = Slow()
    for number in range(1, 3):
        latest.request(slow.reading(number))
    qtbot.waitUntil(lambda: slow.began == [1, 2], timeout=WAIT_MS)
    latest.request(slow.reading(3))
    qtbot.wait(400)  # longer than a slow one lasts when there is a newer
    assert slow.given_up == [1]
    slow.let.set()
    qtbot.waitUntil(lambda: ready == [2, 3], timeout=WAIT_MS)


def test_a_request_that_nobody_overtakes_takes_as_long_as_it_takes(answers, qtbot: QtBot):
    latest, ready, _ = answers
    slow = Slow()
    latest.request(slow.reading(1))
    qtbot.wait(400)  # longer than a slow one lasts when there is a newer
    assert (slow.given_up, ready) == ([], [])
    slow.let.set()
    qtbot.waitUntil(lambda: ready == [1], timeout=WAIT_MS)


def test_a_request_that_takes_long_tells_what_it_does(answers, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch):
    """And a quick one does not, lest the window flickers."""
    latest, ready, _ = answers
    told: list[str] = []
    latest.progressed.connect(told.append)
    slow = Slow()
    latest.request(slow.reading(1))
    qtbot.wait(100)
    assert told == []
    monkeypatch.setattr(workers, "_SLOW_S", 0.05)
    qtbot.waitUntil(lambda: "a block of planes" in told, timeout=WAIT_MS)
    slow.let.set()
    qtbot.waitUntil(lambda: ready == [1], timeout=WAIT_MS)


def test_quick_answers_follow_the_hand_although_newer_ones_wait(answers, qtbot: QtBot):
    latest, ready, _ = answers
    first = threading.Event()

    def quick(progress: Progress) -> str:
        first.wait()
        progress(1, 1, "done")
        return "first"

    latest.request(quick)
    latest.request(lambda _: "second")
    latest.request(lambda _: "third")
    first.set()
    qtbot.waitUntil(lambda: len(ready) == 2, timeout=WAIT_MS)
    assert ready == ["first", "third"]


def test_the_window_is_not_held_up_by_a_request(answers, qtbot: QtBot):
    latest, ready, _ = answers
    slow = Slow()
    began = time.monotonic()
    for number in range(200):
        latest.request(slow.reading(number))
    assert time.monotonic() - began < 5  # each would last until it is let
    assert ready == []
    slow.let.set()
    qtbot.waitUntil(lambda: ready[-1:] == [199], timeout=WAIT_MS)


def test_what_fails_is_told_unless_it_is_overtaken(answers, qtbot: QtBot):
    latest, ready, failed = answers
    let = threading.Event()

    def wrong(_: Progress) -> None:
        let.wait()
        msg = "no such star"
        raise ValueError(msg)

    latest.request(wrong)
    latest.request(lambda _: "newer")
    let.set()
    qtbot.waitUntil(lambda: ready == ["newer"], timeout=WAIT_MS)
    assert failed == []
    latest.request(wrong)
    qtbot.waitUntil(lambda: len(failed) == 1, timeout=WAIT_MS)
    assert str(failed[0]) == "no such star"


def test_a_task_that_is_cancelled_ends_at_its_next_report(qtbot: QtBot):
    slow = Slow()
    task = Task(lambda *, progress: slow.reading(1)(progress))
    failed, ended = [], []
    task.failed.connect(failed.append)
    task.ended.connect(lambda: ended.append(True))
    task.start()
    task.cancel()
    qtbot.waitUntil(lambda: ended == [True], timeout=WAIT_MS)
    assert [type(problem) for problem in failed] == [Cancelled]


def test_a_task_that_nobody_holds_returns_in_the_thread_of_the_window(qtbot: QtBot):
    let, answers = threading.Event(), []

    def step(*, progress: Progress) -> bool:
        return let.wait(10)

    task = Task(step)
    task.succeeded.connect(lambda value: answers.append((value, threading.current_thread())))
    task.start()
    del task
    let.set()
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)
    assert answers == [(True, threading.main_thread())]
    qtbot.waitUntil(lambda: not workers._at_work, timeout=WAIT_MS)


def test_once_python_ends_nothing_is_told_and_work_stops(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch):
    """Signals of objects that Qt has deleted by then would end the process with a fault of memory."""
    monkeypatch.setattr(workers, "_is_over", threading.Event())
    slow, told = Slow(), []
    task = Task(lambda *, progress: slow.reading(1)(progress))
    task.ended.connect(lambda: told.append("ended"))
    task.start()
    qtbot.waitUntil(lambda: slow.began == [1], timeout=WAIT_MS)
    workers._end()
    qtbot.waitUntil(lambda: slow.given_up == [1], timeout=WAIT_MS)
    qtbot.wait(50)
    assert told == []
    workers._at_work.discard(task)
    workers.warnings_shown.end()
