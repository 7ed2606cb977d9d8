"""``napari-kmos sky-mask``: find stars in sky exposures and replace them by sky."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_files, add_ifu, add_output_dir, add_parameters, build_parameters
from napari_kmos.recipes.sky_mask import sky_mask
from napari_kmos.sky import CleaningParameters

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "sky-mask"
HELP = (
    "Find the stars in sky exposures. Each sky gets a mask, <input stem>_SKY_MASK.fits (an image an IFU, 1 where a "
    "spaxel shows sky), which can be edited and given back with --mask, and becomes <input stem>_SKY_CLEAN.fits, with "
    "sky in place of stars, bad voxels and gaps, to be used as a sky. A picture and a record lie beside them."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "sky exposures", dest="skies", metavar="SKY")
    add_output_dir(parser)
    parser.add_argument(
        "--mask",
        dest="masks",
        nargs="+",
        type=Path,
        default=(),
        metavar="FILE",
        help="use these masks instead of looking for stars; of several, <sky stem>_SKY_MASK.fits is that of its sky",
    )
    add_ifu(parser)
    add_parameters(parser, CleaningParameters, title="parameters of the masks and the filling")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Find the stars and replace them."""
    return sky_mask(
        args.skies,
        args.output,
        masks=args.masks,
        parameters=build_parameters(args, CleaningParameters),
        ifu=args.ifu,
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Return the products, and a line for each IFU that has stars."""
    stars = [
        f"{told['sky']} IFU {name}: {ifu['n_masked']} of {ifu['n_spaxels']} spaxels with stars"
        + (", crowded" if ifu["crowded"] else "")
        for told in outcome.measured.values()
        for name, ifu in told["ifus"].items()
        if ifu["n_masked"]
    ]
    return "\n".join(stars)
