"""``napari-kmos offsets``: turn offsets into a kmos_combine shift file or corrected headers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_output_dir
from napari_kmos.recipes.offsets import offsets

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "offsets"
HELP = (
    "Write a table of offsets as what other tools understand: for each target the shift file of kmos_combine with its "
    "SOF (--shifts), or copies of the exposures with corrected CRVAL1 and CRVAL2 (--crval)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("table", type=Path, metavar="FILE.ecsv", help="table of offsets; its files are found by it")
    add_output_dir(parser)
    parser.add_argument("--shifts", action="store_true", help="write shift files, SOF, and the convention in words")
    parser.add_argument("--crval", action="store_true", help="write copies with corrected headers")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Convert offsets."""
    return offsets(
        args.table,
        args.output,
        shifts=args.shifts,
        crval=args.crval,
        overwrite=args.overwrite,
        progress=progress,
    )
