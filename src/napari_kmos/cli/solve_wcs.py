"""``napari-kmos solve-wcs``: the world coordinates of a cube from stars whose places are known."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.align.star_parameters import SolveParameters
from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.cli.options import add_ifu, add_output_dir, add_parameters, build_parameters
from napari_kmos.recipes.solve_wcs import solve_wcs_of

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "solve-wcs"
HELP = (
    "Solve shift, rotation and scale of the world coordinates of a mosaic, or any cube, from three stars or more of a "
    "catalogue, and write a copy with the right ones: data and noise stay as they are, bit by bit. The table of "
    "residuals has a row a star."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, metavar="CUBE", help="mosaic, combined cube or exposure")
    add_output_dir(parser)
    parser.add_argument(
        "--catalogue", type=Path, metavar="FILE", help="catalogue whose stars are looked for in the white-light image"
    )
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="stars pointed at, in place of a search: a table with pixels, 1-based as in FITS, in the columns x and y, "
        "and positions",
    )
    add_ifu(parser)
    add_parameters(parser, CatalogueColumns, title="columns of the catalogue, found by their names if not given")
    add_parameters(parser, SolveParameters, title="how far the coordinates may be off")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Solve the coordinates."""
    return solve_wcs_of(
        args.file,
        args.output,
        catalogue=args.catalogue,
        pairs=args.pairs,
        columns=build_parameters(args, CatalogueColumns),
        parameters=build_parameters(args, SolveParameters),
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Tell the solution."""
    told = outcome.measured
    return (
        f"shift of the centre  {told['dra_arcsec']:+.3f} {told['ddec_arcsec']:+.3f} +- {told['shift_err_arcsec']:.3f} "
        f"arcsec (east, north)\n"
        f"rotation             {told['rotation_deg']:+.4f} +- {told['rotation_err_deg']:.4f} deg\n"
        f"scale                {told['scale']:.6f} +- {told['scale_err']:.6f}\n"
        f"{told['used']} of {told['stars']} stars used, rms {told['rms_arcsec']:.3f} arcsec"
    )
