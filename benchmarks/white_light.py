"""White light of the mosaic: the preview, the exact median beside the plain floor, and what was kept on later openings.

    python benchmarks/white_light.py --mosaic FILE [--rivals PYTHON] [--repeats 3]

The floor is what numpy takes without any thought of NaN: blocks of 8 rows read from a memory map, made contiguous along
the wavelengths, `np.partition` in two threads. MPDAF, spectral-cube and astropy do it once only: it takes a minute.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from astropy.io import fits
from measuring import OURS, Child, arguments, at_most, in_turn, print_table, rivals, times, warm

FLOOR = "floor"
_ROWS, _THREADS = 8, 2


def floor(path: Path) -> np.ndarray:
    """Return the median over the wavelengths as plainly as it can be had."""
    with fits.open(path, memmap=True) as hdus:
        cube = hdus[1].data
        n_planes, n_y, _ = cube.shape

        def block(row: int) -> np.ndarray:
            spectra = np.ascontiguousarray(cube[:, row : row + _ROWS].reshape(n_planes, -1).T, dtype=np.float32)
            return np.partition(spectra, n_planes // 2, axis=1)[:, n_planes // 2]

        with ThreadPoolExecutor(_THREADS) as pool:
            return np.concatenate(list(pool.map(block, range(0, n_y, _ROWS))))


def main() -> None:
    """Print a line for the preview, the exact median, and the later opening."""
    given = arguments(__doc__, repeats=3).parse_args()
    others = rivals(given)
    warm(given.mosaic)
    preview = in_turn({OURS: lambda: _fresh(given.mosaic, "preview_white_light")}, given.repeats)
    turns = {OURS: lambda: _fresh(given.mosaic, "white_light"), FLOOR: lambda: _floor(given.mosaic)}
    exact = in_turn(turns, given.repeats)
    once = in_turn({name: lambda child=child: child.ask("do", task="median") for name, child in others.items()}, 1)
    later = in_turn({OURS: lambda: _again(given.mosaic)}, given.repeats)
    print_table(
        [
            at_most("preview", preview, 1.0),
            times("exact median", {**exact, **once}, 1.3, FLOOR),
            at_most("the same on a later opening", later, 0.1),
        ]
    )


def _fresh(mosaic: Path, function: str) -> float:
    """Seconds in a new process with nothing kept, from the name of the file to the image."""
    with tempfile.TemporaryDirectory() as cache, Child("ours.py", mosaic, cache=Path(cache)) as child:
        return child.ask("summary", function=function)


def _again(mosaic: Path) -> float:
    """Return the same where another process has kept it."""
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            with Child("ours.py", mosaic, cache=Path(cache)) as child:
                taken = child.ask("summary", function="white_light")
        return taken


def _floor(mosaic: Path) -> float:
    with Child("ours.py", mosaic) as child:
        return child.ask("floor")


if __name__ == "__main__":
    main()
