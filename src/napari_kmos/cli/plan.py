"""``napari-kmos plan``: find objects and skies, pair them, write an editable plan."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_files, add_output_file
from napari_kmos.recipes.plan import make_plan

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "plan"
HELP = (
    "Find the science and sky exposures in folders, pair objects with skies by time and IFU, group them by epochs and "
    "halves, and write all that as a plan: a TOML file to be edited and given to `napari-kmos run`."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "folders with the pipeline's products, any tree below them", dest="folders", metavar="FOLDER")
    add_output_file(parser, "night.toml", "the plan")
    parser.add_argument(
        "--sky",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="folders or files that hold skies, where neither OB name, OBJECT, file nor folder name says so",
    )
    parser.add_argument(
        "--gap-days",
        type=float,
        default=30.0,
        metavar="DAYS",
        help="a longer time without exposures begins a new epoch (default: 30)",
    )


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Write the plan."""
    return make_plan(
        args.folders,
        args.output,
        skies=args.sky,
        gap_days=args.gap_days,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Return what was found, and why each file was taken as what it was."""
    found = outcome.measured
    epochs = ", ".join(f"{name}: {count}" for name, count in found["epochs"].items())
    lines = [
        f"  {found['objects']} objects ({epochs}), {found['skies']} skies, {found['skipped']} left out; "
        f"band {', '.join(found['bands']) or 'unknown'}; targets {', '.join(found['targets']) or 'without names'}"
    ]
    skies = {file: Path(names[0]).name for file, names in found["pairs"].items() if names}
    for file, why in found["why"].items():
        paired = f"  sky: {skies[file]}" if file in skies else ""
        lines.append(f"  {Path(file).name}: {why}{paired}")
    return "\n".join(lines)
