"""Extract the spectra of stars from cubes, mosaics and all IFUs of exposures."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.aperture import Aperture, check_apertures
from napari_kmos.errors import ExtractionError, KmosWarning
from napari_kmos.extract import (
    PSF_METHODS,
    ExtractParameters,
    extract_sky,
    extract_spectra,
    extract_with_residual,
)
from napari_kmos.io import (
    check_free,
    output_dir,
    read_apertures,
    read_cube,
    write_cube,
    write_image,
    write_record,
    write_spectrum,
    write_table,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.extract_plan import OUTSIDE, ExtractTask, plan_tasks, read_cubes
from napari_kmos.recipes.offset_tables import read_tables
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.product_cube import product_category
from napari_kmos.report.spectra import TableRow, spectra_table
from napari_kmos.spectral.collapse import collapse_mean

if TYPE_CHECKING:
    from napari_kmos.recipes.extract_plan import CubeInFile
    from napari_kmos.spectrum import StarSpectrum

_NO_AREAS = "no sky aperture in this cube"


def extract(
    files: Sequence[Path | str],
    apertures: Path | str | Iterable[Aperture],
    out_dir: Path | str,
    *,
    method: str = "aperture",
    parameters: ExtractParameters | None = None,
    ifu: int | None = None,
    radius_arcsec: float | None = None,
    offsets: Sequence[Path | str] = (),
    unaccepted: str = "error",
    residual: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Extract the spectra of stars and write each to a file, with a table a cube.

    Parameters
    ----------
    files : sequence of path
        Exposures, combined cubes, mosaics. An aperture belongs to the cube that holds its centre. Where two files have
        the same target in the same IFU, the products of each go into a folder named after it.
    apertures : path, or iterable of Aperture
        File of stars and sky areas, ``.ecsv`` or ``.reg``; regions in image pixels only with a single cube.
    out_dir : path
        Folder of the products; made if missing.
    method : str
        A key of ``EXTRACT_METHODS``.
    parameters : ExtractParameters, optional
        Sky and limits; defaults if None.
    ifu : int, optional
        This IFU only.
    radius_arcsec : float, optional
        Radius of apertures that have none in the file.
    offsets : sequence of path
        Offset tables, which add up: corrections of the files' coordinates. The stars stay where they are on the sky,
        and the cubes are moved below them.
    unaccepted : str
        What to do with a cube whose offset is missing or not accepted: ``"error"``, ``"header"`` (take its coordinates
        as they are) or ``"skip"``.
    residual : bool
        Write what the fit of the stars leaves, too: method ``psf`` only.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each cube; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``spec_<target>_ifu<n>_<id>.fits`` (``mosaic`` where there is no IFU), ``sky_<target>_ifu<n>.fits``
        where a cube holds sky apertures, ``spectra_<target>_ifu<n>.ecsv``. Extras: the record of each table, and where
        wanted ``residual_<target>_ifu<n>.fits`` with the mean over its planes, ``residual_<target>_ifu<n>_IMAGE.fits``.
        Measured: ``spectra``, for each its id, IFU, target, file, SNR and note; ``outside``, ids outside every cube.

    Raises
    ------
    ExtractionError
        If there is no aperture, all lie outside every cube, no star has data, the sky is to come from areas and there
        is none in any cube, two stars would have the same file, or a method leaves no residual.
    AlignmentError
        If offsets are missing, not accepted, or for other files.
    KmosError
        If a file cannot be used, or has no such IFU.
    WriteError
        If a product exists and may not be replaced.
    """
    if residual and method != "psf":
        msg = f"the method {method} leaves no residual; choose psf, which fits the stars (--method psf)"
        raise ExtractionError(msg)
    chosen = parameters or ExtractParameters()
    tables = tuple(map(Path, offsets))
    sources = read_cubes(files, ifu, tables=read_tables(tables), unaccepted=unaccepted)
    rows = _read_apertures(apertures, sources, radius_arcsec)
    table_files = (Path(apertures),) if isinstance(apertures, Path | str) else ()
    tasks, outside = plan_tasks(sources, rows, Path(out_dir), chosen)
    output_dir(out_dir)
    for task in tasks:
        task.with_residual = residual
        for path in task.outputs():
            check_free(path, overwrite)
    settings = {"method": method, "ifu": ifu or 0, "unaccepted": unaccepted, **parameters_of(chosen)}
    defaults = {"method": "aperture", "ifu": 0, "unaccepted": "error", **defaults_of(chosen)}
    for number, task in enumerate(tasks):
        text = f"{task.source.exposure.label}: spectra of {task.source.cube.label}"
        progress(number, len(tasks), text)
        inputs = (task.source.path, *table_files, *tables)
        task.step = Step(name="extract", inputs=inputs, parameters=settings, defaults=defaults)
        _extract_cube(task, method, chosen, overwrite, _reading(progress, number, len(tasks), text))
    progress(len(tasks), len(tasks), "spectra written")
    return _outcome(tasks, outside)


def _read_apertures(
    apertures: Path | str | Iterable[Aperture], sources: Sequence[CubeInFile], radius_arcsec: float | None
) -> tuple[Aperture, ...]:
    """Apertures of a file, in image pixels only where it is clear of which image, or as given."""
    if not isinstance(apertures, Path | str):
        return check_apertures(apertures)
    wanted = [source for source in sources if source.wanted]
    wcs = wanted[0].cube.wcs if len(wanted) == 1 else None
    return read_apertures(apertures, radius_arcsec=radius_arcsec, wcs=wcs)


def _reading(progress: Progress, number: int, n_tasks: int, text: str) -> Progress:
    """Return the progress of the readings of one cube, which go on under the text that names it."""
    within = part_of(progress, number, n_tasks)
    return lambda done, total, _: within(done, total, text)


def _extract_cube(
    task: ExtractTask, method: str, parameters: ExtractParameters, overwrite: bool, progress: Progress
) -> None:
    """Extract and write the spectra of one cube, its sky, its table and its record."""
    cube, header = task.source.cube, task.source.exposure.header
    facts: dict[str, Any] = {"ifu": cube.ifu, "target": cube.name}
    if parameters.sky == "areas" and not task.skies:
        warnings.warn(f"{cube.label}: {_NO_AREAS}; its stars are left out", KmosWarning, stacklevel=3)
        task.rows += [TableRow(aperture=row, note=_NO_AREAS, **facts) for row in task.stars]
    else:
        for spectrum in _spectra_of(task, method, parameters, overwrite, progress):
            file = ""
            if spectrum.mask.all():
                text = f"{cube.label}: star {spectrum.aperture.id}: {spectrum.note or 'no data'}; left out"
                warnings.warn(text, KmosWarning, stacklevel=3)
            else:
                path = task.star(spectrum.aperture)
                write_spectrum(spectrum, path, step=task.step, primary=header, overwrite=overwrite)
                task.products.append(path)
                file = path.name
            task.rows.append(
                TableRow(aperture=spectrum.aperture, file=file, spectrum=spectrum, note=spectrum.note, **facts)
            )
    task.rows += [TableRow(aperture=row, note=OUTSIDE) for row in task.elsewhere]
    if task.skies:
        _write_sky(task, parameters, overwrite, progress)
    write_table(spectra_table(task.rows), task.table, overwrite=overwrite)


def _spectra_of(
    task: ExtractTask, method: str, parameters: ExtractParameters, overwrite: bool, progress: Progress
) -> tuple[StarSpectrum, ...]:
    """Extract the spectra of one cube; write what the fit of its stars leaves where that is wanted."""
    cube = task.source.cube
    apertures = (*task.stars, *task.skies, *(task.neighbours if method in PSF_METHODS else ()))
    if not task.with_residual:
        return extract_spectra(cube, apertures, method=method, parameters=parameters, progress=progress)
    spectra, left = extract_with_residual(cube, apertures, parameters=parameters, progress=progress)
    exposure, (path, image) = task.source.exposure, task.residual
    facts: dict[str, Any] = {"step": task.step, "primary": exposure.header, "overwrite": overwrite}
    write_cube(left, path, category=product_category(exposure), **facts)
    write_image(collapse_mean(read_cube(path)), image, **facts)
    return spectra


def _write_sky(task: ExtractTask, parameters: ExtractParameters, overwrite: bool, progress: Progress) -> None:
    """Write the mean spectrum of the sky apertures, if they have data."""
    try:
        sky: StarSpectrum = extract_sky(task.source.cube, task.skies, parameters=parameters, progress=progress)
    except ExtractionError as err:
        warnings.warn(str(err), KmosWarning, stacklevel=4)
        return
    task.sky_file = write_spectrum(
        sky, task.sky, step=task.step, primary=task.source.exposure.header, overwrite=overwrite
    )


def _outcome(tasks: Sequence[ExtractTask], outside: Sequence[Aperture]) -> Outcome:
    """Put together what was written; write the records."""
    spectra = [path for task in tasks for path in task.products]
    if not spectra:
        notes = dict.fromkeys(row.note for task in tasks for row in task.rows if row.note != OUTSIDE)
        for task in tasks:  # nothing of a step that failed is left in the way of the next try
            for path in (task.table, *task.residual) if task.with_residual else (task.table,):
                path.unlink(missing_ok=True)
        msg = f"no star has a spectrum: {'; '.join(notes)}; move the apertures, or lower --min-coverage"
        raise ExtractionError(msg)
    skies = [task.sky_file for task in tasks if task.sky_file is not None]
    tables = [task.table for task in tasks]
    extras: list[Path] = []
    for task in tasks:
        residual = task.residual if task.with_residual else ()
        written = (*task.products, *([task.sky_file] if task.sky_file else []), task.table, *residual)
        extras += residual
        if task.step is not None:
            extras.append(write_record(task.table, task.step, products=written, overwrite=True))
    rows = [_measured(row, task) for task in tasks for row in task.rows if row.note != OUTSIDE]
    return Outcome(
        products=(*spectra, *skies, *tables),
        extras=tuple(extras),
        measured={"n_spectra": len(spectra), "spectra": rows, "outside": [row.id for row in outside]},
    )


def _measured(row: TableRow, task: ExtractTask) -> dict[str, Any]:
    """Return what is told of one star."""
    return {
        "id": row.aperture.id,
        "ifu": row.ifu,
        "target": row.target,
        "cube": task.source.path.name,
        "file": row.file,
        "snr": row.spectrum.snr if row.spectrum else math.nan,
        "snr_noise": row.spectrum.snr_noise if row.spectrum else math.nan,
        "note": row.note,
    }
