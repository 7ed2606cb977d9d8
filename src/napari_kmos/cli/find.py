"""``napari-kmos find``: the stars of cubes, as a list of apertures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import (
    add_files,
    add_ifu,
    add_offsets,
    add_output_file,
    add_parameters,
    build_parameters,
)
from napari_kmos.recipes.find import find
from napari_kmos.spectral.windows import parse_window
from napari_kmos.stars import FindParameters
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "find"
HELP = (
    "Find the stars in the white light of cubes, mosaics or exposures, and write them as one list of apertures: the "
    "same star in several cubes is one, and keeps its id from the list before."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, combined cubes or mosaics", metavar="CUBE")
    add_output_file(parser, "FILE", "list of stars: an aperture table (.ecsv), or ds9 regions (.reg)")
    parser.add_argument(
        "--known", type=Path, metavar="FILE", help="a list from before: its stars and sky areas stay, with their ids"
    )
    parser.add_argument("--wave", metavar="UM-UM", help="light to look at, in micron: 2.1-2.2 (default: all)")
    parser.add_argument(
        "--link-arcsec",
        type=float,
        default=0.3,
        metavar="X",
        help="what is closer than this in two cubes is one star (default: %(default)s)",
    )
    add_ifu(parser)
    add_offsets(parser, "tables of offsets, which add up: corrections of the cubes' coordinates")
    add_parameters(parser, FindParameters, title="parameters of the search")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Find the stars."""
    return find(
        args.files,
        args.output,
        parameters=build_parameters(args, FindParameters),
        wave_um=None if args.wave is None else parse_window(args.wave),
        link_arcsec=args.link_arcsec,
        known=args.known or (),
        ifu=args.ifu,
        offsets=args.offsets or (),
        unaccepted=args.unaccepted,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Return how many stars there are, and which known ones were not found."""
    told = outcome.measured
    missed = f"; not found again: {', '.join(told['missed'])}" if told["missed"] else ""
    return f"{counted(told['n_stars'], 'star')}, {told['n_new']} of them new{missed}"
