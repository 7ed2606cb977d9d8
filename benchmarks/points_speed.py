"""A star dragged over the mosaic, step by step, beside one reading of a spaxel.

Run it by `python benchmarks/points_speed.py --mosaic FILE [--repeats 60]`, where a window can be opened. The clock runs
from napari's move of the point to the data of the plot, its drawing excluded; a step is half a spaxel, the aperture 3
spaxels with a ring around it as sky, and errors from the noise extension. A fast drag goes 40 spaxels, one every 16 ms,
with everything drawn; its clock runs until the plot has that place or a later one. Once as the file is, with it in the
system's memory, and once with the cache that the viewer makes while one works. A spaxel is read from the file as it is,
both its flux and its noise.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

from measuring import OURS, Child, Row, arguments, print_table, warm

STEP_PIX = 0.5
#: What the viewer holds in memory about the star shall not serve the spaxel.
AWAY_PIX = 100
#: A fast drag: so many spaxels, in turn right, up and to the left, and slantwise.
SWEEP_PIX = 40
SWEEPS = ((0, 1), (1, 0), (0, -1), (-1, 1))
LIMIT_S = 0.030
#: Rows and columns where drags begin.
STARTS = ((150.0, 200.0), (220.0, 420.0), (300.0, 300.0))


def main() -> None:
    """Print median and 90th percentile of steps, without and with the cache."""
    given = arguments(__doc__, repeats=60).parse_args()
    rows = []
    for what, cached in (("as the file is", False), ("with the cache", True)):
        with tempfile.TemporaryDirectory(dir=given.mosaic.parent) as folder:
            if cached:
                with Child("ours.py", given.mosaic, cache=Path(folder)) as ours:
                    ours.ask("index")
                os.sync()  # what was just made shall not be on its way to the disk meanwhile
            warm(given.mosaic)
            rows += _rows(what, _measured(given.mosaic, Path(folder), given.repeats, cached=cached))
    print_table(rows)


def _measured(mosaic: Path, cache: Path, repeats: int, *, cached: bool) -> dict[str, list[float]]:
    """Return the seconds of the steps of drags, of the processor, of fast drags, and of readings of a spaxel."""
    n_steps = max(repeats // len(STARTS), 1)
    found: dict[str, list[float]] = {"steps": [], "busy": [], "fast": [], "spaxels": []}
    limit = 100.0 if cached else 0.0  # without room nothing is built meanwhile
    with Child("window.py", "ours", mosaic, "docks", cache=cache, cache_gib=limit) as window:
        window.ask("cube")
        for y, x in STARTS:
            track = _track((y, x), (STEP_PIX, STEP_PIX), n_steps)
            window.ask("place", places=track)
            for number in range(1, len(track)):
                taken, busy = window.ask("drag", number=number)
                found["steps"].append(taken)
                found["busy"].append(busy)
            found["spaxels"] += [window.ask("spaxel", place=[y - AWAY_PIX, x]) for y, x in track[1:]]
        for number, step in enumerate(SWEEPS):
            window.ask("place", places=_track(STARTS[number % len(STARTS)], step, SWEEP_PIX))
            found["fast"] += window.ask("sweep")
    return found


def _track(start: tuple[float, float], step: tuple[float, float], n_steps: int) -> list[list[float]]:
    """Return places in a row."""
    return [[start[0] + step[0] * k, start[1] + step[1] * k] for k in range(n_steps + 1)]


def _rows(what: str, found: dict[str, list[float]]) -> list[Row]:
    spaxel = {"a spaxel": statistics.median(found["spaxels"])}
    named = {"steps": "step of a drag", "busy": "of which the processor works", "fast": "step of a fast drag"}
    rows = []
    for name, text in named.items():
        median, slow = statistics.median(found[name]), statistics.quantiles(found[name], n=10)[-1]
        beside = spaxel if name == "steps" else {}
        rows += [
            Row(what=f"{text}, {what}", values={OURS: median, **beside}, limit="30 ms", bound=LIMIT_S),
            Row(what=f"the same, 90th percentile, {what}", values={OURS: slow}, limit="30 ms", bound=LIMIT_S),
        ]
    return rows


if __name__ == "__main__":
    main()
