"""The IFUs of an exposure on the screen with median images, beside ready arrays of that size in napari.

Run it by `python benchmarks/ifus.py EXPOSURE [--repeats 5]`, where a window can be opened. Each showing has a viewer of
its own, at rest before the clock starts; the arrays of the rival are in memory by then.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from measuring import OURS, Child, in_turn, print_table, times, warm

RIVAL = "ready arrays"
FACTOR = 1.3


def main() -> None:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("exposure", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    warm(given.exposure)
    calls = {OURS: lambda: _show("ours", given.exposure), RIVAL: lambda: _show("memmap", given.exposure)}
    print_table([times("all IFUs with median images", in_turn(calls, given.repeats), FACTOR, RIVAL)])


def _show(kind: str, exposure: Path) -> float:
    with Child("window.py", kind, exposure) as child:
        return child.ask("medians")


if __name__ == "__main__":
    main()
