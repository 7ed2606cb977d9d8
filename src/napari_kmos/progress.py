"""How a long step tells that it goes on, and is told to stop."""

from __future__ import annotations

from collections.abc import Callable

#: Called as ``progress(done, total, text)``; it may raise `Cancelled` to end the step.
Progress = Callable[[int, int, str], None]


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user cancelled a step; products not yet renamed into place are removed."""


def silent(done: int, total: int, text: str) -> None:
    """Report nothing; the default of every ``progress`` parameter."""


def part_of(progress: Progress, part: int, parts: int) -> Progress:
    """Return the progress of one of several equal parts of a step, the first being part 0."""

    def tell(done: int, total: int, text: str) -> None:
        progress(part * total + done, parts * total, text)

    return tell
