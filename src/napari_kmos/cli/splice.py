"""``napari-kmos splice``: cubes joined at chosen wavelengths."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_files, add_ifu, add_output_file, add_parameters, build_parameters
from napari_kmos.combine import SpliceParameters
from napari_kmos.recipes.splice import splice

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "splice"
HELP = (
    "Join cubes of one observation, each right in another range of wavelengths, as after fits of the telluric lines "
    "in different windows. Planes are taken as they are, noise included, and never resampled. A mosaic of any size is "
    "read and written a few planes at a time. The header tells which planes come from which file."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "cubes of the same grid and spaxels, in the order of their wavelengths", metavar="CUBE")
    add_output_file(parser, "FILE", "the cube to write")
    add_ifu(parser)
    add_parameters(parser, SpliceParameters, title="how they are joined")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Join the cubes."""
    return splice(
        args.files,
        args.output,
        parameters=build_parameters(args, SpliceParameters),
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Tell where the planes come from, and how much the cubes differ at the joints."""
    lines = []
    for part in outcome.measured["parts"]:
        first, last = part["wavelength_um"]
        level = "" if part["level"] == 1 else f", times {part['level']:.5f} +- {part['level_error']:.1g}"
        lines.append(f"  {first:.4f}-{last:.4f} um from {part['file']}{level}")
    for joint in outcome.measured["joints"]:
        known = math.isfinite(joint["ratio"])
        ratio = f"{joint['ratio']:.5f} +- {joint['ratio_error']:.1g}" if known else "an unknown part"
        lines.append(f"  at {joint['edge_um']:g} um the cube before has {ratio} of the flux of the next")
    return "\n".join(lines)
