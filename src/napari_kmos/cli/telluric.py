"""``napari-kmos telluric``: the absorption of the atmosphere taken out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.cli.options import add_light, add_parameters, build_parameters
from napari_kmos.recipes.standards import Standard
from napari_kmos.recipes.telluric import telluric
from napari_kmos.telluric import StandardParameters, TelluricParameters

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "telluric"
HELP = (
    "Divide cubes and spectra by the transmission of the atmosphere: that of a standard star, divided by its own "
    "model, shifted, and with airmass and water scaled separately in up to three windows. A cube of any size is read "
    "and written a few planes at a time. The fit of each window is written as a figure and a table."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_light(parser)
    by = parser.add_mutually_exclusive_group(required=True)
    by.add_argument(
        "--standard",
        type=Path,
        metavar="FILE",
        help="the standard star: STAR_SPEC of the pipeline, a spectrum of `extract`, or a cube, whose brightest star "
        "is taken",
    )
    by.add_argument("--molecfit", action="store_true", help="model the atmosphere by pymolfit, where it is installed")
    parser.add_argument("--airmass", type=float, metavar="X", help="of the targets (default: that of the headers)")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="spectrum, or cube with a bright star, to which the scaling is fitted for all files (default: each "
        "spectrum itself, of a cube its brightest star)",
    )
    group = parser.add_argument_group("the standard star")
    group.add_argument("--standard-airmass", type=float, metavar="X", help="default: that of its header")
    group.add_argument("--standard-ifu", type=int, metavar="N", help="default: the target's IFU, else the brightest")
    group.add_argument("--template", type=Path, metavar="FILE", help="spectrum of such a star (default: a black body)")
    group.add_argument(
        "--magnitude", type=float, metavar="X", help="its 2MASS magnitude: the response gets a zero point"
    )
    add_parameters(parser, StandardParameters, title="division by its own model")
    add_parameters(parser, TelluricParameters, title="scaling to the target")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Correct the files."""
    standard = None
    if args.standard is not None:
        standard = Standard(
            file=args.standard,
            airmass=args.standard_airmass,
            ifu=args.standard_ifu,
            template=args.template,
            magnitude=args.magnitude,
            parameters=build_parameters(args, StandardParameters),
        )
    return telluric(
        args.files,
        args.output,
        standard=standard,
        parameters=build_parameters(args, TelluricParameters),
        airmass=args.airmass,
        reference=args.reference,
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Tell how each window was scaled."""
    lines = []
    for product, windows in outcome.measured["windows"].items():
        lines += [f"  {product}", *(f"    {_window(fit)}" for fit in windows)]
    return "\n".join(lines)


def _window(fit: dict[str, Any]) -> str:
    """Tell how a window was scaled."""
    ifu = "" if fit["ifu"] is None else f"IFU {fit['ifu']}, "
    scaled = f"airmass x{fit['airmass']:.3f}, water x{fit['water']:.3f}, shift {fit['shift_pix']:+.2f} planes"
    told = fit["note"] or f"rms {fit['rms_before']:.4f} to {fit['rms_after']:.4f}"
    return f"{ifu}{fit['start_um']:.4f}-{fit['end_um']:.4f} um: {scaled}; {told}"
