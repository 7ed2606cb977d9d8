"""``napari-kmos crop``: a cube cut in wavelength and on the sky."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_ifu, add_output_file
from napari_kmos.recipes.crop import crop, parse_box
from napari_kmos.spectral.windows import parse_window

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "crop"
HELP = (
    "Cut a cube in wavelength and on the sky, noise included, and write what is left as a combined cube. A mosaic of "
    "any size is read and written a few planes at a time. Of an exposure, --ifu alone cuts out the cube of an IFU."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, metavar="CUBE", help="exposure, combined cube or mosaic")
    add_output_file(parser, "FILE", "the cube to write")
    parser.add_argument(
        "--wave", metavar="UM-UM", help="keep the planes of this range of wavelengths in micron, as 2.10-2.20"
    )
    parser.add_argument(
        "--box",
        metavar="RA,DEC,WIDTH,HEIGHT",
        help="keep the smallest rectangle of spaxels that holds this box on the sky: its centre in degrees, or as "
        "17:45:40.0,-29:00:28, its sides from east to west and from north to south in arcsec",
    )
    add_ifu(parser)


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Cut the cube."""
    return crop(
        args.file,
        args.output,
        wave_um=None if args.wave is None else parse_window(args.wave),
        box=None if args.box is None else parse_box(args.box),
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )
