"""The most memory each command on a mosaic needs: the largest data segment of its process, by looking all the time.

Run it by `python benchmarks/memory.py --mosaic FILE`, on Linux. It is what the limit `RLIMIT_DATA` counts: heap,
private mappings and stacks, touched or not; not what is mapped from files and only read.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import OURS, Row, arguments, data_mb, print_table

from napari_kmos import read_cube
from napari_kmos.spatial.wcs import pixel_to_sky

BOUND_MB = 2**30 / 1e6
_EVERY_S = 0.01


def main() -> None:
    """Print a line a command."""
    given = arguments(__doc__, repeats=1).parse_args()
    mosaic = given.mosaic.absolute()
    cube = read_cube(mosaic)
    n_planes, n_y, n_x = cube.shape
    ra, dec = (float(value) for value in pixel_to_sky(cube.wcs, n_y / 2, n_x / 2))
    low, high = (float(cube.wavelength_um[plane]) for plane in (n_planes // 3, n_planes // 2))
    index = "import sys, napari_kmos; from napari_kmos.summary import index; index(napari_kmos.read_cube(sys.argv[1]))"
    with tempfile.TemporaryDirectory(dir=mosaic.parent) as folder:
        out = Path(folder)
        stars = out / "stars.reg"
        stars.write_text(f'icrs;circle({ra},{dec},0.3")\n')
        window = f"{low}-{high}"
        runs = {
            "info": ["info", mosaic],
            "extract": ["extract", mosaic, "--apertures", stars, "-o", out / "spectra"],
            "map": ["map", mosaic, "--line", window, "-o", out / "maps"],
            "crop in wavelength": ["crop", mosaic, "--wave", window, "-o", out / "part.fits"],
            "crop on the sky": ["crop", mosaic, "--box", f"{ra},{dec},6,6", "-o", out / "box.fits"],
        }
        commands = {name: ["-m", "napari_kmos", *words, "-q"] for name, words in runs.items()}
        commands["index"] = ["-c", index, mosaic]
        environment = {**os.environ, "NAPARI_KMOS_CACHE": str(out / "cache"), "NAPARI_KMOS_CACHE_GIB": "100"}
        rows = []
        for name, words in commands.items():
            taken = _peak_mb([sys.executable, *map(str, words)], environment)
            rows.append(Row(what=name, values={OURS: taken}, limit="1 GiB", bound=BOUND_MB, unit="MB"))
        print_table(rows)


def _peak_mb(command: list[str], environment: dict[str, str]) -> float | str:
    """Most data the process had; or how it ended, if not well."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, data_mb(process.pid))
        time.sleep(_EVERY_S)
    return peak if process.returncode == 0 else f"ended with status {process.returncode}"


if __name__ == "__main__":
    main()
