"""Hostile files: thousands of mutated ones through readers and commands; how many end in anything but a line.

Run it by `nice python benchmarks/hostile.py --files 2000`, on Linux; with `--only N` (the index that a failure names)
it does one file again and tells all of it. Counted are

- traceback: an exit status that says bug, a signal, an error that is not one line, an exception of a reader;
- hang: more than ten seconds of processor time (the clock may show six times as much: other programs run, too);
- memory: more than 1 GiB resident;
- outside: a file written anywhere but in the output folder, by a name or by code that a file held;
- control: characters that a terminal obeys or hides (escapes, marks of direction) in what is printed, in names of
  products or in products that are text;
- half file: a temporary file left behind;
- long line: more than 2000 letters in a line of an error or a warning.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from hostile_fits import mutate_fits
from hostile_reading import FITS_KINDS, commands_of
from hostile_running import WRONGS, Limits, Run, run_command
from hostile_seeds import Seeds, make_seeds
from hostile_text import mutate_text

import napari_kmos

#: So many of ten files are FITS.
_FITS_SHARE = 0.7


@dataclass(frozen=True)
class Case:
    """A hostile file: where it came from, what was done to it, and what it is now."""

    index: int
    kind: str
    seed: Path
    told: str
    content: bytes


def main() -> int:
    """Print the table and the failures; 1 if there are any."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="napari-kmos-hostile-") as name:
        folder = Path(name)
        os.environ |= {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(folder / "xdg"), "MPLBACKEND": "Agg"}
        os.environ["NAPARI_KMOS_CACHE"] = str(folder / "seed-cache")
        _import_everything()
        (folder / "seeds").mkdir()
        started = time.monotonic()
        with ProcessPoolExecutor(1, get_context("fork")) as one:  # its threads must not be there when others fork
            seeds = one.submit(make_seeds, folder / "seeds").result()
        print(f"sound files in {time.monotonic() - started:.0f} s", flush=True)
        indices = given.only or list(range(given.first, given.first + given.files))
        found = list(_results(given, seeds, folder, indices))
        _tell(found, time.monotonic() - started)
        if given.only:
            for case, run in found:
                print(
                    f"\n{case.told}\n{' '.join(run.command)}: {run.seconds:.1f} s, {run.memory_mb:.0f} MB\n{run.told}"
                )
    return any(run.wrongs for _, run in found)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, metavar="INDEX", help="of the first (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the mutations (default: %(default)s)")
    parser.add_argument("--commands", metavar="NAME,...", help="these only; read is all readers (default: all)")
    parser.add_argument("--kinds", metavar="NAME,...", help="files of these kinds only (default: all)")
    parser.add_argument("--each", type=int, default=2, metavar="N", help="commands a file beside its readers")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default: %(default)s)")
    parser.add_argument("--only", type=int, nargs="+", metavar="INDEX", help="these files, by every command")
    return parser.parse_args()


def _import_everything() -> None:
    """Import what commands need, so that the process of a run is a fork that starts at once."""
    for found in pkgutil.walk_packages(napari_kmos.__path__, "napari_kmos."):
        if "_napari" not in found.name and "__main__" not in found.name:
            importlib.import_module(found.name)
    for name in ("matplotlib.pyplot", "astropy.table", "astropy.io.votable", "regions", "photutils.psf", "yaml"):
        importlib.import_module(name)


def make_case(seed: int, index: int, seeds: Seeds, kinds: Sequence[str]) -> Case:
    """Return one hostile file, the same for the same numbers; the odd files come as they are first."""
    rng = np.random.default_rng([seed, index])
    odd = seeds["odd"]
    if index < len(odd) and "odd" in kinds:
        return Case(index, "odd", odd[index], "as it is", odd[index].read_bytes())
    of_fits = [kind for kind in kinds if kind in FITS_KINDS]
    others = [kind for kind in kinds if kind not in FITS_KINDS]
    pool = of_fits if of_fits and (not others or rng.uniform() < _FITS_SHARE) else others
    kind = pool[int(rng.integers(len(pool)))]
    path = seeds[kind][int(rng.integers(len(seeds[kind])))]
    told, content = (mutate_fits if kind in FITS_KINDS else mutate_text)(rng, path.read_bytes())
    return Case(index, kind, path, told, content)


def _results(
    given: argparse.Namespace, seeds: Seeds, folder: Path, indices: Sequence[int]
) -> Iterator[tuple[Case, Run]]:
    """Yield the runs of all workers, in the order in which they end."""
    context = get_context("fork")
    queue = context.SimpleQueue()
    shares = [list(indices[number :: given.workers]) for number in range(given.workers)]
    workers = [
        context.Process(target=_work, args=(given, seeds, folder / f"w{number}", share, queue))
        for number, share in enumerate(shares)
    ]
    for worker in workers:
        worker.start()
    ended = done = 0
    while ended < len(workers):
        results = queue.get()
        ended += results is None
        for case, run in results or ():
            if run.wrongs:
                print(
                    f"{','.join(run.wrongs)}: --seed {given.seed} --only {case.index}: {' '.join(run.command[:2])} "
                    f"{case.kind} {case.seed.name}: {ascii(case.told)[:300]}\n    {run.told[:600]}",
                    flush=True,
                )
            yield case, run
        done += results is not None
        if results is not None and done % 100 == 0:
            print(f"{done} of {len(indices)} files", file=sys.stderr, flush=True)


def _work(given: argparse.Namespace, seeds: Seeds, top: Path, indices: Sequence[int], queue: object) -> None:
    """Do a share of the files."""
    box = top / "a" / "b" / "c"
    os.environ["NAPARI_KMOS_CACHE"] = str(top / "cache")
    kinds = given.kinds.split(",") if given.kinds else list(seeds)
    for index in indices:
        case = make_case(given.seed, index, seeds, kinds)
        file = box / "in" / case.seed.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(case.content)
        runs = [run_command(command, file, box, Limits()) for command in _chosen(given, case, seeds)]
        queue.put([(case, run) for run in runs])  # type: ignore[attr-defined]
        file.unlink()
    queue.put(None)  # type: ignore[attr-defined]


def _chosen(given: argparse.Namespace, case: Case, seeds: Seeds) -> list[tuple[str, ...]]:
    """Return the readers, and some of the commands for a file; all with ``--only``."""
    first, *rest = commands_of(case.kind, seeds)
    if given.commands:
        wanted = given.commands.split(",")
        first, *rest = [one for one in (first, *rest) if one[0] in wanted] or [first]
    if given.only or len(rest) <= given.each:
        return [first, *rest]
    rng = np.random.default_rng([given.seed, case.index, 1])
    return [first, *(rest[int(number)] for number in rng.permutation(len(rest))[: given.each])]


def _tell(found: Sequence[tuple[Case, Run]], seconds: float) -> None:
    """Print the table: a row a command."""
    counts: Counter[tuple[str, str]] = Counter()
    slowest: Counter[str] = Counter()
    largest: Counter[str] = Counter()
    for _, run in found:
        for name in (run.command[0], "all"):
            counts[name, "runs"] += 1
            for wrong in run.wrongs:
                counts[name, wrong] += 1
            slowest[name] = max(slowest[name], run.seconds)  # type: ignore[assignment]
            largest[name] = max(largest[name], run.memory_mb)  # type: ignore[assignment]
    names = [name for name in sorted(slowest) if name != "all"] + (["all"] if found else [])
    rows = [
        [name, *(counts[name, what] for what in ("runs", *WRONGS)), f"{slowest[name]:.1f}", f"{largest[name]:.0f}"]
        for name in names
    ]
    files = len({case.index for case, _ in found})
    print(f"\n{files} files, {len(found)} runs, {seconds:.0f} s")
    _print_rows(("command", "runs", *WRONGS, "slowest s", "most MB"), rows)


def _print_rows(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    whole = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(len(row[number]) for row in whole) for number in range(len(head))]
    lines = [f"| {' | '.join(map(str.ljust, row, widths))} |" for row in whole]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
