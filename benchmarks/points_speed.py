"""A star dragged over the mosaic, step by step, beside one reading of a spaxel.

Run it by `python benchmarks/points_speed.py --mosaic FILE [--repeats 60]`, where a window can be opened. The clock runs
from napari's move of the point to the data of the plot, its drawing excluded; a step is half a spaxel, the aperture 3
spaxels with a ring around it as sky, and errors from the noise extension. Once as the file is, with it in the system's
memory, and once with the cache that the viewer makes while one works. A spaxel is read from the file as it is, both its
flux and its noise.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import OURS, Child, Row, arguments, print_table, warm

STEP_PIX = 0.5
#: What the viewer holds in memory about the star shall not serve the spaxel.
AWAY_PIX = 100
LIMIT_S = 0.030
#: Rows and columns where drags begin.
STARTS = ((150.0, 200.0), (220.0, 420.0), (300.0, 300.0))


def main() -> None:
    """Print median and 90th percentile of a step, without and with the cache."""
    given = arguments(__doc__, repeats=60).parse_args()
    rows = []
    for what, cached in (("as the file is", False), ("with the cache", True)):
        with tempfile.TemporaryDirectory(dir=given.mosaic.parent) as folder:
            if cached:
                with Child("ours.py", given.mosaic, cache=Path(folder)) as ours:
                    ours.ask("index")
                os.sync()  # what was just made shall not be on its way to the disk meanwhile
            warm(given.mosaic)
            rows += _rows(what, *_measured(given.mosaic, Path(folder), given.repeats, cached=cached))
    print_table(rows)


def _measured(mosaic: Path, cache: Path, repeats: int, *, cached: bool) -> tuple[list[float], list[float]]:
    """Return the seconds of each step of some drags, and of each reading of a spaxel."""
    n_steps = max(repeats // len(STARTS), 1)
    tracks = [[[y + STEP_PIX * k, x + STEP_PIX * k] for k in range(n_steps + 1)] for y, x in STARTS]
    steps: list[float] = []
    spaxels: list[float] = []
    limit = 100.0 if cached else 0.0  # without room nothing is built meanwhile
    with Child("window.py", "ours", mosaic, "docks", cache=cache, cache_gib=limit) as window:
        window.ask("cube")
        for track in tracks:
            window.ask("place", places=track)
            steps += [window.ask("drag", number=number) for number in range(1, len(track))]
            spaxels += [window.ask("spaxel", place=[y - AWAY_PIX, x]) for y, x in track[1:]]
    return steps, spaxels


def _rows(what: str, steps: Sequence[float], spaxels: Sequence[float]) -> list[Row]:
    median, slow = statistics.median(steps), statistics.quantiles(steps, n=10)[-1]
    spaxel = {"a spaxel": statistics.median(spaxels)}
    return [
        Row(what=f"step of a drag, {what}", values={OURS: median, **spaxel}, limit="30 ms", bound=LIMIT_S),
        Row(what=f"the same, 90th percentile, {what}", values={OURS: slow}, limit="30 ms", bound=LIMIT_S),
    ]


if __name__ == "__main__":
    main()
