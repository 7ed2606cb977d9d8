"""Fill disks, close folders to writing, let them vanish, change inputs: is it told, and is anything lost.

Run it by `nice python benchmarks/full_disk.py`, on Linux; as root, who may mount a small file system of memory
(the last two cases can do without). Every command that writes works on a
small simulated night. The cases:

- full at 0, 40 and 80 %: of the room that its products need, so much there is;
- read-only: from the beginning, with products of an earlier time that are to be replaced;
- vanishes: its folder is renamed when the first product is complete but has not its name yet;
- input changes: at that moment one of the inputs is written to.

What must be: exit status 2 with one line, no traceback; no half file, no temporary file, records that tell the truth;
inputs unchanged; earlier products as they were where the folder is read-only; and after the cause is gone the same
command ends well with the products of a time that was never disturbed. The cache may end well with less in it: nothing
needs it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from surviving import (
    STEPS,
    Night,
    Step,
    checksums,
    damages,
    import_everything,
    leftovers,
    make_night,
    must,
    run_in_fork,
    unequal,
)

from napari_kmos.cli.main import main as command
from napari_kmos.cli.output import guarded

Task = list[str] | Callable[[], object]
Case = Callable[["Trial"], Iterator[str]]
_SHARES = (0.0, 0.4, 0.8)
_PAGE = 4096
_KMOS_ERROR = 2
CASES = (*(f"full at {share:.0%}" for share in _SHARES), "read-only", "vanishes", "input changes")


def _words(*words: str, out: str = "") -> Step:
    """Return a step: words of a command with ``{name}`` for files of the night."""

    def step(night: Night, folder: Path) -> list[str]:
        whole = [path for word in words for path in (night.files(word[1:-1]) if word.startswith("{") else [word])]
        return [*whole, "-o", str(folder / out), "--overwrite"]

    return step


_TWEAKED, _CUBE = "{tweaked/*_SKY_TWEAK.fits}", "{cubes/COMBINE_*3.fits}"
_STARS, _SPECTRA = ("--apertures", "{stars.ecsv}"), "{spectra/spec_*.fits}"

WRITERS: dict[str, Step] = {
    "simulate": lambda _, out: ["simulate", str(out), "--nz", "64", "--ifus", "2", "--exposures", "1", "--overwrite"],
    "plan": _words("plan", "{night}", out="night.toml"),
    "sky-tweak": STEPS["sky-tweak"],
    "sky-tweak --compare-methods": _words(
        "sky-tweak", "{night/**/*_Half1*.fits}", "--sky", "{night/**/*_Sky_*.fits}", "--compare-methods"
    ),
    "sky-mask": _words("sky-mask", "{night/**/*_Sky_*.fits}"),
    "sky-second-pass": _words("sky-second-pass", _TWEAKED),
    "align": _words("align", _TWEAKED, "--method", "header", out="offsets.ecsv"),
    "offsets": _words("offsets", "{offsets.ecsv}", "--shifts", "--crval"),
    "combine": STEPS["combine"],
    "combine --mosaic": _words("combine", _TWEAKED, "--mosaic"),
    "cut": _words("cut", "{mosaic/COMBINE_mosaic.fits}", "--from", _TWEAKED, "--no-halves"),
    "crop": _words("crop", _CUBE, "--wave", "2.0-2.3", out="part.fits"),
    "map": _words("map", _CUBE, "--line", "2.16-2.17"),
    "find": _words("find", _CUBE, out="stars.ecsv"),
    "extract": STEPS["extract"],
    "extract --method psf": _words("extract", _CUBE, *_STARS, "--method", "psf", "--residual", "--text"),
    "measure": _words("measure", _SPECTRA),
    "compare": _words("compare", _SPECTRA),
    "run": STEPS["run"],
    "cache": STEPS["cache"],
}


def main() -> int:
    """Print the table; 1 if anything is wrong."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="napari-kmos-full-") as name:
        top = Path(name)
        os.environ |= {"HOME": str(top / "home"), "MPLBACKEND": "Agg", "NAPARI_KMOS_CACHE": str(top / "cache")}
        import_everything()
        (top / "inputs").mkdir()
        night = make_night(top / "inputs", n_wave=given.planes)
        print(f"| writer | {' | '.join(given.cases)} |\n|---|{'---|' * len(given.cases)}", flush=True)
        wrongs = [one for writer in given.writers for one in _row(writer, night, top / "box", given.cases)]
    print("\n".join(wrongs) or "nothing lost")
    return bool(wrongs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--planes", type=int, default=160, metavar="N", help="of the cubes (default: %(default)s)")
    parser.add_argument("--writers", default=",".join(WRITERS), metavar="NAME,...", help="default: %(default)s")
    parser.add_argument("--cases", default=",".join(CASES), metavar="NAME,...", help="default: %(default)s")
    given = parser.parse_args()
    given.writers, given.cases = given.writers.split(","), given.cases.split(",")
    return given


def _outcomes(writer: str, night: Night, box: Path, cases: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield what was wrong in each case; nothing, if all was as it must be."""
    shutil.rmtree(box, ignore_errors=True)
    box.mkdir()
    trial = Trial(WRITERS[writer], night, box)
    must(trial.task(trial.whole), trial.said)
    for case in cases:
        before = checksums(night.folder)
        wrongs = list(_CASES[case](trial))
        now = checksums(night.folder)
        wrongs += [f"{path.name}: an input, changed" for path, digest in before.items() if now.get(path) != digest]
        yield case, wrongs


@dataclass(frozen=True)
class Trial:
    """A step, what it works on, and the folder in which it is disturbed."""

    step: Step
    night: Night
    box: Path

    @property
    def whole(self) -> Path:
        """Products of a time that was not disturbed."""
        return self.box / "whole"

    @property
    def said(self) -> Path:
        """What the step says."""
        return self.box / "said.txt"

    def task(self, out: Path) -> Task:
        """Return what the step does."""
        return self.step(self.night, out)

    def told(self, task: Task, out: Path, expected: str = "") -> Iterator[str]:
        """Run what cannot succeed as usual, and yield what was wrong with how it ended."""
        status = run_in_fork(_as_command(task), self.said)
        said = self.said.read_text(errors="replace")
        lines = said.strip().splitlines() or [""]
        is_line = "Traceback" not in said and lines[-1].startswith("error: ") and expected in lines[-1]
        if status == 0 and (expected or not out.exists()):
            yield "it says that all is well"
        elif status == 0:  # it fitted after all
            yield from self.compared(out)
        elif status != _KMOS_ERROR or not is_line:
            yield f"status {status}: {' / '.join(lines[-2:])[-400:]}"

    def again(self, out: Path) -> Iterator[str]:
        """Run once more, now that nothing is in the way."""
        if run_in_fork(self.task(out), self.said):
            yield f"it cannot be resumed: {self.said.read_text()[-300:]}"
        yield from (*damages(out), *leftovers(out), *self.compared(out))

    def compared(self, out: Path) -> Iterator[str]:
        """Yield what differs from the products of an undisturbed time."""
        if self.step is not STEPS["cache"]:
            yield from unequal(out, self.whole)


def _full(share: float) -> Case:
    """Return the case of a disk with room for a share of the products."""

    def case(trial: Trial) -> Iterator[str]:
        needed = sum(path.stat().st_size + _PAGE for path in trial.whole.rglob("*") if path.is_file())
        with _disk(trial.box / "disk", int(share * needed) // _PAGE * _PAGE + _PAGE):
            out = trial.box / "disk" / "out"
            yield from trial.told(trial.task(out), out)
            yield from (*damages(out), *leftovers(out))
            _remount(trial.box / "disk", "size=256m")
            yield from trial.again(out)

    return case


def _read_only(trial: Trial) -> Iterator[str]:
    with _disk(trial.box / "disk", 2**28):
        out = trial.box / "disk" / "out"
        shutil.copytree(trial.whole, out)
        if trial.step is STEPS["run"]:
            next(out.rglob("*.fits")).write_bytes(b"")  # so that there is something to do
        before = checksums(out)
        _remount(trial.box / "disk", "ro")
        yield from trial.told(trial.task(out), out)
        if before != checksums(out):
            yield "products of before are not what they were"
        _remount(trial.box / "disk", "rw")
        yield from trial.again(out)


def _vanishes(trial: Trial) -> Iterator[str]:
    out, away = trial.box / "vanishing", trial.box / "away"
    for folder in (out, away):
        shutil.rmtree(folder, ignore_errors=True)
    yield from trial.told(_disturbed(trial.task(out), lambda: out.rename(away)), out)
    if out.exists():
        yield f"a folder was made in its place, with {len(list(out.rglob('*')))} files"
        shutil.rmtree(out)
    away.rename(out)
    yield from damages(out)
    yield from trial.again(out)


def _changes(trial: Trial) -> Iterator[str]:
    moved = Trial(trial.step, Night(trial.box / "copy"), trial.box)
    out = trial.box / "changing"
    for folder in (moved.night.folder, out):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(trial.night.folder, moved.night.folder)
    task = moved.task(out)
    named = (
        [Path(word) for word in task[1:] if word.startswith(str(moved.night.folder))] if isinstance(task, list) else []
    )
    inputs = [path for path in named if path.suffix == ".fits" and path.is_file()] or [Path(moved.night.objects[0])]
    if trial.step in (WRITERS["simulate"], WRITERS["plan"], STEPS["cache"]):
        return  # no inputs; headers alone; what was read before is a cache of what it was then
    if trial.step is WRITERS["offsets"]:
        inputs = [moved.night.folder / "offsets.ecsv"]
    yield from moved.told(_disturbed(task, lambda: os.utime(inputs[0], ns=(1, 1))), out, "changed")
    yield from (*damages(out), *leftovers(out))
    yield from moved.again(out)


_CASES = {
    **{f"full at {share:.0%}": _full(share) for share in _SHARES},
    "read-only": _read_only,
    "vanishes": _vanishes,
    "input changes": _changes,
}


def _as_command(task: Task) -> Task:
    """Return what ends as a command does."""
    return task if isinstance(task, list) else lambda: _ended(guarded(lambda: task() and None))


def _ended(status: int) -> None:
    """End the process as a command does."""
    if status:
        raise SystemExit(status)


def _disturbed(task: Task, disturb: Callable[[], object]) -> Task:
    """Return the task, disturbed when the first file is about to be settled on the disk."""
    settle, done = os.fsync, []

    def fsync(number: int) -> None:
        settle(number)
        if not done:
            done.append(number)
            disturb()

    def run() -> None:
        os.fsync = fsync
        if isinstance(task, list):
            _ended(command([*task, "-q"]))
        else:
            task()

    return run


@contextmanager
def _disk(place: Path, n_bytes: int) -> Iterator[None]:
    """Mount a file system of a size."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def _row(writer: str, night: Night, box: Path, cases: list[str]) -> list[str]:
    """Print a row; return what was wrong."""
    outcomes = dict(_outcomes(writer, night, box, cases))
    print(f"| {writer} | {' | '.join('wrong' if wrongs else 'well' for wrongs in outcomes.values())} |", flush=True)
    return [
        f"{writer}, {case}: {number} times: {wrong}"
        for case, wrongs in outcomes.items()
        for wrong, number in Counter(wrongs).items()
    ]


if __name__ == "__main__":
    raise SystemExit(main())
