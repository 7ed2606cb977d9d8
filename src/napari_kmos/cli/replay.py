"""``napari-kmos replay``: a product made again from its record, and compared."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_output_dir
from napari_kmos.recipes.replay import TOLERANCE, replay

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "replay"
HELP = (
    "Make the products of a step again, as the record beside them tells, and compare: equal within rounding, or what "
    "differs. Exit status 0: equal; 1: not; 2: it cannot be made again."
)
EQUAL, DIFFERENT = 0, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, metavar="RECORD|PRODUCT", help="a record (.json), or a product that has one")
    add_output_dir(parser)
    parser.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE,
        metavar="X",
        help="numbers that differ by less are equal: relative, in images to the largest value of the plane "
        "(default: %(default)g)",
    )


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Make it again."""
    return replay(args.file, args.output, tolerance=args.tolerance, overwrite=args.overwrite, progress=progress)


def describe(outcome: Outcome) -> str:
    """Return the verdict, and why."""
    told = outcome.measured
    head = f"{told['step']}: {'equal' if told['equal'] else 'differs'} ({len(told['differences'])} products compared)"
    return "\n".join((head, *(f"  {line}" for line in _lines(outcome))))


def status(outcome: Outcome) -> int:
    """Return 1 if a product is not what it was."""
    return EQUAL if outcome.measured["equal"] else DIFFERENT


def _lines(outcome: Outcome) -> Iterator[str]:
    """Yield the reasons."""
    told = outcome.measured
    for path in told["inputs"]:
        yield f"input changed: {path}"
    for name, texts in told["differences"].items():
        yield from (f"{name}: {text}" for text in texts)
    for what in ("versions", "parameters"):
        for name, values in told[what].items():
            yield f"{what.removesuffix('s')} changed: {name} was {values['then']}, is {values['now'] or 'missing'}"
    if told["not_compared"]:
        yield f"not compared, pictures: {', '.join(told['not_compared'])}"
