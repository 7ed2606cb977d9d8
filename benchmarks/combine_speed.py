"""Time and memory of combining exposures: against scipy with astropy and against MPDAF, with numba and without.

16 exposures of 28 x 28 x 3072 with noise by ksigma, each shifted by parts of a spaxel onto one grid. Every competitor
reads the files, combines and writes the product, with its noise, in a process of its own; they take turns, imports and
compilation lie outside the clock. "The command" is all of it, start included, and so is its memory, of which what the
start alone takes is subtracted. Seconds of the processor do not depend on what else the machine does.

With ``--ifus 24`` the same for exposures of many IFUs.

    python benchmarks/combine_speed.py [--rivals PYTHON] [--repeats 3]
    python benchmarks/combine_speed.py --ifus 24 --exposures 8 --shape 2048,14,14
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from combine_cases import dithers, grid_shape, write_exposures
from commands import Taken, idle_mb, one_of, run_command, taken_in_turn
from measuring import OURS, Child, FailedError, Row, print_table

NUMPY, COMMAND = "ours without numba", "the command"
#: Limits: seconds and megabytes of one IFU and of many, how many times quicker than others, slower without numba.
BOUND_S, BOUND_IFUS_S, BOUND_MB = 3.0, 8.0, 300.0
FASTER, FASTER_IFUS, SLOWER = 8, 3, 4


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", default="", metavar="PYTHON", help="interpreter that has mpdaf")
    parser.add_argument("--exposures", type=int, default=16)
    parser.add_argument("--ifus", type=int, default=1)
    parser.add_argument("--shape", default="3072,28,28", metavar="PLANES,ROWS,COLUMNS")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    n_planes, n_y, n_x = map(int, given.shape.split(","))
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        out = Path(folder)
        places = dithers(given.exposures)
        files = write_exposures(out / "in", places, n_ifus=given.ifus, shape=(n_planes, n_y, n_x))
        words: dict[str, Any] = {
            "files": [str(file) for file in files],
            "out": folder,
            "shifts": places,
            "shape": grid_shape(n_y),
            "extensions": [2 * ifu + 1 for ifu in range(given.ifus)],
        }
        calls = {name: _call(child, words) for name, child in _children(given.rivals, stack).items()}
        calls[OURS](), calls[NUMPY]()  # compiles, and imports what is imported late
        calls[COMMAND] = lambda: run_command("combine", *files, "-o", out / "command", "--overwrite", "-q")
        taken = taken_in_turn(calls, given.repeats)
    what = f"{given.exposures} x {given.ifus} IFU{'s' * (given.ifus > 1)} of {n_x} x {n_y} x {n_planes}"
    print(f"{what}, ksigma, with noise.\n")
    print_table(_rows(taken, given.ifus == 1))


def _children(python: str, stack: contextlib.ExitStack) -> dict[str, Child]:
    """Start everybody who takes part."""
    children = {
        OURS: Child("combine_ours.py", "numba"),
        NUMPY: Child("combine_ours.py", "numpy"),
        "astropy": Child("combine_rivals.py", "astropy"),
        "MPDAF": Child("combine_rivals.py", "MPDAF", python=python or sys.executable),
    }
    for name in ("astropy", "MPDAF"):
        try:
            print(f"{name} {children[name].ask('version')}")
        except FailedError as err:
            print(f"{name} does not take part: {err}; name an interpreter that has it with `--rivals`.")
            children.pop(name).__exit__()
    for child in children.values():
        stack.enter_context(child)
    return children


def _call(child: Child, words: dict[str, Any]) -> Callable[[], Taken]:
    return functools.partial(lambda: Taken(*child.ask("combine", **words)))


def _rows(taken: Mapping[str, Taken | str], is_one: bool) -> list[Row]:
    """Rows of all limits."""
    seconds, processor = one_of("seconds", taken), one_of("processor_s", taken)
    bound = BOUND_S if is_one else BOUND_IFUS_S
    rows = [
        Row(what="the library", values={OURS: seconds[OURS]}, limit=f"{bound:g} s", bound=bound),
        Row(what=COMMAND, values={OURS: seconds[COMMAND]}, limit=f"{bound:g} s", bound=bound),
    ]
    for name in ("astropy", "MPDAF"):
        for clock, values in (("seconds", seconds), ("of the processor", processor)):
            if name in values:
                rows.append(_quicker(f"against {name}, {clock}", values, name, FASTER if is_one else FASTER_IFUS))
    for clock, values in (("seconds", seconds), ("of the processor", processor)):
        own = {OURS: values[NUMPY], "with numba": values[OURS]}
        limit = {"limit": f"{SLOWER} x with numba", "bound": SLOWER * float(values[OURS])}
        rows.append(Row(what=f"without numba, {clock}", values=own, **limit))
    above: dict[str, float | str] = {OURS: one_of("peak_mb", taken)[COMMAND]}
    if isinstance(above[OURS], float):
        above[OURS] -= idle_mb("combine")
    rows.append(Row(what="memory above idle", values=above, limit=f"{BOUND_MB:g} MB", bound=BOUND_MB, unit="MB"))
    return rows


def _quicker(what: str, values: Mapping[str, float | str], rival: str, factor: int) -> Row:
    theirs = values[rival]
    return Row(
        what=what,
        values={OURS: values[OURS], rival: theirs},
        limit=f"1/{factor} of {rival}",
        bound=theirs / factor if isinstance(theirs, float) else None,
    )


if __name__ == "__main__":
    main()
