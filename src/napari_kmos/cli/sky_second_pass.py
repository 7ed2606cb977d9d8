"""``napari-kmos sky-second-pass``: subtract what the subtraction of the sky left."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_files, add_output_dir, add_parameters, build_parameters
from napari_kmos.recipes.sky_second_pass import sky_second_pass
from napari_kmos.sky import SecondPassParameters

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "sky-second-pass"
HELP = (
    "Subtract what the subtraction of the sky left on the lines: the mean of the spaxels without stars in the emptier "
    "IFUs of the same detector, the IFU's own left out, with an amplitude by line group where it is significant. Each "
    "exposure becomes <input stem>_SECOND_PASS.fits, with a table by line group, a figure and a record. Of a combined "
    "cube only these are made."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures whose sky was subtracted, or combined cubes", metavar="CUBE")
    add_output_dir(parser)
    parser.add_argument(
        "--from",
        dest="sources",
        type=_numbers,
        default=(),
        metavar="N,...",
        help="IFUs from which the residual sky is taken (default: those that are mostly free of stars)",
    )
    add_parameters(parser, SecondPassParameters)


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Do the second pass."""
    return sky_second_pass(
        args.files,
        args.output,
        sources=args.sources,
        parameters=build_parameters(args, SecondPassParameters),
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Return a line an IFU: where its residual sky came from and what is left."""
    lines = [
        f"{told['exposure']} {name}: residual over noise {ifu['before']:.2f}"
        + (f" -> {ifu['after']:.2f}, from IFU {', '.join(map(str, ifu['from']))}" if "after" in ifu else "")
        for told in outcome.measured.values()
        for name, ifu in told["ifus"].items()
    ]
    return "\n".join(lines)


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as ``3,5,7``."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as err:
        msg = f"{text!r} is not a list of IFUs; expected numbers with commas, as 3,5,7"
        raise argparse.ArgumentTypeError(msg) from err
