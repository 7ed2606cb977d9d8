"""One run on one hostile file in a process of its own, within limits, and what was wrong with it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hostile_reading import FILE, READ, Command, read_file
from hostile_words import SENTINEL

#: What counts as wrong, in the order of the table.
WRONGS = ("traceback", "hang", "memory", "outside", "control", "half file", "long line")
_ENDINGS = (0, 2)
_LETTERS = 2000
_PLACE = re.compile(r'File "([^"]*napari_kmos[^"]*)", line (\d+)')
_MB = 1e6


@dataclass(frozen=True)
class Limits:
    """What a run may take: seconds of processor time, times that by the clock, and MB of memory."""

    seconds: float = 10.0
    patience: float = 6.0
    memory_mb: float = 2**30 / _MB


@dataclass(frozen=True)
class Run:
    """What came of a run."""

    command: Command
    wrongs: tuple[str, ...]
    told: str
    seconds: float
    memory_mb: float


def run_command(command: Command, file: Path, box: Path, limits: Limits) -> Run:
    """Run a command on a file that lies in ``in`` of a folder ``box``, from there.

    All that the run may write is ``out``; the folder lies deep enough in one that nobody else uses to see what lands
    beside it.
    """
    top = box.parents[2]
    before = _files(top, box)
    texts = [top.parent / f"{top.name}.{name}" for name in ("stdout", "stderr")]
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(command, file, box, (texts[0], texts[1]), limits)
    status, usage = _waited(pid, limits.seconds * limits.patience)
    seconds = usage.ru_utime + usage.ru_stime
    said = [text.read_bytes().decode("utf-8", "replace") for text in texts]
    wrongs = _wrongs(status, said)
    if min(seconds, time.monotonic() - started) > limits.seconds or status == -signal.SIGALRM:
        wrongs.append("hang")
    if usage.ru_maxrss * 1024 / _MB > limits.memory_mb:
        wrongs.append("memory")
    stray = _files(top, box) - before
    if stray or Path("/tmp", SENTINEL).exists():
        wrongs.append("outside")
    wrongs += _of_products(box / "out")
    if "traceback" in wrongs and command[0] != READ and "-v" not in command:
        said[1] += _said_more(command, file, box, limits)
    told = f"status {status}; {_origin(said[1])}; {sorted(map(str, stray))[:3]}"
    for path in stray:
        path.unlink(missing_ok=True)
    shutil.rmtree(box / "out", ignore_errors=True)
    return Run(command, tuple(one for one in WRONGS if one in wrongs), told, seconds, usage.ru_maxrss * 1024 / _MB)


def _said_more(command: Command, file: Path, box: Path, limits: Limits) -> str:
    """Run a command again to see where its error came from."""
    shutil.rmtree(box / "out", ignore_errors=True)
    return run_command((*command, "-v"), file, box, limits).told


def _origin(text: str) -> str:
    """Return the last lines of what was said, and where in the package a traceback passed last."""
    places = _PLACE.findall(text)
    return f"{' < '.join(f'{Path(file).name}:{line}' for file, line in places[:-4:-1])}: {text[-400:]!a}"


def _child(command: Command, file: Path, box: Path, texts: tuple[Path, Path], limits: Limits) -> NoReturn:
    """Be the process of a run."""
    status = 70
    try:
        os.setsid()
        os.chdir(box)
        for number, text in enumerate(texts, start=1):
            os.dup2(os.open(text, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115 - all its life
        resource.setrlimit(resource.RLIMIT_CPU, (int(limits.seconds) + 1, int(limits.seconds) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + 2**32, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**31, 2**31))
        status = _done([str(file) if word == FILE else word for word in command])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - whatever it is, the parent counts it
        traceback.print_exc(file=sys.stderr)
        sys.stderr.flush()
        status = 1
    finally:
        os._exit(status)


def _done(words: list[str]) -> int:
    """Run a command, or the readers; return its status."""
    if words[0] == READ:
        read_file(words[1], Path(words[2]))
        return 0
    from napari_kmos.cli.main import main

    return main(words)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _waited(pid: int, seconds: float) -> tuple[int, resource.struct_rusage]:
    """Wait for a process, and end it when its time is over: its status is minus SIGALRM then."""
    end = time.monotonic() + seconds
    pause = 0.002
    while time.monotonic() < end:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    os.kill(pid, signal.SIGKILL)
    return -signal.SIGALRM, os.wait4(pid, 0)[2]


def _wrongs(status: int, said: list[str]) -> list[str]:
    """Tell what is wrong with the end of a run, and with what it said."""
    wrongs = []
    if status in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGALRM):
        wrongs.append("hang")
    elif status not in _ENDINGS or "Traceback" in said[1] or (status and "error: " not in said[1]):
        wrongs.append("traceback")
    if any(not _is_harmless(text) for text in said):
        wrongs.append("control")
    if any(len(line) > _LETTERS for line in said[1].split("\n")):
        wrongs.append("long line")
    return wrongs


def _is_harmless(text: str) -> bool:
    """Tell whether a terminal shows a text and does not obey it."""
    return all(letter.isprintable() or letter in "\n\u00a0\u3000\ufffd" for letter in text)


def _files(top: Path, box: Path) -> set[Path]:
    """Return the files beside a run: in ``in`` too, where nothing may be added."""
    return {
        path
        for path in top.rglob("*")
        if path.is_file() and (box / "out") not in path.parents and (top / "cache") not in path.parents
    }


def _of_products(out: Path) -> list[str]:
    """Tell what is wrong with what was written: names that are no names, half files, escapes in text files."""
    wrongs = []
    for path in out.rglob("*"):
        if ".part" in path.name:
            wrongs.append("half file")
        if not str(path.relative_to(out)).isascii() or not str(path).isprintable():
            wrongs.append("control")
        if path.suffix in (".reg", ".ecsv", ".txt", ".tex", ".json", ".toml", ".csv", ".html", ".sof", ".md"):
            text = path.read_text(encoding="utf-8", errors="replace")
            wrongs += [] if _is_harmless(text.replace("\t", "")) else ["control"]
    return wrongs
