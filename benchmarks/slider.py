"""A step of the slider on the mosaic, beside the same viewer with a numpy memory map.

Run it by `python benchmarks/slider.py --mosaic FILE [--repeats 60]`, where a window can be opened. Neighbouring planes,
the file in memory; once with napari alone, once with the dock *Spectra*,
which follows the slider.
"""

from __future__ import annotations

from measuring import OURS, Child, Row, arguments, in_turn, print_table, times, warm

RIVAL = "numpy memory map"
FACTOR = 1.2
_FIRST = 1000


def main() -> None:
    """Print a line without the dock and a line with it."""
    given = arguments(__doc__, repeats=60).parse_args()
    warm(given.mosaic)
    print_table([_row(given, "step of the slider"), _row(given, "the same with the dock Spectra open", "docks")])


def _row(given, what: str, *words: str) -> Row:
    with (
        Child("window.py", "ours", given.mosaic, *words) as ours,
        Child("window.py", "memmap", given.mosaic, *words) as other,
    ):
        children = {OURS: ours, RIVAL: other}
        planes = {name: iter(range(_FIRST, _FIRST + given.repeats + 1)) for name in children}
        for name, child in children.items():
            child.ask("cube")
            child.ask("step", plane=next(planes[name]))
        calls = {name: lambda n=name, c=child: c.ask("step", plane=next(planes[n])) for name, child in children.items()}
        return times(what, in_turn(calls, given.repeats), FACTOR, RIVAL)


if __name__ == "__main__":
    main()
