"""Time and memory of `napari-kmos sky-tweak` on an exposure of 24 IFUs, and ZAP's time on the same cubes.

The command is a process of its own, start, reading, figures, tables and writing included; memory is the most it held at
a time. ZAP reads, subtracts and writes; its start and imports lie outside the clock. "Cubes alone" is the same by our
library. All take turns, `--repeats` times; the medians are printed.

    python benchmarks/sky_speed.py [--quick] [--rivals PYTHON] [--night DIR] [--repeats 3]
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from commands import run_command
from measuring import OURS, Child, FailedError, Row, in_turn, print_table, seconds

from napari_kmos.io import read_exposure, write_exposure
from napari_kmos.sky import subtract_sky

#: Limits: seconds, megabytes, share of ZAP's time.
BOUND_S, BOUND_MB, OF_ZAP = 20.0, 1000.0, 1 / 3
N_IFUS, QUICK_IFUS = 24, 3
_ANGSTROM = 1e4  # in a micron


def main() -> None:
    """Print a line for time and one for memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rivals", default="", metavar="PYTHON", help="interpreter that has zap")
    parser.add_argument("--night", type=Path, help="folder made by `napari-kmos simulate`; one is made if not given")
    parser.add_argument("--method", default="levels")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="three IFUs, once")
    given = parser.parse_args()
    n_ifus = QUICK_IFUS if given.quick else N_IFUS
    with tempfile.TemporaryDirectory() as folder:
        target, sky = _night(given.night or _simulated(Path(folder) / "night", n_ifus))
        _write_for_zap(target, sky, Path(folder))
        peaks: list[float] = []
        command = ["sky-tweak", target, "--sky", sky, "-o", Path(folder) / "out", "--method", given.method]
        alone = functools.partial(_cubes_alone, target, sky, Path(folder) / "alone.fits", given.method)
        zap = _zap(given.rivals, Path(folder))
        rival: dict[str, Callable[[], Any]] = {} if zap is None else {"ZAP": lambda: zap.ask("subtract")}
        calls = {OURS: lambda: _timed([*command, "-q", "--overwrite"], peaks), "alone": lambda: seconds(alone), **rival}
        times = in_turn(calls, 1 if given.quick else given.repeats)
        memory: dict[str, float | str] = {OURS: max(peaks)}
        if zap is not None:
            memory["ZAP"] = zap.ask("peak_mb")
            zap.__exit__()
    ours = times.pop("alone")
    what = f"{n_ifus} IFUs by {given.method}"
    print_table(
        [
            Row(what=what, values=times, limit=f"{BOUND_S:g} s", bound=BOUND_S),
            _of_zap(f"{what}, cubes alone", {**times, OURS: ours}),
            Row(what=what, values=memory, limit=f"{BOUND_MB:g} MB", bound=BOUND_MB, unit="MB"),
        ]
    )


def _of_zap(what: str, values: dict[str, float | str]) -> Row:
    bound = values.get("ZAP")
    return Row(
        what=what, values=values, limit="a third of ZAP's", bound=OF_ZAP * bound if isinstance(bound, float) else None
    )


def _cubes_alone(target: Path, sky: Path, out: Path, method: str) -> None:
    """Read, subtract and write, IFU by IFU."""
    exposure, other = read_exposure(target), read_exposure(sky)
    arms = tuple(
        arm
        if arm.cube is None
        else dataclasses.replace(arm, cube=subtract_sky(arm.cube, other.cube(arm.number), method=method).cube)
        for arm in exposure.arms
    )
    write_exposure(dataclasses.replace(exposure, arms=arms), out, overwrite=True)


def _simulated(folder: Path, n_ifus: int) -> Path:
    words = ["simulate", folder, "--ifus", n_ifus, "--exposures", 1, "--epochs", 1, "--airglow", 4, "-q"]
    subprocess.run([sys.executable, "-m", "napari_kmos", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    return folder


def _night(folder: Path) -> tuple[Path, Path]:
    """Return the first object and the first sky exposure of a folder."""
    paths = sorted(path for path in folder.rglob("*.fits") if "SCI" in path.name)
    sky = next(path for path in paths if "sky" in path.as_posix().lower())
    return next(path for path in paths if path != sky and "sky" not in path.as_posix().lower()), sky


def _timed(words: list[Any], peaks: list[float]) -> float:
    """Run our command; return its seconds, and add its peak of memory in MB to the list."""
    taken = run_command(*words)
    peaks.append(taken.peak_mb)
    return taken.seconds


def _zap(python: str, folder: Path) -> Child | None:
    """Return a process with ZAP, or say why there is none."""
    if not python:
        print("No ZAP: name an interpreter that has it with `--rivals`.", flush=True)
        return None
    child = Child("sky_zap.py", folder, python=python)
    try:
        print(f"ZAP {child.ask('version')}.\n", flush=True)
    except FailedError as err:
        print(f"ZAP does not take part: {err}", flush=True)
        return None
    return child


def _write_for_zap(target: Path, sky: Path, folder: Path) -> None:
    """Write each IFU as a file that ZAP takes: a cube of MUSE, it is told."""
    for name, path in (("object", target), ("sky", sky)):
        for cube in read_exposure(path).cubes:
            wave = cube.wavelength_um
            image = fits.ImageHDU(np.asarray(cube.flux), name="DATA")
            image.header["CTYPE1"], image.header["CTYPE2"], image.header["CTYPE3"] = "RA---TAN", "DEC--TAN", "WAVE"
            image.header["CRPIX3"], image.header["CUNIT3"] = 1.0, "Angstrom"
            image.header["CRVAL3"] = float(wave[0]) * _ANGSTROM
            image.header["CDELT3"] = float(wave[1] - wave[0]) * _ANGSTROM
            primary = fits.PrimaryHDU()
            primary.header["INSTRUME"] = "MUSE"
            fits.HDUList([primary, image]).writeto(folder / f"{name}_{cube.ifu:02d}.fits", overwrite=True)


if __name__ == "__main__":
    main()
