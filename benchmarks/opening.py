"""From nothing to one plane of the mosaic in memory, beside other libraries; imports lie outside the clock.

Run it by `python benchmarks/opening.py --mosaic FILE [--rivals PYTHON] [--repeats 15]`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from measuring import OURS, Child, Row, arguments, drop, in_turn, print_table, rivals, warm

_STEP = 997  # planes far from each other


def main() -> None:
    """Print a line warm and a line cold."""
    given = arguments(__doc__, repeats=15).parse_args()
    with Child("ours.py", given.mosaic) as ours:
        others = rivals(given)
        n_planes = ours.ask("shape")[0]
        numbers = (number * _STEP % n_planes for number in itertools.count(1))

        def one(ask: Callable[[int], float], *, cold: bool) -> float:
            if cold:
                drop(given.mosaic)
            return ask(next(numbers))

        asks = {OURS: lambda number: ours.ask("plane", number=number)}
        for name, child in others.items():
            asks[name] = lambda number, child=child: child.ask("do", task="plane", number=number)
        rows = []
        for what, cold in (("in memory already", False), ("from the disk", True)):
            warm(given.mosaic)
            calls = {name: lambda ask=ask, cold=cold: one(ask, cold=cold) for name, ask in asks.items()}
            rows.append(Row(what=f"open, one plane, {what}", values=in_turn(calls, given.repeats)))
        print_table(rows)


if __name__ == "__main__":
    main()
