"""``napari-kmos demo``: the whole job on a simulated night."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.view import open_viewer
from napari_kmos.cli.window import window_problem
from napari_kmos.recipes.demo import demo, text_of_numbers

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "demo"
HELP = (
    "Do the whole job on a simulated night - sky, offsets, combination, star spectra - and compare the products with "
    "the truth. On a desktop the combined cubes open in napari at the end."
)

_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("demo"), metavar="DIR", help="folder of the products (default: demo)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the night (default: 1)")
    parser.add_argument("--no-show", action="store_true", help="open no window at the end")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Simulate, plan, run, compare with the truth."""
    return demo(args.output, seed=args.seed, overwrite=args.overwrite, progress=progress)


def describe(outcome: Outcome) -> str:
    """Return the measured truth."""
    return text_of_numbers(outcome.measured)


def finish(args: argparse.Namespace, outcome: Outcome) -> None:
    """Open the combined cubes where there is a screen."""
    if args.no_show or args.json:
        return
    problem = window_problem()
    if problem:
        _log.warning("no window opened: %s; the pictures are in %s", problem, args.output)
        return
    open_viewer([path for path in outcome.products if path.name.startswith("COMBINE_") and path.suffix == ".fits"])
