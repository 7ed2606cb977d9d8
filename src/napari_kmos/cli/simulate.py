"""``napari-kmos simulate``: write a simulated night."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_parameters, build_parameters
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "simulate"
HELP = "Write a simulated night: object and sky exposures of a crowded field as the pipeline makes them, and the truth."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("output", type=Path, metavar="DIR", help="folder of the night; made if missing")
    add_parameters(parser, SimulationParameters, title="the night")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Simulate and write."""
    parameters = build_parameters(args, SimulationParameters)
    return simulate(args.output, parameters=parameters, overwrite=args.overwrite, progress=progress)
