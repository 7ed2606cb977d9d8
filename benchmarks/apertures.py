"""Aperture spectra of the mosaic: one that is dragged in the window, and fifty, beside other libraries.

Run it by `python benchmarks/apertures.py --mosaic FILE [--rivals PYTHON] [--repeats 15]`, where a window can be opened.
An aperture is a circle of 3 spaxels with a ring around it as sky, and errors from the noise extension. In the window
the clock runs from napari's move of the point to the data of the plot, its drawing excluded; the others only compute:
warm with the file open already, cold from opening it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from measuring import OURS, Child, Row, arguments, at_most, drop, in_turn, print_table, rivals, seconds, warm

N_PLACES = 50
MARGIN_PIX = 20
WARM_S, COLD_S, FIFTY_S = 0.030, 0.050, 1.0


def main() -> None:
    """Print a line for each way to have a spectrum."""
    given = arguments(__doc__, repeats=15).parse_args()
    with tempfile.TemporaryDirectory(dir=given.mosaic.parent) as folder:
        cache = Path(folder)
        with Child("ours.py", given.mosaic, cache=cache) as ours:
            others = rivals(given)
            places = _places(ours.ask("shape"))
            warm(given.mosaic)
            fifty = {OURS: lambda: ours.ask("apertures", places=places)}
            for name, child in others.items():
                fifty[name] = lambda child=child: child.ask("do", task="aperture", keep=True, places=places)
            rows = [Row(what=f"{N_PLACES} apertures, warm", values=in_turn(fifty, 3))]
            warm_s, cold_s = _dragged(given, cache, places, others)
            rows += [Row(what="one dragged, warm", values=warm_s), Row(what="one dragged, cold", values=cold_s)]
            rows.append(Row(what="making the cache, once", values={OURS: seconds(lambda: ours.ask("index"))}))
            rows.append(at_most(f"{N_PLACES} apertures, warm, with the cache", in_turn(fifty, 3), FIFTY_S))
            warm_s, cold_s = _dragged(given, cache, places, others)
            rows.append(at_most("one dragged, warm, with the cache", warm_s, WARM_S))
            rows.append(at_most("one dragged, cold, with the cache", cold_s, COLD_S))
        print_table(rows)


def _places(shape: Sequence[int]) -> list[dict[str, float]]:
    rng = np.random.default_rng(1)
    low, high = [MARGIN_PIX, MARGIN_PIX], [shape[1] - MARGIN_PIX, shape[2] - MARGIN_PIX]
    return [{"y": float(y), "x": float(x)} for y, x in rng.uniform(low, high, (N_PLACES, 2))]


def _dragged(
    given: argparse.Namespace, cache: Path, places: Sequence[dict[str, float]], others: Mapping[str, Child]
) -> tuple[dict[str, float | str], dict[str, float | str]]:
    """Drag an aperture from place to place: with the files in memory, and from the disk."""
    numbers = (number % N_PLACES for number in itertools.count(1))
    how = {
        "cache": cache,
        "cache_gib": 100.0 if any(cache.iterdir()) else 0.0,
    }  # without room nothing is built meanwhile
    with Child("window.py", "ours", given.mosaic, "docks", **how) as window:
        window.ask("cube")
        window.ask("place", places=[[place["y"], place["x"]] for place in places])
        asks = {OURS: lambda **_: window.ask("drag", number=next(numbers))}
        for name, child in others.items():
            asks[name] = lambda child=child, **how: child.ask("do", task="aperture", **places[next(numbers)], **how)

        files = [given.mosaic, *(path for path in cache.rglob("*") if path.is_file())]

        def cold(ask: Callable[..., float]) -> float:
            drop(*files)
            return ask(keep=False)

        os.sync()  # what was just made shall not be on its way to the disk meanwhile
        for path in files:
            warm(path)
        for ask in asks.values():
            ask(keep=True)
        warm_s = in_turn({name: lambda ask=ask: ask(keep=True) for name, ask in asks.items()}, given.repeats)
        for child in others.values():
            child.ask("close")
        cold_s = in_turn({name: lambda ask=ask: cold(ask) for name, ask in asks.items()}, max(3, given.repeats // 3))
    return warm_s, cold_s


if __name__ == "__main__":
    main()
