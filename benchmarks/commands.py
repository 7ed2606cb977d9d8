"""Commands of napari-kmos in processes of their own, and tasks of others: seconds, processor time, peak of memory.

What a process imports is part of its memory; `idle_mb` tells how much that alone is. Python's own library only.
"""

from __future__ import annotations

import functools
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from measuring import FailedError, in_turn

#: Runs a command and prints its seconds, those of the processor, and its peak of memory in KiB. A process begins with
#: the peak of the one that starts it: this one is small.
_RUN = """
import resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
taken = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(status)
"""


class Taken(NamedTuple):
    """What a command or task took: seconds, seconds of the processor, most memory resident at a time in MB."""

    seconds: float
    processor_s: float
    peak_mb: float = float("nan")


def run_command(*words: object) -> Taken:
    """Run a command of ours.

    Raises
    ------
    FailedError
        With the last line of what it said.
    """
    command = [sys.executable, "-c", _RUN, sys.executable, "-m", "napari_kmos", *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise FailedError(said[-1])
    seconds, processor_s, peak_kib = map(float, done.stdout.split())
    return Taken(seconds, processor_s, peak_kib * 1024 / 1e6)


def idle_mb(command: str) -> float:
    """Return the memory of a command in MB that has imported what it needs and does nothing."""
    return run_command(command, "--help").peak_mb


def timed(task: Callable[..., object]) -> Callable[..., list[float]]:
    """Return a task that tells what it took, for `measuring.serve`."""

    @functools.wraps(task)
    def run(**arguments: Any) -> list[float]:
        start = time.perf_counter(), time.process_time()
        task(**arguments)
        return [time.perf_counter() - start[0], time.process_time() - start[1]]

    return run


def taken_in_turn(calls: Mapping[str, Callable[[], Taken]], repeats: int) -> dict[str, Taken | str]:
    """Return the medians of what each call took, called in turn; for one that fails, why."""
    found: dict[str, list[Taken]] = defaultdict(list)

    def once(name: str) -> float:
        found[name].append(calls[name]())
        return found[name][-1].seconds

    medians = in_turn({name: functools.partial(once, name) for name in calls}, repeats)
    return {
        name: value if isinstance(value, str) else Taken(*map(statistics.median, zip(*found[name], strict=True)))
        for name, value in medians.items()
    }


def one_of(what: str, taken: Mapping[str, Taken | str]) -> dict[str, float | str]:
    """Return one number of each, by its name in `Taken`; reasons stay."""
    return {name: value if isinstance(value, str) else getattr(value, what) for name, value in taken.items()}
