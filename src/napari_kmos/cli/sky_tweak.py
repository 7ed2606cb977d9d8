"""``napari-kmos sky-tweak``: subtract the sky from object exposures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.engine import add_engine, build_esorex
from napari_kmos.cli.options import (
    add_files,
    add_ifu,
    add_output_dir,
    add_parameters,
    build_parameters,
)
from napari_kmos.errors import EngineError
from napari_kmos.esorex import check_engine
from napari_kmos.recipes.sky_compare import describe_comparison, sky_compare
from napari_kmos.recipes.sky_tasks import SKY_STARS
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.sky import DEFAULT_METHOD, PICKS, SKY_METHODS, SkyParameters

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "sky-tweak"
HELP = (
    "Subtract the sky from object exposures, IFU by IFU. Each becomes <input stem>_SKY_TWEAK.fits, with a record, a "
    "table of the bands and a figure an IFU beside it."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "object exposures", dest="objects", metavar="OBJECT")
    _add_skies(parser)
    add_output_dir(parser)
    add_ifu(parser)
    parser.add_argument(
        "--method",
        choices=list(SKY_METHODS),
        default=DEFAULT_METHOD,
        help=f"how the sky is matched (default: {DEFAULT_METHOD})",
    )
    parser.add_argument(
        "--figures", action=argparse.BooleanOptionalAction, default=True, help="draw a figure an IFU (default: yes)"
    )
    parser.add_argument(
        "--compare-methods",
        action="store_true",
        help="subtract the sky with every method and print what each leaves, write it as <input stem>_SKY_COMPARE.ecsv "
        "with a figure an IFU, and no cubes",
    )
    add_engine(parser, "kmos_sky_tweak")
    add_parameters(parser, SkyParameters, title="parameters of the sky subtraction")


def _add_skies(parser: argparse.ArgumentParser) -> None:
    """Add the options that tell which skies there are and how they are used."""
    parser.add_argument(
        "--sky", dest="skies", nargs="+", type=Path, required=True, metavar="FILE", help="sky exposures"
    )
    parser.add_argument(
        "--pick",
        choices=PICKS,
        default="nearest",
        help="which of several skies: the nearest in time, the best (that leaves least), or an interpolation in time "
        "between the one before and the one after (default: nearest)",
    )
    parser.add_argument(
        "--sky-stars",
        choices=SKY_STARS,
        default="mask",
        help="stars in IFUs of the sky: put sky in their place, or keep them (default: mask)",
    )
    parser.add_argument(
        "--sky-mask",
        dest="sky_masks",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="masks of the skies (1 = sky), used instead of looking for stars; for several skies <sky stem>_SKY_MASK",
    )


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Subtract the sky, or compare the methods."""
    files = args.objects, args.skies, args.output
    given = {
        "parameters": build_parameters(args, SkyParameters),
        "ifu": args.ifu,
        "pick": args.pick,
        "sky_stars": args.sky_stars,
        "sky_masks": args.sky_masks,
        "overwrite": args.overwrite,
        "progress": progress,
    }
    esorex = build_esorex(args)
    if args.compare_methods:
        if check_engine(args.engine, esorex):
            msg = "--compare-methods compares methods of the native engine; leave it or --engine out"
            raise EngineError(msg)
        return sky_compare(*files, **given)
    return sky_tweak(*files, method=args.method, figures=args.figures, engine=args.engine, esorex=esorex, **given)


def describe(outcome: Outcome) -> str:
    """Return the comparison of the methods as text, if there is one."""
    return describe_comparison(outcome)
