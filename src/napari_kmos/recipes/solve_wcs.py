"""Solve the world coordinates of a cube from stars, and write a corrected copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from napari_kmos.align import white_light
from napari_kmos.align.solving import Solution, StarPairs, solve_wcs
from napari_kmos.align.star_matching import match_stars
from napari_kmos.align.star_parameters import SolveParameters
from napari_kmos.calls import recorded
from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.errors import KmosError, WriteError
from napari_kmos.io import (
    check_free,
    fits_stem,
    output_dir,
    read_catalogue,
    read_exposure,
    read_star_pairs,
    write_record,
    write_table,
    write_wcs_copy,
)
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.catalogue_dates import catalogue_at
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spatial.fields import field_of

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

SUFFIX = "_WCS"


@recorded()
def solve_wcs_of(
    file: Path | str,
    out_dir: Path | str,
    *,
    catalogue: Path | str | None = None,
    pairs: Path | str | None = None,
    columns: CatalogueColumns | None = None,
    parameters: SolveParameters | None = None,
    ifu: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Solve shift, rotation and scale of the world coordinates of a cube, and write a copy that has the right ones.

    Parameters
    ----------
    file : path
        A mosaic, a combined cube, or an exposure. It is read and written a few planes at a time.
    out_dir : path
        Folder of the products; made if missing.
    catalogue : path, optional
        Catalogue whose stars are looked for in the white-light image, at their places on the date of the exposure as
        far as it tells their proper motions.
    pairs : path, optional
        Stars pointed at, in place of a search: a table with their pixels, 1-based, in ``x`` and ``y`` and their
        positions; the table of residuals that this step writes is one, too.
    columns : CatalogueColumns, optional
        Columns of the catalogue or the pairs; found by their names if not given.
    parameters : SolveParameters, optional
        The defaults if not given.
    ifu : int, optional
        The IFU, where the file holds several; the others keep their coordinates.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told how much is written; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``<stem>_WCS.fits``, the copy, with data and noise as they were, bit by bit; and
        ``<stem>_WCS_residuals.ecsv``, a row a star. Extra: the record. Measured: shift of the centre of the field,
        rotation and scale with their errors, the stars found and used, and their rms.

    Raises
    ------
    KmosError
        If neither or both of catalogue and pairs are given, or a file cannot be used.
    AlignmentError
        If fewer than three stars are given, or those of the catalogue are not found.
    WriteError
        If a product exists and may not be replaced, or would replace the input.
    """
    if (catalogue is None) == (pairs is None):
        msg = "the stars are to come from a catalogue (--catalogue) or from pairs (--pairs); give one of the two"
        raise KmosError(msg)
    file, given = Path(file), parameters or SolveParameters()
    copy = Path(out_dir) / f"{fits_stem(file)}{SUFFIX}.fits"
    residuals = copy.with_name(f"{copy.stem}_residuals.ecsv")
    for path in (copy, residuals, copy.with_suffix(".json")):
        check_free(path, overwrite)
    exposure = read_exposure(file)
    cube = exposure.cube(ifu)
    if copy.exists() and copy.samefile(file):
        msg = f"{copy}: is the input; choose another folder (-o)"
        raise WriteError(msg)
    output_dir(out_dir)
    progress(0, 1, f"looking for stars in {cube.label}")
    stars = _stars(exposure, cube, (catalogue, pairs), columns or CatalogueColumns(), given)
    solution = solve_wcs(field_of(cube), stars)
    source = Path(catalogue or pairs or "")
    step = _step((file, source), ifu, given, solution)
    write_wcs_copy(file, copy, {cube.source: solution.wcs}, step=step, overwrite=overwrite, progress=progress)
    write_table(_table(solution), residuals, overwrite=overwrite)
    record = write_record(copy, step, products=(copy, residuals), overwrite=overwrite)
    return Outcome(products=(copy, residuals), extras=(record,), measured=_measured(solution))


def _stars(
    exposure: Exposure,
    cube: Cube,
    sources: tuple[Path | str | None, Path | str | None],
    columns: CatalogueColumns,
    parameters: SolveParameters,
) -> StarPairs:
    """Return the stars with their pixels: looked for, or as they were pointed at."""
    catalogue, pairs = sources
    if pairs is not None:
        given, y, x = read_star_pairs(pairs, columns)
        stars = catalogue_at(given, exposure)
        return StarPairs(y=y, x=x, ra=stars.ra, dec=stars.dec, ids=tuple(stars.ids(np.arange(len(stars)))))
    stars = catalogue_at(read_catalogue(catalogue or "", columns), exposure)
    return match_stars(white_light(cube), stars, parameters=parameters)


def _step(inputs: tuple[Path, ...], ifu: int | None, parameters: SolveParameters, solution: Solution) -> Step:
    """Describe what was done."""
    return Step(
        name="solve-wcs",
        inputs=inputs,
        parameters={"ifu": ifu or 0, **parameters_of(parameters)},
        defaults={"ifu": 0, **defaults_of(parameters)},
        measured={
            "WCS DRA": round(solution.shift_arcsec[0], 5),
            "WCS DDEC": round(solution.shift_arcsec[1], 5),
            "WCS ROT": round(solution.rotation_deg, 6),
            "WCS SCALE": round(solution.scale, 8),
            "WCS STARS": int(solution.used.sum()),
            "WCS RMS": round(solution.rms_arcsec, 5),
        },
    )


def _table(solution: Solution) -> Table:
    """Return the stars and what is left of each."""
    pairs = solution.pairs
    east, north = solution.residuals_arcsec.T
    told = "x and y are pixels, 1-based as in FITS; dra_arcsec and ddec_arcsec are catalogue - cube, on the sky"
    table = Table(meta={"comments": [told]})
    table["id"] = np.array(pairs.ids, dtype=str)
    table["x"], table["y"] = pairs.x + 1, pairs.y + 1
    table["ra"], table["dec"] = pairs.ra * u.deg, pairs.dec * u.deg
    table["dra_arcsec"], table["ddec_arcsec"] = east * u.arcsec, north * u.arcsec
    table["distance_arcsec"] = np.hypot(east, north) * u.arcsec
    table["used"] = solution.used
    for name in ("x", "y"):
        table[name].info.format = ".3f"
    for name in ("ra", "dec"):
        table[name].info.format = ".8f"
    for name in ("dra_arcsec", "ddec_arcsec", "distance_arcsec"):
        table[name].info.format = ".4f"
    return table


def _measured(solution: Solution) -> dict[str, Any]:
    """Return what is told of the solution."""
    return {
        "dra_arcsec": solution.shift_arcsec[0],
        "ddec_arcsec": solution.shift_arcsec[1],
        "shift_err_arcsec": solution.errors[0],
        "rotation_deg": solution.rotation_deg,
        "rotation_err_deg": solution.errors[1],
        "scale": solution.scale,
        "scale_err": solution.errors[2],
        "stars": len(solution.pairs),
        "used": int(solution.used.sum()),
        "rms_arcsec": solution.rms_arcsec,
    }
