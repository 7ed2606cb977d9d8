"""``napari-kmos map``: images of a line above its continuum."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_ifu, add_output_dir, add_parameters, build_parameters
from napari_kmos.recipes.map import map_cube
from napari_kmos.spectral import MapParameters
from napari_kmos.spectral.windows import parse_window, parse_windows

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "map"
HELP = (
    "Map an emission line: images of its mean flux above the continuum, of the continuum and of the band, moments 0 to "
    "2 and the signal to noise, each with its noise, as FITS with WCS. Of a mosaic only the planes in the windows are "
    "read."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, metavar="CUBE", help="exposure, combined cube or mosaic")
    add_output_dir(parser)
    parser.add_argument("--line", required=True, metavar="UM-UM", help="line window in micron, as 2.160-2.172")
    parser.add_argument(
        "--continuum",
        metavar="UM-UM,...",
        help="continuum windows: one gives a constant, several a straight line; planes of the line do not count "
        "(default: nothing is subtracted)",
    )
    add_ifu(parser)
    add_parameters(parser, MapParameters, title="parameters of the maps")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Map the line."""
    return map_cube(
        args.file,
        args.output,
        line_um=parse_window(args.line),
        continuum_um=() if args.continuum is None else parse_windows(args.continuum),
        parameters=build_parameters(args, MapParameters),
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )
