"""A small night, the steps that are disturbed on it, each in a process of its own, and what may not be lost by that."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pkgutil
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

import napari_kmos
from napari_kmos.io import PICTURES, differences

#: Relative; products of two runs differ by rounding at most.
_TOLERANCE = 1e-6
_FITS = ".fits"


@dataclass(frozen=True)
class Night:
    """Files to work on."""

    folder: Path

    def files(self, pattern: str) -> list[str]:
        """Return files of the night by name; what a step has to make of them is made when it is first asked for."""
        place = pattern.split("/")[0]
        if place in _MADE_BY and not (self.folder / place).exists():
            must(_MADE_BY[place](self, self.folder / place), self.folder / "log.txt")
        found = sorted(map(str, self.folder.glob(pattern)))
        if not found:
            msg = f"{self.folder}: no {pattern}"
            raise FileNotFoundError(msg)
        return found

    @property
    def objects(self) -> list[str]:
        """Object exposures."""
        return self.files("night/**/*_Half*.fits")

    @property
    def subtracted(self) -> list[str]:
        """Object exposures without sky."""
        return self.files("tweaked/*_SKY_TWEAK.fits")


#: What a step does with a night, given its folder for products: words of a command, or a callable.
Step = Callable[[Night, Path], "list[str] | Callable[[], object]"]


def _tweak(night: Night, out: Path) -> list[str]:
    (sky,) = night.files("night/**/*_Sky_*.fits")
    return ["sky-tweak", *night.objects, "--sky", sky, "-o", str(out), "--overwrite"]


def _extract(night: Night, out: Path) -> list[str]:
    cubes = [path for path in night.files("cubes/COMBINE_*.fits") if not path.endswith("_IMAGE.fits")]
    words = ["extract", *cubes, "--apertures", str(night.folder / "stars.ecsv"), "-o", str(out)]
    return [*words, "--sky", "none", "--overwrite"]


def _cache(night: Night, out: Path) -> Callable[[], object]:
    """Build the spectrum-ordered copies of a mosaic's worth of cubes."""
    from napari_kmos.io import read_exposure
    from napari_kmos.io.copies import build_copy
    from napari_kmos.io.source import source_of

    def build() -> None:
        os.environ["NAPARI_KMOS_CACHE"] = str(out)
        for path in (*night.objects, *night.subtracted):
            for cube in read_exposure(path).cubes:
                build_copy(source_of(cube.flux))

    return build


STEPS: Mapping[str, Step] = {
    "sky-tweak": _tweak,
    "combine": lambda night, out: ["combine", *night.subtracted, "-o", str(out), "--overwrite"],
    "extract": _extract,
    "cache": _cache,
    "run": lambda night, out: ["run", str(night.folder / "night.toml"), "-o", str(out)],
}
#: What makes the files of a night that later steps work on.
_MADE_BY: Mapping[str, Step] = {
    "tweaked": lambda night, out: [*_tweak(night, out), "--method", "plain", "--no-figures"],
    "cubes": STEPS["combine"],
    "mosaic": lambda night, out: ["combine", *night.subtracted, "--mosaic", "-o", str(out)],
    "offsets.ecsv": lambda night, out: ["align", *night.subtracted, "--method", "header", "-o", str(out)],
    "spectra": _extract,
}


def import_everything() -> None:
    """Import what commands need, so that the process of a run is a fork that starts at once."""
    for found in pkgutil.walk_packages(napari_kmos.__path__, "napari_kmos."):
        if "_napari" not in found.name and "__main__" not in found.name:
            importlib.import_module(found.name)
    for name in ("matplotlib.pyplot", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "yaml"):
        importlib.import_module(name)


def make_night(folder: Path, *, n_wave: int = 320) -> Night:
    """Make the files that a night gives, and a plan."""
    night = Night(folder)
    must(lambda: _simulated(folder, n_wave), folder / "log.txt")
    return night


def _simulated(folder: Path, n_wave: int) -> None:
    from napari_kmos.io import write_apertures
    from napari_kmos.recipes.demo_clicks import click_list
    from napari_kmos.recipes.plan import make_plan
    from napari_kmos.recipes.plan_file import set_in_plan
    from napari_kmos.recipes.simulate import simulate
    from napari_kmos.simulate import SimulationParameters
    from napari_kmos.simulate.scene import make_scene

    parameters = SimulationParameters(seed=3, ifus=2, exposures=2, epochs=1, skies=1, nz=n_wave)
    simulate(folder / "night", parameters=parameters)
    write_apertures(click_list(make_scene(parameters)), folder / "stars.ecsv")
    plan = make_plan([folder / "night"], folder / "night.toml").products[0]
    set_in_plan(plan, "extract", apertures="stars.ecsv")


def fork(task: list[str] | Callable[[], object], said: Path) -> int:
    """Start a command or a callable in a process group of its own; return its number."""
    pid = os.fork()
    if pid == 0:
        _child(task, said)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)
    return pid


def run_in_fork(task: list[str] | Callable[[], object], said: Path) -> int:
    """Run a command or a callable to its end; return its status."""
    return os.waitstatus_to_exitcode(os.waitpid(fork(task, said), 0)[1])


def must(task: list[str] | Callable[[], object], said: Path) -> None:
    """Run what has to end well."""
    if run_in_fork(task, said):
        raise RuntimeError(said.read_text())


def _child(task: list[str] | Callable[[], object], said: Path) -> NoReturn:
    """Be the process of a step."""
    status = 1
    try:
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        for number in (1, 2):
            os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if number == 1 else os.O_APPEND)), number)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115 - all its life
        if callable(task):
            task()
            status = 0
        else:
            from napari_kmos.cli.main import main

            status = main([*task, "-q"])
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:  # noqa: BLE001 - whatever it is, the parent counts it
        traceback.print_exc(file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def checksums(folder: Path) -> dict[Path, str]:
    """Return the checksums of all files in a folder."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "log.txt")
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def damages(out: Path) -> Iterator[str]:
    """Yield what is not whole among the files that have their final names, and what records say wrongly of them."""
    for path in (each for each in out.rglob("*") if each.is_file() and not is_temporary(each)):
        try:
            _open(path)
        except Exception as err:  # noqa: BLE001 - whatever a reader says of half a file
            yield f"{path.name}: half a file ({type(err).__name__}: {err})"
    for record in out.rglob("*.json"):
        if not record.name.endswith(".stamp.json"):
            yield from _lies(record)


def is_temporary(path: Path) -> bool:
    """Tell whether a file is one of a writer at work, or of one that was."""
    return any(part.startswith(".") and ".part" in part for part in path.parts)


def leftovers(out: Path) -> list[str]:
    """Return the temporary files in a folder."""
    return [f"{path.name}: left behind" for path in out.rglob("*") if is_temporary(path)]


def unequal(made: Path, original: Path) -> Iterator[str]:
    """Yield what differs between the products in two folders; dates and how long things took do not count."""
    names = [
        {path.relative_to(folder) for path in folder.rglob("*") if _is_product(path)} for folder in (made, original)
    ]
    yield from (f"{name}: in one of two folders only" for name in sorted(names[0] ^ names[1]))
    for name in sorted(names[0] & names[1]):
        if name.suffix in (_FITS, ".ecsv", ".reg"):
            told = differences(made / name, original / name, tolerance=_TOLERANCE)
            yield from (f"{name}: {one}" for one in told)
        elif name.suffix == ".npy" and (made / name).read_bytes() != (original / name).read_bytes():
            yield f"{name}: differs"


def _is_product(path: Path) -> bool:
    return path.is_file() and "locks" not in path.parts


def _open(path: Path) -> None:
    """Read a file to its end, and check it by what is in it."""
    if path.suffix == _FITS:
        with (
            warnings.catch_warnings(action="error", category=AstropyUserWarning),
            fits.open(path, checksum=True, memmap=False) as hdus,
        ):
            for hdu in hdus:
                _ = hdu.data  # its checksum is looked at now
    elif path.suffix == ".ecsv":
        Table.read(path, format="ascii.ecsv")
    elif path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix in PICTURES:
        end = {".png": b"IEND", ".pdf": b"%%EOF"}[path.suffix]
        if end not in path.read_bytes()[-16:]:
            msg = "the end is missing"
            raise ValueError(msg)
    elif path.suffix == ".npy":
        stamp = json.loads(path.with_name(f"{path.name}.stamp.json").read_text())
        if stamp["n_bytes"] != path.stat().st_size:
            msg = "shorter than its stamp says"
            raise ValueError(msg)


def _lies(record: Path) -> Iterator[str]:
    """Yield what a record says that is not so; a product may be absent."""
    try:
        content = json.loads(record.read_text())
    except ValueError:
        return  # half a file, which is told as such
    if content.get("state", "done") != "done":
        return
    for entry in (each for each in content.get("products", ()) if isinstance(each, dict)):
        path = record.parent / entry["file"]
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            yield f"{path.name}: is not what {record.name} tells of"
