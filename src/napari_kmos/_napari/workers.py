"""Long work in threads: with progress, and with a way to stop it.

Plain threads: napari's workers change the warning filters of the process from their own threads, and two that overlap
leave each other's behind.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from qtpy.QtCore import QObject, Signal

from napari_kmos._napari.errors import quiet, warnings_shown
from napari_kmos.progress import Cancelled, Progress

#: An answer that takes longer is not waited for once there is a newer question.
_QUICK_S = 0.2
#: But after one that was given up the next one may take so long: else a hand that moves on would never see any.
_PATIENT_S = 2.0
#: One that takes longer tells how far it is.
_SLOW_S = 1.0
#: Python waits so long for threads when it ends: one that runs on while modules are taken apart is a fault of memory.
_LAST_S = 10.0

#: What has not returned yet: kept, since who asked may be gone by then, and Qt's objects must not end in a thread.
_at_work: set[QObject] = set()
#: Python ends, and Qt's objects with it, though threads may still work.
_is_over = threading.Event()
_telling = threading.Lock()
_threads: WeakSet[threading.Thread] = WeakSet()


class Task(QObject):
    """A function with a ``progress`` parameter, run in a thread; signals arrive in the thread of the window.

    Parameters
    ----------
    function : callable
        Called with ``progress=``; progress raises `Cancelled` in it once `cancel` was called.
    *args, **arguments
        Passed on.
    """

    progressed = Signal(int, int, str)
    succeeded = Signal(object)
    failed = Signal(object)
    ended = Signal()
    _returned = Signal(object)

    def __init__(self, function: Callable[..., Any], /, *args: Any, **arguments: Any) -> None:
        super().__init__()
        self._call = lambda: function(*args, progress=self._report, **arguments)
        self._stop = threading.Event()
        self._returned.connect(self._on_returned)

    def start(self) -> None:
        """Begin; call it in the thread of the window."""
        _at_work.add(self)
        warnings_shown.begin()
        _in_thread(self._call, self._returned)

    def cancel(self) -> None:
        """Stop at the next progress report; products not yet complete are removed by the step itself."""
        self._stop.set()

    def _report(self, done: int, total: int, text: str) -> None:
        """Pass progress on; in the thread."""
        if self._stop.is_set() or _is_over.is_set():
            raise Cancelled
        tell(self.progressed, done, total, text)

    def _on_returned(self, answer: tuple[Any, BaseException | None]) -> None:
        """Tell how it ended; in the thread of the window."""
        warnings_shown.end()
        _at_work.discard(self)
        value, problem = answer
        if problem is None:
            self.succeeded.emit(value)
        else:
            self.failed.emit(problem)
        self.ended.emit()


class Latest(QObject):
    """Answers the newest of many requests: while one is computed, only the last one asked for waits.

    A computation that is quick is finished, so that the answers follow a hand that moves on all the time; a slow one
    that was asked for anew is given up at its next progress report, and of it nothing is told, unless the one before it
    was given up, too.

    Warnings are not shown: what is asked for many times a second would bury the user; results carry their notes.
    """

    ready = Signal(object)
    failed = Signal(object)
    #: What is done now, if it takes long.
    progressed = Signal(str)
    _returned = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._running = self._gave_up = False
        self._waiting: Callable[[Progress], Any] | None = None
        self._began = 0.0
        self._returned.connect(self._on_returned)

    def request(self, call: Callable[[Progress], Any]) -> None:
        """Ask for ``call(progress)``; its result comes by ``ready``, its exception by ``failed``."""
        if self._running:
            self._waiting = call
            return
        self._running = True
        self._began = time.monotonic()
        _at_work.add(self)
        warnings_shown.begin()
        _in_thread(lambda: call(self._report), self._returned, without_warnings=True)

    def _report(self, done: int, total: int, text: str) -> None:
        """Give up what takes long and is no longer wanted, else tell of it; in the thread."""
        seconds = time.monotonic() - self._began
        longest = _PATIENT_S if self._gave_up else _QUICK_S
        if _is_over.is_set() or (self._waiting is not None and seconds > longest):
            raise Cancelled
        if seconds > _SLOW_S:
            tell(self.progressed, text)

    def _on_returned(self, answer: tuple[Any, BaseException | None]) -> None:
        """Hand the answer on and begin what waits."""
        warnings_shown.end()
        _at_work.discard(self)
        self._running = False
        value, problem = answer
        self._gave_up = isinstance(problem, Cancelled)
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self.request(waiting)
        elif problem is not None:
            self.failed.emit(problem)
        if problem is None:
            self.ready.emit(value)


def begin_thread(call: Callable[[], object]) -> None:
    """Call in a thread; when Python ends, it is waited for."""
    thread = threading.Thread(target=call, daemon=True)
    _threads.add(thread)
    thread.start()


def _in_thread(call: Callable[[], Any], returned: Any, *, without_warnings: bool = False) -> None:
    """Call in a thread, and emit what came of it: the value, or the exception."""

    def run() -> None:
        quiet.thread = without_warnings
        try:
            answer = call(), None
        except (Exception, Cancelled) as err:  # noqa: BLE001 - told to the user by whoever asked
            answer = None, err
        tell(returned, answer)

    begin_thread(run)


def tell(signal: Any, *what: Any) -> None:
    """Emit a signal from a thread, as long as there is somebody to hear it."""
    with _telling:
        if not _is_over.is_set():
            signal.emit(*what)


@atexit.register
def _end() -> None:
    """Let no thread tell anything from now on, and wait for them.

    A signal of an object that Qt has deleted ends in a fault of memory.
    """
    with _telling:
        _is_over.set()
    latest = time.monotonic() + _LAST_S
    for thread in tuple(_threads):
        thread.join(max(latest - time.monotonic(), 0.0))
