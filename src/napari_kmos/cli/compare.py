"""``napari-kmos compare``: spectra side by side, with their lines and signal-to-noise ratios."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_output_dir, add_spectra
from napari_kmos.recipes.compare import compare

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "compare"
HELP = (
    "Plot spectra above each other with marked lines, measure their signal-to-noise ratios in continuum windows, and "
    "write all stars to one ds9 region file: compare.png, .pdf, .ecsv and .reg."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_spectra(parser)
    add_output_dir(parser)
    parser.add_argument(
        "--lines",
        type=Path,
        metavar="FILE",
        help="lines to mark: a table (.ecsv: name, wavelength_um in vacuum) instead of the packaged list",
    )
    parser.add_argument(
        "--pairs",
        action="store_true",
        help="compare spectra of the same id, of epochs or reductions, with each other: compare_pairs.ecsv, and a plot "
        "for each star, compare_ID.png",
    )


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Compare the spectra."""
    return compare(
        args.spectra,
        args.output,
        windows=args.windows,
        lines=args.lines,
        pairs=args.pairs,
        overwrite=args.overwrite,
        progress=progress,
    )
