"""``napari-kmos calibrate``: counts become flux."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_light
from napari_kmos.recipes.calibrate import calibrate

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "calibrate"
HELP = (
    "Divide cubes and spectra by a response curve and scale them by a zero point: counts per second become erg s-1 "
    "cm-2 Angstrom-1, in a cube per spaxel. The header names the file of the response. A cube of any size is read and "
    "written a few planes at a time."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_light(parser)
    parser.add_argument(
        "--response",
        type=Path,
        metavar="FILE",
        required=True,
        help="RESPONSE of the pipeline for the grating, or *_RESPONSE.ecsv of `telluric`",
    )
    parser.add_argument(
        "--telluric", type=Path, metavar="FILE", help="TELLURIC or STAR_SPEC of the pipeline, for its zero point"
    )
    parser.add_argument(
        "--zero-point",
        type=float,
        metavar="MAG",
        help="magnitude of a star that gives 1 per second (default: of --telluric, else of the response)",
    )
    parser.add_argument(
        "--check-magnitude",
        type=float,
        metavar="MAG",
        help="2MASS magnitude of the star, of a cube its brightest: tell the difference",
    )


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Calibrate the files."""
    return calibrate(
        args.files,
        args.output,
        response=args.response,
        telluric=args.telluric,
        zero_point=args.zero_point,
        check_magnitude=args.check_magnitude,
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Tell zero points, and how stars compare with the catalogue."""
    lines = []
    for product, told in outcome.measured["calibrated"].items():
        check = ""
        if "magnitude" in told:
            check = f"; {told['band']} = {told['magnitude']:.3f}, {told['difference']:+.3f} mag from the catalogue"
        lines.append(f"  {product}: zero point {told['zero_point']:.3f} mag, response {told['response']}{check}")
    return "\n".join(lines)
