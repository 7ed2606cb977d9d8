"""``napari-kmos cut``: IFUs and halves cut out of a mosaic."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_output_dir, add_parameters, build_parameters
from napari_kmos.recipes.cut import cut
from napari_kmos.recipes.cut_parameters import CutParameters, CutSource

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "cut"
HELP = (
    "Cut IFUs out of a mosaic, with noise and coordinates and without resampling, and, where its exposures were "
    "interrupted for the sky, the halves before and after. Where they are is told by the exposures (--from), by the "
    "log of kmos_combine (--log), or by a table (--table). Beside <mosaic>_IFU<n>_half<h>.fits stands "
    "<mosaic>_cuts.ecsv, which can be edited and given as --table."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, metavar="MOSAIC", help="mosaic or any other cube")
    add_output_dir(parser)
    where = parser.add_argument_group("where the IFUs are")
    where.add_argument(
        "--from",
        dest="exposures",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the exposures the mosaic is made of; with --log, they tell the halves",
    )
    where.add_argument("--log", type=Path, metavar="FILE", help="esorex.log of kmos_combine, or its folder")
    where.add_argument(
        "--table",
        type=Path,
        metavar="FILE",
        help="ECSV, CSV or text with columns ifu, x, y (first pixel, counted from 1 as in ds9) and, if need be, half, "
        "n_x, n_y",
    )
    where.add_argument("--offsets", type=Path, metavar="FILE", help="offsets with which the exposures were combined")
    add_parameters(parser, CutParameters, title="what is cut out")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Cut."""
    source = CutSource(exposures=args.exposures or (), offsets=args.offsets, log=args.log, table=args.table)
    return cut(
        args.file,
        args.output,
        source=source,
        parameters=build_parameters(args, CutParameters),
        overwrite=args.overwrite,
        progress=progress,
    )
