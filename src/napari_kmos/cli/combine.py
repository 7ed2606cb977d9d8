"""``napari-kmos combine``: combine exposures into cubes by target, by IFU or as a mosaic."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.engine import add_engine, build_esorex
from napari_kmos.cli.options import (
    add_files,
    add_offsets,
    add_output_dir,
    add_parameters,
    add_scheduler,
    build_parameters,
)
from napari_kmos.combine import CombineParameters, VersusParameters
from napari_kmos.errors import EngineError, KmosError
from napari_kmos.esorex import check_engine
from napari_kmos.recipes.combine import combine
from napari_kmos.recipes.combine_tasks import CombineChoice
from napari_kmos.recipes.selecting import EACH
from napari_kmos.recipes.versus import describe_versus, versus
from napari_kmos.recipes.zero_points import NONE, ZERO_POINTS

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "combine"
HELP = (
    "Combine exposures, resampled once from their own spaxels, into a cube for each target, IFU or half, one of them, "
    "or a mosaic. Beside COMBINE_<name>.fits stand its white-light image, the exposure map and the record. One "
    "exposure alone is split into its targets."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, combined cubes or mosaics")
    add_output_dir(parser)
    parser.add_argument(
        "--drop", nargs="+", type=Path, default=(), metavar="FILE", help="leave these of the files out; names will do"
    )
    _add_what(parser)
    _add_where(parser)
    _add_versus(parser)
    add_scheduler(parser)
    add_engine(parser, "kmos_combine")
    add_parameters(parser, CombineParameters, title="parameters of the combination")


def _add_what(parser: argparse.ArgumentParser) -> None:
    """Add what goes into a product."""
    what = parser.add_argument_group("what is combined").add_mutually_exclusive_group()
    what.add_argument(
        "--each",
        choices=EACH,
        default="target",
        help="a cube for each target, IFU, or half of an IFU: what was exposed before and after the sky of its OB "
        "(default: %(default)s)",
    )
    what.add_argument("--name", metavar="TARGET", help="this target only")
    what.add_argument("--ifus", metavar="LIST", help='one IFU a file, as "3;1;24", or one number for all files')
    what.add_argument("--mosaic", action="store_true", help="all IFUs on one grid")


def _add_where(parser: argparse.ArgumentParser) -> None:
    """Add what is known of places and wavelengths."""
    where = parser.add_argument_group("what is known of the exposures")
    text = "tables of offsets, for --method user; what they say of an exposure, IFU, half or epoch adds up"
    add_offsets(where, text)
    where.add_argument(
        "--cuts",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="where the IFUs and halves of mosaics are, as `cut` writes it (default: <mosaic>_cuts.ecsv beside each)",
    )
    where.add_argument(
        "--zero-points",
        default=NONE,
        metavar="|".join((*ZERO_POINTS, "FILE")),
        help="wavelength zero points to take out: what sky-tweak measured (header), what the sky lines of cubes with "
        "their sky tell (measure), or a table of them (default: %(default)s)",
    )


def _add_versus(parser: argparse.ArgumentParser) -> None:
    """Add the comparison of subsets."""
    parser.add_argument(
        "--versus",
        metavar="A[:B]",
        help="compare two subsets instead: their images, noise and the SNR of stars, as VERSUS_<name>_<a>_<b>.ecsv "
        "with a figure, and no cubes. A subset is half1, half2, epoch1, epoch2, files by number (3 or 2-5), name or "
        "pattern, several with commas, or all; one alone is compared with the rest, without:FILE with all",
    )
    parser.add_argument(
        "--apertures",
        type=Path,
        metavar="FILE",
        help="with --versus: stars (.ecsv or ds9 .reg) whose SNR is compared (default: those found in the image)",
    )
    add_parameters(parser, VersusParameters, title="stars to find, with --versus")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Combine, or compare subsets."""
    names = ("offsets", "unaccepted", "name", "ifus", "mosaic", "each", "drop", "cuts", "zero_points")
    choice = {name: getattr(args, name) for name in names}
    how = {
        "parameters": build_parameters(args, CombineParameters),
        "overwrite": args.overwrite,
        "progress": progress,
    }
    esorex = build_esorex(args)
    if args.versus is None:
        if args.apertures is not None:
            msg = "--apertures are stars whose SNR is compared: give --versus too, or leave them out"
            raise KmosError(msg)
        return combine(args.files, args.output, engine=args.engine, esorex=esorex, **choice, **how)
    if check_engine(args.engine, esorex):
        msg = "--versus compares what the native engine combines; leave it or --engine out"
        raise EngineError(msg)
    stars = {"apertures": args.apertures, "stars": build_parameters(args, VersusParameters)}
    return versus(args.files, args.output, subsets=args.versus, choice=CombineChoice(**choice), **stars, **how)


def describe(outcome: Outcome) -> str:
    """Return the comparison of subsets as text, if there is one."""
    return describe_versus(outcome)
