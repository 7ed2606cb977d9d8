"""How long it takes to correct the coordinates of a mosaic, beside `cat`, and the memory that it needs.

Its stars, with places that are right, are given as pairs, so that nothing but the copy is timed, and as a catalogue,
for which the white light is made first. Run it by `python benchmarks/solve_wcs.py --mosaic FILE`, with room on the
disk for two copies. Files are read from the disk each time.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table
from commands import Taken, idle_mb, one_of, run_command, taken_in_turn
from measuring import OURS, Row, arguments, drop, facts, print_table

from napari_kmos import read_cube
from napari_kmos.align import white_light
from napari_kmos.align.solving import turn_wcs
from napari_kmos.spatial.wcs import pixel_to_sky, shift_wcs, sky_to_pixel
from napari_kmos.stars import find_stars

#: By how much the header is wrong: arcsec east and north, degrees.
EAST, NORTH, TURN = 3.0, -2.0, 1.0
N_STARS, FWHM_ARCSEC = 300, 0.3
PAIRS, CATALOGUE, CAT = "pairs", "a catalogue", "cat"


def main() -> None:
    """Print a table of times, and the memory above idle."""
    given = arguments(__doc__, repeats=2).parse_args()
    mosaic = given.mosaic.absolute()
    with tempfile.TemporaryDirectory(dir=mosaic.parent) as folder:
        out = Path(folder)
        _write_stars(mosaic, out)
        ours = functools.partial(_solve, mosaic, out)
        calls = {
            PAIRS: functools.partial(ours, "--pairs", out / "pairs.csv"),
            CATALOGUE: functools.partial(ours, "--catalogue", out / "stars.csv"),
            CAT: functools.partial(_cat, mosaic, out / "copy"),
        }
        taken = taken_in_turn(calls, given.repeats)
    print(f"{facts(mosaic)}\n")
    seconds, memory = one_of("seconds", taken), one_of("peak_mb", taken)
    idle = idle_mb("solve-wcs")
    rows = []
    for name in (PAIRS, CATALOGUE):
        own = memory[name]
        above = own - idle if isinstance(own, float) else own
        rows += [
            Row(what=f"by {name}", values={OURS: seconds[name], CAT: seconds[CAT]}),
            Row(what=f"by {name}, memory above idle", values={OURS: above}, unit="MB"),
        ]
    print_table(rows)


def _write_stars(mosaic: Path, out: Path) -> None:
    """Write the stars of a mosaic as pairs and as a catalogue, at the places where other coordinates have them."""
    cube = read_cube(mosaic)
    image = white_light(cube)
    found = find_stars(image, fwhm_arcsec=FWHM_ARCSEC, threshold=10.0, radius_arcsec=FWHM_ARCSEC, most=N_STARS)
    y, x = sky_to_pixel(cube.wcs, np.array([one.ra for one in found]), np.array([one.dec for one in found]))
    ra, dec = pixel_to_sky(turn_wcs(shift_wcs(cube.wcs, EAST, NORTH), TURN, 1.0), y, x)
    light = image.data[np.rint(y).astype(int), np.rint(x).astype(int)]
    Table({"x": x[:20] + 1, "y": y[:20] + 1, "ra": ra[:20], "dec": dec[:20]}).write(out / "pairs.csv")
    Table({"ra": ra, "dec": dec, "mag": -2.5 * np.log10(light)}).write(out / "stars.csv")


def _solve(mosaic: Path, out: Path, option: str, stars: Path) -> Taken:
    """Solve with an empty cache."""
    drop(mosaic)
    with tempfile.TemporaryDirectory(dir=out) as made:
        os.environ["NAPARI_KMOS_CACHE"] = f"{made}/cache"
        return run_command("solve-wcs", mosaic, option, stars, "-o", f"{made}/solved", "-q")


def _cat(mosaic: Path, copy: Path) -> Taken:
    """Copy by `cat`."""
    drop(mosaic)
    start = time.perf_counter()
    with copy.open("wb") as stream:
        subprocess.run(["cat", mosaic], stdout=stream, check=True)
    seconds = time.perf_counter() - start
    copy.unlink()
    return Taken(seconds, float("nan"))


if __name__ == "__main__":
    main()
