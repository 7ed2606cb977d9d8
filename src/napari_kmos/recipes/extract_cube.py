"""Extract the spectra of one cube, and write them, its sky, its table and its regions."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import ExtractionError, KmosWarning
from napari_kmos.extract import extract_sky, extract_spectra, extract_with_residual, overlapping_apertures
from napari_kmos.io import (
    GIVEN_ID,
    StarMark,
    forget_record,
    read_cube,
    write_cube,
    write_image,
    write_spectrum,
    write_spectrum_text,
    write_star_regions,
    write_table,
)
from napari_kmos.recipes.extract_plan import MOST_NAMED, OUTSIDE
from napari_kmos.recipes.product_cube import product_category
from napari_kmos.report.spectra import TableRow, spectra_table
from napari_kmos.spectral.collapse import collapse_mean
from napari_kmos.words import shortened

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.extract_plan import ExtractTask
    from napari_kmos.recipes.extract_versus import Before
    from napari_kmos.spectrum import StarSpectrum

_NO_AREAS = "no sky aperture in this cube"
#: Column of the users' that is the class of a star.
_CLASS = "class"


def extract_cube(task: ExtractTask, before: Before | None, progress: Progress) -> None:
    """Extract and write the spectra of one cube, its sky, its table and its regions."""
    cube, how = task.source.cube, task.how
    _warn_of_overlaps(task)
    forget_record(task.table)
    facts: dict[str, Any] = {"ifu": cube.ifu, "target": cube.name}
    try:
        for spectrum in _spectra_of(task, progress) if task.stars else ():
            file = _write(task, spectrum)
            row = TableRow(aperture=spectrum.aperture, file=file, spectrum=spectrum, note=spectrum.note, **facts)
            task.rows.append(row)
    except ExtractionError as err:  # of its sky areas: other cubes may have better ones
        if how.parameters.sky != "areas":
            raise
        note = str(err).removeprefix(f"{cube.label}: ") if task.skies else _NO_AREAS
        warnings.warn(f"{cube.label}: {note}; its stars are left out", KmosWarning, stacklevel=3)
        task.rows += [TableRow(aperture=row, note=note, **facts) for row in task.stars]
    task.rows += [TableRow(aperture=row, note=note, **facts) for row, note in task.refused]
    task.rows += [TableRow(aperture=row, note=OUTSIDE) for row in task.elsewhere]
    task.rows = [_completed(row, before) for row in task.rows]
    if task.skies:
        _write_sky(task, progress)
    write_table(spectra_table(task.rows), task.table, overwrite=how.overwrite)
    if task.products:
        task.extras.append(write_star_regions(_marks(task.rows), task.regions, overwrite=how.overwrite))


def _warn_of_overlaps(task: ExtractTask) -> None:
    """Name the stars whose apertures share light, if the method does not tell it apart."""
    shared = overlapping_apertures(task.source.cube, task.stars) if task.how.method != "psf" else ()
    if shared:
        text = (
            f"{task.source.cube.label}: the apertures of {shortened(shared, MOST_NAMED)} overlap, and light of one "
            "counts in the other; smaller radii or the method psf tell it apart"
        )
        warnings.warn(text, KmosWarning, stacklevel=4)


def _spectra_of(task: ExtractTask, progress: Progress) -> tuple[StarSpectrum, ...]:
    """Extract the spectra of one cube; write what the fit of its stars leaves where that is wanted."""
    cube, how = task.source.cube, task.how
    apertures = (*task.stars, *task.skies, *task.neighbours)
    if not how.residual:
        return extract_spectra(cube, apertures, method=how.method, parameters=how.parameters, progress=progress)
    spectra, left = extract_with_residual(cube, apertures, parameters=how.parameters, progress=progress)
    exposure, (path, image) = task.source.exposure, task.residual
    facts: dict[str, Any] = {"step": task.step, "primary": exposure.header, "overwrite": how.overwrite}
    write_cube(left, path, category=product_category(exposure), **facts)
    write_image(collapse_mean(read_cube(path)), image, **facts)
    task.extras += task.residual
    return spectra


def _write(task: ExtractTask, spectrum: StarSpectrum) -> str:
    """Write the spectrum of a star; return the name of its file, empty if it has no data."""
    if spectrum.mask.all():
        text = f"{task.source.cube.label}: star {spectrum.aperture.id}: {spectrum.note or 'no data'}; left out"
        warnings.warn(text, KmosWarning, stacklevel=4)
        return ""
    path, overwrite = task.star(spectrum.aperture), task.how.overwrite
    write_spectrum(spectrum, path, step=task.step, primary=task.source.exposure.header, overwrite=overwrite)
    task.products.append(path)
    if task.how.text:
        task.extras.append(write_spectrum_text(spectrum, path.with_suffix(".txt"), overwrite=overwrite))
    return path.name


def _write_sky(task: ExtractTask, progress: Progress) -> None:
    """Write the mean spectrum of the sky apertures, if they have data."""
    parameters, overwrite = task.how.parameters, task.how.overwrite
    try:
        sky: StarSpectrum = extract_sky(task.source.cube, task.skies, parameters=parameters, progress=progress)
    except ExtractionError as err:
        warnings.warn(str(err), KmosWarning, stacklevel=4)
        return
    header = task.source.exposure.header
    task.sky_file = write_spectrum(sky, task.sky, step=task.step, primary=header, overwrite=overwrite)


def _completed(row: TableRow, before: Before | None) -> TableRow:
    """Row with a note on its id, and with the SNR that it had before."""
    given = row.aperture.extra.get(GIVEN_ID)
    renamed = "" if given is None else f"given as {given}, the id of another"
    note = "; ".join(part for part in (row.note, renamed) if part)
    return replace(row, note=note, before=None if before is None else before.of(row))


def _marks(rows: Sequence[TableRow]) -> list[StarMark]:
    """Stars of a table as regions; their class, where the users' table has one, is the colour."""
    return [
        StarMark(
            row.aperture.id,
            row.aperture.ra,
            row.aperture.dec,
            row.spectrum.snr if row.spectrum else math.nan,
            row.aperture.radius_arcsec,
            str(row.aperture.extra.get(_CLASS) or ""),
        )
        for row in rows
    ]
