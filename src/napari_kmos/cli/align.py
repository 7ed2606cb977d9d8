"""``napari-kmos align``: measure the pointing offsets of exposures."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.align import OFFSET_METHODS, AlignParameters
from napari_kmos.catalogue import Catalogue, CatalogueColumns
from napari_kmos.cli.options import add_files, add_ifu, add_output_file, add_parameters, build_parameters
from napari_kmos.errors import KmosError
from napari_kmos.io import read_catalogue
from napari_kmos.recipes.align import align

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "align"
HELP = (
    "Measure, IFU by IFU, what has to be added to the headers of exposures so that their stars fall on each other, and "
    "write it as a table. Offsets that are not sure are marked as not accepted; a person may decide otherwise."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, or combined cubes of the same sky")
    add_output_file(parser, "FILE.ecsv", "table of offsets to write")
    parser.add_argument(
        "--method", choices=list(OFFSET_METHODS), help="how (default: correlation, or catalogue where one is given)"
    )
    parser.add_argument(
        "--reference",
        type=_reference,
        default=0,
        metavar="N|FILE",
        help="exposure whose headers are right, from 0 (default: 0), or a file that is none of them: an exposure of "
        "another epoch, a combined cube, a mosaic, an image with celestial coordinates",
    )
    parser.add_argument(
        "--catalogue",
        type=Path,
        metavar="FILE",
        help="catalogue that is right, in place of a reference exposure, for the methods catalogue and stars; proper "
        "motions, if it has some, are applied to the date of each exposure",
    )
    add_ifu(parser)
    add_parameters(parser, CatalogueColumns, title="columns of the catalogue, found by their names if not given")
    add_parameters(parser, AlignParameters, title="parameters of the alignment")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Measure offsets."""
    return align(
        args.files,
        args.output,
        method=args.method or ("correlation" if args.catalogue is None else "catalogue"),
        reference=args.reference if args.catalogue is None else _read_catalogue(args),
        ifu=args.ifu,
        parameters=build_parameters(args, AlignParameters),
        overwrite=args.overwrite,
        progress=progress,
    )


def _reference(word: str) -> int | Path:
    """Read the number of an exposure, or the name of a file."""
    return int(word) if word.lstrip("-").isdigit() else Path(word)


def _read_catalogue(args: argparse.Namespace) -> Catalogue:
    """Read the catalogue that is given, if it is the only reference."""
    if args.reference != 0:
        msg = f"--catalogue {args.catalogue} and --reference {args.reference}: only one can be right; give one of them"
        raise KmosError(msg)
    return read_catalogue(args.catalogue, build_parameters(args, CatalogueColumns))


def describe(outcome: Outcome) -> str:
    """Tell the offsets, a line a row."""
    lines = ["exposure IFU  dRA cos Dec      dDec   (arcsec)"]
    for row in outcome.measured["offsets"]:
        mark = "" if row["accepted"] else f"  NOT ACCEPTED: {row['note']}"
        ifu = "-" if row["ifu"] is None else row["ifu"]
        error = f"{row['err_arcsec']:.3f}" if math.isfinite(row["err_arcsec"]) else "unknown"
        numbers = f"{row['dra_arcsec']:+12.3f} {row['ddec_arcsec']:+9.3f}   +- {error}"
        turn = f"  turned by {row['rotation_deg']:+.3f} deg" if row.get("rotation_deg") else ""
        lines.append(f"{row['exposure']:8d} {ifu:>3} {numbers}{turn}{mark}")
    return "\n".join(lines)
