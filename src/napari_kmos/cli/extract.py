"""``napari-kmos extract``: spectra of stars."""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.cli.options import (
    add_files,
    add_ifu,
    add_offsets,
    add_output_dir,
    add_parameters,
    add_scheduler,
    build_parameters,
)
from napari_kmos.extract import EXTRACT_METHODS, ExtractParameters
from napari_kmos.recipes.extract import extract
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "extract"
HELP = (
    "Extract the spectra of stars from combined cubes, mosaics or all IFUs of exposures: a file a star, opened by "
    "specutils and others, and a table a cube."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, combined cubes or mosaics", metavar="CUBE")
    parser.add_argument(
        "--apertures",
        type=Path,
        required=True,
        metavar="FILE",
        help="stars and sky areas: a table (.ecsv: id, kind, ra, dec, radius_arcsec; that of an extraction serves) or "
        "ds9 regions (.reg: circles; those marked background, or whose text or tag begins with sky, are sky areas), or "
        "a catalogue (FITS, CSV, VOTable) with --radius",
    )
    add_output_dir(parser)
    parser.add_argument(
        "--method",
        choices=list(EXTRACT_METHODS),
        default="aperture",
        help="how light becomes a spectrum: the sum over an aperture, optimal weights for stars alone, or all stars "
        "of a field fitted together, psf (default: %(default)s)",
    )
    parser.add_argument(
        "--radius",
        type=float,
        metavar="ARCSEC",
        help="radius of apertures that have none in the file, such as points and sources of catalogues",
    )
    parser.add_argument("--ra", metavar="COLUMN", help="of a catalogue: its right ascension (default: by its name)")
    parser.add_argument("--dec", metavar="COLUMN", help="of a catalogue: its declination (default: by its name)")
    parser.add_argument(
        "--residual", action="store_true", help="write what the fit leaves, too: a cube and its mean image (psf only)"
    )
    parser.add_argument(
        "--text", action="store_true", help="write each spectrum as text, too: wavelength in micron, flux, 1 sigma"
    )
    parser.add_argument(
        "--apart",
        action="store_true",
        help="a folder for each cube, named after it; otherwise only where names would be the same",
    )
    parser.add_argument(
        "--versus",
        nargs="+",
        type=Path,
        metavar="TABLE",
        help="tables of an extraction before, or its folder: tell what became of the SNR of each star",
    )
    add_ifu(parser)
    add_offsets(parser, "tables of offsets, which add up: corrections of the cubes' coordinates; the stars stay")
    add_scheduler(parser)
    add_parameters(parser, ExtractParameters, title="parameters of the extraction")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Extract the spectra."""
    return extract(
        args.files,
        args.apertures,
        args.output,
        method=args.method,
        parameters=build_parameters(args, ExtractParameters),
        ifu=args.ifu,
        radius_arcsec=args.radius,
        offsets=args.offsets or (),
        unaccepted=args.unaccepted,
        residual=args.residual,
        text=args.text,
        apart=args.apart,
        versus=args.versus or (),
        columns=CatalogueColumns(ra=args.ra, dec=args.dec),
        overwrite=args.overwrite,
        progress=progress,
    )


def describe(outcome: Outcome) -> str:
    """Return what became of the SNR of each star, where that was asked for."""
    rows = [row for row in outcome.measured["spectra"] if "snr_before" in row]
    if not rows:
        return ""
    width = max(len(row["id"]) for row in rows)
    lines = [f"{row['id']:{width}}  {_place(row):8}  {_change(row['snr_before'], row['snr'])}" for row in rows]
    ratios = [row["snr"] / row["snr_before"] for row in rows if row["snr_before"] > 0 and math.isfinite(row["snr"])]
    if ratios:
        lines.append(f"median ratio {statistics.median(ratios):.2f} of {counted(len(ratios), 'star')}")
    return "\n".join(lines)


def _place(row: Mapping[str, Any]) -> str:
    """Name the IFU of a star."""
    return "mosaic" if row["ifu"] is None else f"IFU {row['ifu']}"


def _change(before: float, now: float) -> str:
    """Tell two signal-to-noise ratios and their ratio."""
    if math.isnan(before) or math.isnan(now):
        return f"SNR {before:.1f} before, {now:.1f} now".replace("nan", "none")
    return f"SNR {before:.1f} before, {now:.1f} now" + (f", {now / before:.2f} times" if before > 0 else "")
