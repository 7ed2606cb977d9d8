"""The first plane of the mosaic on the screen, beside the same viewer showing a numpy memory map of that plane.

Run it by `python benchmarks/first_plane.py --mosaic FILE [--repeats 5]`, where a window can be opened. Each showing has
a viewer of its own, at rest before the clock starts.
"""

from __future__ import annotations

import statistics

from measuring import OURS, Child, Row, arguments, print_table, warm

RIVAL = "numpy memory map"
SECONDS, MEGABYTES = 0.1, 150.0


def main() -> None:
    """Print a line for the time and a line for the memory."""
    given = arguments(__doc__, repeats=5).parse_args()
    warm(given.mosaic)
    kinds = {OURS: "ours", RIVAL: "memmap"}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for _ in range(given.repeats):
        for name, kind in kinds.items():
            with Child("window.py", kind, given.mosaic) as child:
                found[name].append(child.ask("first_plane"))
    rows = []
    for what, unit, more in (("first plane on the screen", "s", SECONDS), ("its memory", "MB", MEGABYTES)):
        values = {name: statistics.median(one[unit] for one in all_) for name, all_ in found.items()}
        limit = f"{RIVAL} + {more:g} {unit}"
        rows.append(Row(what=what, values=values, limit=limit, bound=values[RIVAL] + more, unit=unit))
    print_table(rows)


if __name__ == "__main__":
    main()
