"""``napari-kmos combine``: combine exposures into cubes by target, by IFU or as a mosaic."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_files, add_output_dir, add_parameters, add_scheduler, build_parameters
from napari_kmos.combine import CombineParameters
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.offset_rows import UNACCEPTED

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "combine"
HELP = (
    "Combine exposures, resampled once from their own spaxels, into a cube for each target, one IFU, or a mosaic. "
    "Beside COMBINE_<name>.fits stand its white-light image, the exposure map and the record. One exposure alone is "
    "split into its targets."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, combined cubes or mosaics")
    add_output_dir(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--name", metavar="TARGET", help="this target only (default: every target)")
    what.add_argument("--ifus", metavar="LIST", help='one IFU a file, as "3;1;24", or one number for all files')
    what.add_argument("--mosaic", action="store_true", help="all IFUs on one grid")
    parser.add_argument("--offsets", type=Path, metavar="FILE", help="table of offsets, for --method user")
    parser.add_argument(
        "--unaccepted",
        choices=UNACCEPTED,
        default="error",
        help="where an offset is missing or not accepted: stop, trust the header, or skip (default: %(default)s)",
    )
    add_scheduler(parser)
    add_parameters(parser, CombineParameters, title="parameters of the combination")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Combine."""
    return combine(
        args.files,
        args.output,
        parameters=build_parameters(args, CombineParameters),
        offsets=args.offsets,
        unaccepted=args.unaccepted,
        name=args.name,
        ifus=args.ifus,
        mosaic=args.mosaic,
        overwrite=args.overwrite,
        progress=progress,
    )
