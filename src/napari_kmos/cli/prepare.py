"""``napari-kmos prepare``: write what the recipes of the pipeline need that make the cubes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.engine import add_recipe_options, build_esorex
from napari_kmos.cli.options import add_files, add_output_dir
from napari_kmos.esorex.settings import FINE_PIX_SCALE, FINE_SAMPLES, PREPARED, WINDOWS
from napari_kmos.recipes.prepare import describe_settings, parse_tags, prepare

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "prepare"
HELP = (
    "Write parameter file (.rc), set of frames (.sof) and command for a recipe of ESO's pipeline, with the settings "
    "that suit what follows here, and tell what each costs. Nothing is run; esorex need not be there."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("recipe", choices=list(PREPARED), metavar="RECIPE", help=", ".join(PREPARED))
    add_files(parser, "its frames: raw exposures, calibrations, products of other recipes")
    add_output_dir(parser)
    parser.add_argument(
        "--tag",
        dest="tags",
        action="append",
        default=[],
        metavar="FILE=TAG",
        help="tag of a file whose header tells none, or another; may be given again",
    )
    parser.add_argument(
        "--pix-scale",
        type=float,
        default=FINE_PIX_SCALE,
        metavar="ARCSEC",
        help="kmos_sci_red: side of a spaxel, 0.2 as the instrument has it, or 0.1: finer, four times as large "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--b-samples",
        type=int,
        default=FINE_SAMPLES,
        metavar="N",
        help="kmos_sci_red: planes of a cube, 2048 as the detector has them, or more (default: %(default)s)",
    )
    parser.add_argument(
        "--windows",
        type=lambda text: tuple(text.split(",")),
        default=tuple(WINDOWS),
        metavar="LIST",
        help="kmos_molecfit_model: windows of K, a run each; ABC is one fit of all (default: A,B,C)",
    )
    add_recipe_options(parser.add_argument_group("ESO's pipeline"))


def run(args: argparse.Namespace, _progress: Progress) -> Outcome:
    """Write the files."""
    return prepare(
        args.recipe,
        args.files,
        Path(args.output),
        pix_scale=args.pix_scale,
        b_samples=args.b_samples,
        windows=args.windows,
        tags=parse_tags(args.tags),
        esorex=build_esorex(args),
        overwrite=args.overwrite,
    )


def describe(outcome: Outcome) -> str:
    """Return the settings and what they cost."""
    return describe_settings(outcome)
