"""``napari-kmos run``: do every step of a plan, resumable."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.engine import add_jobs, add_program, build_esorex
from napari_kmos.cli.options import add_output_dir, add_scheduler
from napari_kmos.esorex import ENGINES
from napari_kmos.recipes.run import run_plan
from napari_kmos.recipes.steps import STEPS

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "run"
HELP = (
    "Do every step of a plan: sky-tweak, align, combine, extract, compare. What is done and unchanged is not done "
    "again; a run that was stopped goes on where it stopped."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("plan", type=Path, metavar="night.toml", help="plan, as `napari-kmos plan` writes it")
    add_output_dir(parser)
    parser.add_argument(
        "--from",
        dest="from_step",
        choices=list(STEPS),
        metavar="STEP",
        help=f"do this step and those after it again, changed or not: {', '.join(STEPS)}",
    )
    add_scheduler(parser)
    group = parser.add_argument_group("ESO's pipeline")
    text = "what does sky-tweak and combine: napari-kmos, or ESO's recipes (default: what the plan says)"
    group.add_argument("--engine", choices=ENGINES, help=text)
    add_program(group)
    add_jobs(group)


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Run the plan."""
    return run_plan(
        args.plan,
        args.output,
        from_step=args.from_step,
        engine=args.engine,
        esorex=build_esorex(args),
        overwrite=args.overwrite,
        progress=progress,
    )
