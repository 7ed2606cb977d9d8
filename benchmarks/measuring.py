"""What the benchmarks share: processes that are timed in turn, medians, tables. Python's own library only.

Whatever is compared runs in a process of its own that stays open (`Child`, answering by `serve`). The processes take
turns, so that what else the machine does meets all of them. Imports and the start of a viewer lie outside the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RIVALS = {"astropy": "astropy", "MPDAF": "mpdaf", "spectral-cube": "spectral-cube"}
OURS = "napari-kmos"
_GIB = 2**30


class FailedError(Exception):
    """A child did not do what it was asked, and says why."""


class Child:
    """A script of this folder in a process of its own, asked over its standard input and output.

    Parameters
    ----------
    script : str
        Name of the script; it calls `serve`.
    *words : object
        Its arguments.
    python : str
        Interpreter.
    memory_gib : float, optional
        Most data the process may have: a rival that takes more fails and says so, and the machine lives on.
    cache : Path, optional
        Folder for what napari-kmos keeps.
    cache_gib : float, optional
        How much it may keep.
    """

    def __init__(
        self,
        script: str,
        *words: object,
        python: str = sys.executable,
        memory_gib: float | None = None,
        cache: Path | None = None,
        cache_gib: float | None = None,
    ) -> None:
        limit = ["sh", "-c", f'ulimit -d {int(memory_gib * 2**20)} && exec "$@"', "sh"] if memory_gib else []
        kept = {"NAPARI_KMOS_CACHE": cache, "NAPARI_KMOS_CACHE_GIB": cache_gib}
        environment = {**os.environ, **{name: str(value) for name, value in kept.items() if value is not None}}
        self._process = subprocess.Popen(
            [*limit, python, str(HERE / script), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def ask(self, task: str, /, **arguments: Any) -> Any:
        """Let it do a task and return the answer.

        Raises
        ------
        FailedError
            With the last line of the error.
        """
        try:
            self._process.stdin.write(json.dumps([task, arguments]) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer = json.loads(line) if line else {"error": f"ended with status {self._process.wait()}"}
        if "error" in answer:
            raise FailedError(answer["error"])
        return answer["value"]

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def serve(tasks: Mapping[str, Callable[..., Any]]) -> None:
    """Do what the parent asks until it hangs up; whatever libraries print goes elsewhere."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        task, arguments = json.loads(line)
        try:
            answer = {"value": tasks[task](**arguments)}
        except Exception as err:  # noqa: BLE001 - told to the parent
            answer = {"error": f"{type(err).__name__}: {err}".splitlines()[0]}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(calls: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float | str]:
    """Return the median of what each call returns, called in turn; for one that fails, why."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    failed: dict[str, str] = {}
    for _ in range(repeats):
        for name, call in calls.items():
            if name not in failed:
                try:
                    found[name].append(call())
                except FailedError as err:
                    failed[name] = str(err)
    return {name: failed.get(name) or statistics.median(values) for name, values in found.items()}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a table.

    Parameters
    ----------
    what : str
        What was measured.
    values : mapping of str to float or str
        By the name of who did it, `OURS` among them; seconds or, if ``unit`` is MB, megabytes;
        text says why there is none.
    limit : str
        In words; empty where nothing is promised.
    bound : float, optional
        The limit in numbers.
    """

    what: str
    values: Mapping[str, float | str] = field(default_factory=dict)
    limit: str = ""
    bound: float | None = None
    unit: str = "s"

    @property
    def verdict(self) -> str:
        """Whether the limit is met."""
        ours = self.values[OURS]
        if self.bound is None:
            return ""
        return "met" if isinstance(ours, float) and ours <= self.bound else "MISSED"


def times(what: str, values: Mapping[str, float | str], factor: float, rival: str) -> Row:
    """Row that promises at most some times what a rival takes."""
    bound = values[rival]
    return Row(
        what=what,
        values=values,
        limit=f"{factor} x {rival}",
        bound=factor * bound if isinstance(bound, float) else None,
    )


def at_most(what: str, values: Mapping[str, float | str], bound: float) -> Row:
    """Row that promises a time."""
    return Row(what=what, values=values, limit=f"{bound:g} s", bound=bound)


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as a table in Markdown: times, with their ratio to ours, limits, and whether they are met."""
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    cells = [["", *names, "limit", ""]]
    for row in rows:
        ours = row.values[OURS]
        shown = [_shown(row.values.get(name, ""), row.unit, None if name == OURS else ours) for name in names]
        cells.append([row.what, *shown, row.limit, row.verdict])
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in cells]
    lines = [f"| {' | '.join(line)} |" for line in padded]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print("\n".join(lines), flush=True)


def _shown(value: float | str, unit: str, ours: float | str | None) -> str:
    if isinstance(value, str):
        return value
    text = f"{value:.0f} MB" if unit == "MB" else f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"
    return text if not isinstance(ours, float) or not ours else f"{text} ({value / ours:.2g} x)"


def arguments(text: str, *, repeats: int) -> argparse.ArgumentParser:
    """Return the parser of a benchmark: the mosaic, the rivals' interpreter, the number of repeats."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mosaic", type=Path, required=True, help="made by benchmarks/mosaic.py, or a real one")
    parser.add_argument("--rivals", default="", metavar="PYTHON", help="interpreter that has mpdaf and spectral-cube")
    parser.add_argument("--rivals-gib", type=float, default=12.0, help="most memory a rival may take")
    parser.add_argument("--repeats", type=int, default=repeats)
    return parser


def rivals(given: argparse.Namespace) -> dict[str, Child]:
    """Return a process for each rival that is installed; say which are not."""
    if not given.rivals:
        print("No rivals: name an interpreter with `--rivals`.", flush=True)
        return {}
    how = {"python": given.rivals, "memory_gib": given.rivals_gib}
    children = {name: Child("rivals.py", name, given.mosaic, **how) for name in RIVALS}
    versions = {}
    for name, child in list(children.items()):
        try:
            versions[name] = child.ask("version")
        except FailedError as err:
            print(f"{name} does not take part: {err}")
            children.pop(name).__exit__()
    print("Rivals: " + ", ".join(f"{name} {number}" for name, number in versions.items()) + ".\n", flush=True)
    return children


def facts(mosaic: Path) -> str:
    """Return what the numbers depend on: machine, data, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    packages = ("napari-kmos", "napari", "numpy", "astropy", "dask")
    numbers = [f"Python {platform.python_version()}", *(f"{one} {_version(one)}" for one in packages)]
    return (
        f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB of memory, {platform.system()}. "
        f"Mosaic: {mosaic.stat().st_size / _GIB:.1f} GiB.\n{', '.join(numbers)}."
    )


def drop(*paths: Path) -> None:
    """Let the system forget what it has of files in memory."""
    for path in paths:
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def warm(path: Path) -> None:
    """Let the system have a file in memory, as far as there is room."""
    block = bytearray(2**24)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(block):
            pass


def data_mb(process: int | str = "self") -> float:
    """Return the data segment of a process in MB: what a limit on it would count; 0 when it has ended."""
    return _status_mb("VmData", process)


def anon_mb() -> float:
    """Return the memory of this process in MB that is no file's."""
    return _status_mb("RssAnon", "self")


def _status_mb(name: str, process: int | str) -> float:
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"{name}:\s+(\d+) kB", text)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(none)"
