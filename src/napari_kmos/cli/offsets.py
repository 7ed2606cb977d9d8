"""``napari-kmos offsets``: turn offsets into a kmos_combine shift file or corrected headers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cli import align
from napari_kmos.errors import KmosError
from napari_kmos.recipes.import_offsets import import_offsets
from napari_kmos.recipes.offsets import offsets

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "offsets"
HELP = (
    "Write a table of offsets as what other tools understand: for each target the shift file of kmos_combine with its "
    "SOF (--shifts), or copies of the exposures with corrected CRVAL1 and CRVAL2 (--crval). Or make a table of what "
    "others wrote: napari-kmos offsets --import FILE... --for EXPOSURE... -o FILE.ecsv"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "table", type=Path, nargs="?", metavar="FILE.ecsv", help="table of offsets; its files are found by it"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the products, made if missing; with --import the table to write",
    )
    parser.add_argument("--shifts", action="store_true", help="write shift files, SOF, and the convention in words")
    parser.add_argument("--crval", action="store_true", help="write copies with corrected headers")
    text = "leave these exposures out; names will do. With --overwrite, shift file and SOF are made anew without them"
    _add_paths(parser, "--drop", text, dest="drop")
    _add_import(parser)


def _add_import(parser: argparse.ArgumentParser) -> None:
    """Add what a table is made of."""
    group = parser.add_argument_group("a table of what others wrote")
    _add_paths(
        group,
        "--import",
        "shift files of kmos_combine with their SOF, corrected copies (.fits), logs of kmos_combine (.log, or the "
        "folder of esorex.log), ifu<n>_half<h>_xy_plus.txt, other tables",
        dest="sources",
    )
    _add_paths(
        group,
        "--for",
        "exposures, mosaics or cuts that the offsets are for (default: the frames of the SOF)",
        dest="exposures",
    )
    _add_paths(
        group,
        "--reference",
        "files whose headers are right, such as the other epoch: a row of zero for each",
        dest="reference",
    )
    group.add_argument("--name", metavar="TARGET", help="target of the shift files, if their names do not tell it")
    text = "warn of larger corrections, as frames in a wrong order give them (default: %(default)s)"
    group.add_argument("--doubtful", type=float, default=2.0, metavar="ARCSEC", help=text)


def _add_paths(group: argparse._ActionsContainer, option: str, text: str, *, dest: str) -> None:
    """Add an option that takes files."""
    group.add_argument(option, dest=dest, nargs="+", type=Path, default=(), metavar="FILE", help=text)


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Convert offsets, or import them."""
    if (args.table is None) == (not args.sources):
        msg = "give a table of offsets (FILE.ecsv), or files of which one is to be made (--import)"
        raise KmosError(msg)
    how = {"overwrite": args.overwrite, "progress": progress}
    if args.table is not None:
        _refuse(args, ("exposures", "--for"), ("reference", "--reference"), ("name", "--name"))
        return offsets(args.table, args.output, shifts=args.shifts, crval=args.crval, drop=args.drop, **how)
    _refuse(args, ("shifts", "--shifts"), ("crval", "--crval"), ("drop", "--drop"))
    return import_offsets(
        args.sources,
        args.output,
        exposures=args.exposures,
        reference=args.reference,
        name=args.name,
        doubtful_arcsec=args.doubtful,
        **how,
    )


def describe(outcome: Outcome) -> str:
    """Tell the offsets that were imported."""
    return align.describe(outcome) if "offsets" in outcome.measured else ""


def _refuse(args: argparse.Namespace, *options: tuple[str, str]) -> None:
    """Refuse options that do not go with the others."""
    given = next((option for name, option in options if getattr(args, name)), None)
    if given is not None:
        other = "without --import" if not args.sources else "with --import: write the table first"
        msg = f"{given} does nothing {other}"
        raise KmosError(msg)
