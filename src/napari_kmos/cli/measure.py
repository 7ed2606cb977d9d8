"""``napari-kmos measure``: ratios, velocities, lines, indices and classes of stars."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_output_dir, add_parameters, add_spectra, build_parameters
from napari_kmos.measure import MeasureParameters
from napari_kmos.recipes.measure import AUTO, measure

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "measure"
HELP = (
    "Measure stars: signal to noise in three ways, radial velocity, lines, CO and Br gamma, late or early type. Writes "
    "measure.ecsv (a row a star), measure_lines.ecsv (a row a line), measure.tex, and measure.reg, coloured by class."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_spectra(parser)
    add_output_dir(parser)
    parser.add_argument(
        "--lines",
        type=Path,
        metavar="FILE",
        help="lines to fit: a table (.ecsv: name, wavelength_um in vacuum) instead of the marked ones of the packaged "
        "list",
    )
    parser.add_argument(
        "--template",
        type=Path,
        metavar="FILE",
        help="spectrum at rest to compare with, FITS or table (default: the project's own of late types)",
    )
    parser.add_argument(
        "--zero-points",
        default=AUTO,
        metavar="auto|none|FILE",
        help="of the cubes' wavelengths: what the files tell, else the sky lines in the spectra; none; or a table with "
        "file, ifu and zero_pix (default: %(default)s)",
    )
    parser.add_argument("--lsr", action="store_true", help="the same as --frame lsr")
    add_parameters(parser, MeasureParameters)


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Measure the spectra."""
    fixed = {"frame": "lsr"} if args.lsr else {}
    return measure(
        args.spectra,
        args.output,
        lines=args.lines,
        windows=args.windows,
        template=args.template,
        zero_points=args.zero_points,
        parameters=build_parameters(args, MeasureParameters, **fixed),
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Return a line a star."""
    rows = []
    for star in outcome.measured["stars"]:
        ratios = " ".join(f"{star[name]:6.1f}" for name in ("snr_noise", "snr", "snr_der"))
        kms = star["velocity_kms"]
        velocity = f"{kms:7.1f} +- {star['velocity_err_kms']:.1f}" if math.isfinite(kms) else "-"
        rows.append(f"{star['id'] or star['file']:16s} {ratios}  {velocity:16s} {star['class']:8s} {star['note']}")
    return "\n".join([f"{'star':16s} {'noise':>6s} {'window':>6s} {'DER':>6s}  {'km/s':16s} class", *rows])
