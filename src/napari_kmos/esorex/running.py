"""Recipes as child processes: several at once, told of while they run, ended with all they started."""

from __future__ import annotations

import logging
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import EngineError
from napari_kmos.esorex.frames import RecipeRun, lay_out
from napari_kmos.esorex.messages import last_error, message_of
from napari_kmos.io import safe_name, temporary_beside
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from napari_kmos.esorex.program import Esorex

#: How long a recipe that is to end has before it is killed, and how often is asked how things are.
_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.1
_LOG = "esorex.log"
#: Gets every line that a recipe says, in the thread that reads it.
said_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that has ended; its folder is there until the next is asked for.

    Parameters
    ----------
    run : RecipeRun
        What was run.
    folder : Path
        Where.
    status : int
        Exit status; below zero the number of the signal that ended it.
    lines : tuple of str
        What it said on the terminal.
    """

    run: RecipeRun
    folder: Path
    status: int
    lines: tuple[str, ...]

    @property
    def products(self) -> tuple[Path, ...]:
        """FITS files that it made, by name."""
        files = (path for path in self.folder.iterdir() if path.suffix.lower() == ".fits")
        return tuple(sorted(path for path in files if not path.is_symlink()))

    @property
    def log(self) -> str:
        """The whole log; what was said on the terminal where there is none, or it cannot be read."""
        try:
            return (self.folder / _LOG).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "\n".join(self.lines) + "\n"

    @property
    def problem(self) -> str:
        """Why it failed: the last error of the log; empty if it did not."""
        if self.status == 0:
            return ""
        ending = (
            f"it ended by {_signal_name(-self.status)}" if self.status < 0 else f"it ended with status {self.status}"
        )
        return last_error(self.lines) or last_error(self.log.splitlines()) or ending


def run_recipes(
    esorex: Esorex, runs: Sequence[RecipeRun], parent: Path, *, jobs: int = 1, progress: Progress = silent
) -> Generator[FinishedRun]:
    """Run recipes, each in a folder of its own, and yield each when it has ended, failed ones too.

    Parameters
    ----------
    esorex : Esorex
        The program.
    runs : sequence of RecipeRun
        What to run.
    parent : Path
        Where the folders are made; each is removed again when the next run is asked for.
    jobs : int
        How many run at once, at most.
    progress : Progress
        Told the newest of what the recipes say; it may raise `Cancelled`. All of it goes to the logger of this module.

    Yields
    ------
    FinishedRun
        In the order in which they end.

    Raises
    ------
    EngineError
        If the program cannot be started.
    WriteError
        If a folder cannot be made.

    Notes
    -----
    When this ends, by whatever, so have all runs with the processes that they started, and their folders are gone.
    Close it (`contextlib.closing`) where not all is asked for.
    """
    waiting, running = deque(runs), list[_Child]()
    said: queue.SimpleQueue[tuple[_Child, str]] = queue.SimpleQueue()
    made: list[Path] = []
    text = f"starting {runs[0].recipe}" if runs else ""
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                made.append(temporary_beside(parent / safe_name(waiting[0].name)))
                running.append(_start(esorex, waiting.popleft(), made[-1], said))
            progress(len(runs) - len(waiting) - len(running), len(runs), text)
            text = _newest(said) or text
            for child in [one for one in running if one.process.poll() is not None]:
                running.remove(child)
                yield child.finished()
                shutil.rmtree(child.folder, ignore_errors=True)
    finally:
        _stop_all(running)
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Child:
    """A recipe that runs."""

    run: RecipeRun
    folder: Path
    process: subprocess.Popen[str]
    said: queue.SimpleQueue[tuple[_Child, str]]
    lines: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def listen(self) -> None:
        """Pass on what it says, from a thread."""
        thread = threading.Thread(target=self._listen, daemon=True)
        self.readers.append(thread)
        thread.start()

    def _listen(self) -> None:
        if self.process.stdout is not None:
            with self.process.stdout as stream, suppress(ValueError):
                for line in stream:
                    self.lines.append(line.rstrip("\n"))
                    if line.strip():
                        said_log.info("%s: %s", self.run.name, self.lines[-1])
                    self.said.put((self, line))

    def finished(self) -> FinishedRun:
        """Return what came of it, now that it has ended."""
        _signal_group(self.process, signal.SIGKILL)  # whatever it may have started and left behind
        for thread in self.readers:
            thread.join(_GRACE_SECONDS)
        return FinishedRun(run=self.run, folder=self.folder, status=self.process.returncode, lines=tuple(self.lines))


def _start(esorex: Esorex, run: RecipeRun, folder: Path, said: queue.SimpleQueue[tuple[_Child, str]]) -> _Child:
    """Start a run: no shell, no terminal, a process group of its own."""
    sof = folder / f"{run.recipe}.sof"
    lay_out(run, folder, sof)
    try:
        process = subprocess.Popen(
            esorex.command(run, sof.name),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as err:
        msg = f"{esorex.label}: cannot be started ({err.strerror})"
        raise EngineError(msg) from err
    child = _Child(run, folder, process, said)
    child.listen()
    return child


def _newest(said: queue.SimpleQueue[tuple[_Child, str]]) -> str:
    """Wait a little for what is said, and return the newest of it that tells something."""
    text = ""
    with suppress(queue.Empty):
        child, line = said.get(timeout=_POLL_SECONDS)
        while True:
            level, told = message_of(line)
            if level in ("INFO", "WARNING", "ERROR") and told:
                text = f"{child.run.name}: {told}"
            child, line = said.get_nowait()
    return text


def _stop_all(children: Sequence[_Child]) -> None:
    """End processes with all that they started: politely, then not."""
    for child in children:
        _signal_group(child.process, signal.SIGTERM)
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(_GRACE_SECONDS)
        _signal_group(child.process, signal.SIGKILL)
        child.process.wait()
        for thread in child.readers:
            thread.join(_GRACE_SECONDS)


def _signal_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to a process and what it started; its group has its number."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
