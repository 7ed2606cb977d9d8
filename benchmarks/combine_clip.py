"""How long values of overlapping exposures take to merge: ours with numba and with numpy against astropy.stats.

In one process and in turn, one thread: processor time for each merged pixel of 16 values with their noise, 1 % of them
cosmic rays, by clipping and by the other methods. astropy's sigma_clip with median and standard deviation, thrice, and
the mean and its noise of what it leaves. Before the clock, pages of memory are asked for and given back, so that none
has to wait for the system, and what is compiled is compiled; how long that takes where nothing is kept on the disk is
told last.

    python benchmarks/combine_clip.py [--exposures 16] [--gaps 0.03] [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
from astropy.stats import sigma_clip
from measuring import OURS, Row, in_turn, print_table

from napari_kmos.combine import COMBINE_METHODS, CombineParameters, merge

NUMPY = "ours without numba"
ASTROPY = "astropy"
#: Pixels of one turn: many blocks of the kernels, and not a power of two.
N_PIXELS = 100_000
#: How many times quicker than astropy, and how many times slower without numba.
FASTER, SLOWER = 8, 4
COMPILE_S = 2.5
_COMPILE = """
import time, numba, numpy as np
from napari_kmos.combine import CombineParameters, merge
values = np.ones((16, 100), dtype=np.float32)
start = time.process_time()
merge(values, values, None, CombineParameters(), kernels="numba")
print(time.process_time() - start)
"""


def main() -> None:
    """Print the table of the methods, then the time to compile."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exposures", type=int, default=16)
    parser.add_argument("--gaps", type=float, default=0.0, help="part of the values that is NaN")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    values, noise = _observed(given.exposures, given.gaps)
    print(f"{given.exposures} values a pixel, {given.gaps:.0%} of them missing; ns are for each merged pixel.\n")
    rows = []
    for cmethod in COMBINE_METHODS:
        calls = _calls(values, noise, CombineParameters(cmethod=cmethod))
        if cmethod == "ksigma":
            calls[ASTROPY] = lambda: _processor_s(lambda: _by_astropy(values, noise))
        for call in calls.values():
            call()
        times = in_turn(calls, given.repeats)
        rows += _rows(f"{cmethod}, {N_PIXELS} pixels", times)
        each = ", ".join(f"{name} {float(taken) / N_PIXELS * 1e9:.0f} ns" for name, taken in times.items())
        print(f"{cmethod}: {each}", flush=True)
    compiled: dict[str, float | str] = {OURS: _compile_s()}
    rows.append(Row(what="first call", values=compiled, limit=f"{COMPILE_S} s", bound=COMPILE_S))
    print()
    print_table(rows)


def _observed(n: int, gaps: float) -> tuple[np.ndarray, np.ndarray]:
    """Values and noise of n exposures."""
    rng = np.random.default_rng(1)
    values = rng.normal(100, 1, size=(n, N_PIXELS)).astype(np.float32)
    values[rng.random(values.shape) < 0.01] += 500
    values[rng.random(values.shape) < gaps] = np.nan
    np.ones(3 * 2**20)  # 24 MB, given back at once: the allocator keeps blocks of this size from then on
    return values, np.ones_like(values)


def _calls(values: np.ndarray, noise: np.ndarray, parameters: CombineParameters) -> dict[str, Callable[[], float]]:
    return {
        OURS: lambda: _processor_s(lambda: merge(values, noise, None, parameters, kernels="numba")),
        NUMPY: lambda: _processor_s(lambda: merge(values, noise, None, parameters, kernels="numpy")),
    }


def _processor_s(call: Callable[[], object]) -> float:
    """Return the processor time that a call takes."""
    start = time.process_time()
    call()
    return time.process_time() - start


def _by_astropy(values: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clip, and return the mean and its noise."""
    kept = sigma_clip(np.ma.masked_invalid(values), sigma=3, maxiters=3, axis=0, copy=True)
    number = kept.count(axis=0)
    return kept.mean(axis=0), np.sqrt(np.where(kept.mask, 0, noise**2).sum(axis=0)) / number


def _rows(what: str, times: dict[str, float | str]) -> list[Row]:
    """Rows of a method: against astropy where it takes part, and without numba against with it."""
    found = []
    if ASTROPY in times:
        limit = {"limit": f"1/{FASTER} of {ASTROPY}", "bound": float(times[ASTROPY]) / FASTER}
        found.append(Row(what=what, values=times, **limit))
    without = {OURS: times[NUMPY], "with numba": times[OURS]}
    limit = {"limit": f"{SLOWER} x with numba", "bound": SLOWER * float(times[OURS])}
    return [*found, Row(what=f"{what}, without numba", values=without, **limit)]


def _compile_s() -> float:
    """Processor seconds of the first call where nothing is kept on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _COMPILE]
        return float(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


if __name__ == "__main__":
    main()
