"""Extract the spectra of stars from cubes, mosaics and all IFUs of exposures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from napari_kmos.aperture import Aperture, check_apertures
from napari_kmos.calls import recorded
from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.errors import ExtractionError
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import check_free, output_dir, read_apertures, write_record
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.extract_cube import extract_cube
from napari_kmos.recipes.extract_plan import OUTSIDE, ExtractHow, ExtractTask, plan_tasks, read_cubes
from napari_kmos.recipes.extract_versus import read_before
from napari_kmos.recipes.offset_tables import read_tables
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.report.spectra import MEASURED, TableRow

if TYPE_CHECKING:
    from napari_kmos.recipes.extract_plan import CubeInFile

_FOUND = CatalogueColumns()


@recorded()
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
    text: bool = False,
    apart: bool = False,
    versus: Sequence[Path | str] = (),
    columns: CatalogueColumns = _FOUND,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Extract the spectra of stars and write each to a file, with a table a cube.

    Parameters
    ----------
    files : sequence of path
        Exposures, combined cubes, mosaics. An aperture belongs to the cube that holds its centre. Where two files have
        the same target in the same IFU, the products of each go into a folder named after it, and after the folder it
        is in where that is needed to tell files of one name apart.
    apertures : path, or iterable of Aperture
        File of stars and sky areas, ``.ecsv`` or ``.reg``; regions in image pixels only with a single cube. A table of
        spectra serves, too: the same stars once more; and a catalogue, with a radius.
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
    text : bool
        Write each spectrum as three columns of text, too.
    apart : bool
        Give each file a folder of its own in any case: other files may follow, as those of other epochs.
    versus : sequence of path
        Tables of spectra from before, or folders of them: the table then tells what became of the SNR.
    columns : CatalogueColumns
        Columns of a catalogue, see `read_apertures`.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told each cube; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``spec_<target>_ifu<n>_<id>.fits`` (``mosaic`` where there is no IFU), ``sky_<target>_ifu<n>.fits``
        where a cube holds sky apertures, ``spectra_<target>_ifu<n>.ecsv``. Extras: the record of each table, its stars
        as ds9 regions, ``spectra_<target>_ifu<n>.reg``, coloured by a column ``class`` of the apertures; where wanted
        ``spec_<target>_ifu<n>_<id>.txt``, and ``residual_<target>_ifu<n>.fits`` with the mean over its planes,
        ``residual_<target>_ifu<n>_IMAGE.fits``. Measured: ``spectra``, for each its id, IFU, target, file, SNR, note
        and what was before; ``outside``, ids outside every cube.

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
    how = ExtractHow(method=method, parameters=chosen, residual=residual, text=text, apart=apart, overwrite=overwrite)
    tables = tuple(map(Path, offsets))
    before = read_before(versus)
    sources = read_cubes(files, ifu, tables=read_tables(tables), unaccepted=unaccepted)
    rows = _read_apertures(apertures, sources, radius_arcsec, columns)
    table_files = (Path(apertures),) if isinstance(apertures, Path | str) else ()
    tasks, outside = plan_tasks(sources, rows, Path(out_dir), how)
    output_dir(out_dir)
    for task in tasks:
        for path in task.outputs():
            check_free(path, overwrite)
    settings = {"method": method, "ifu": ifu or 0, "unaccepted": unaccepted, **parameters_of(chosen)}
    defaults = {"method": "aperture", "ifu": 0, "unaccepted": "error", **defaults_of(chosen)}
    for number, task in enumerate(tasks):
        said = f"{task.source.exposure.label}: spectra of {task.source.cube.label}"
        progress(number, len(tasks), said)
        inputs = (task.source.path, *table_files, *tables)
        task.step = Step(name="extract", inputs=inputs, parameters=settings, defaults=defaults)
        extract_cube(task, before, _reading(progress, number, len(tasks), said))
    progress(len(tasks), len(tasks), "spectra written")
    return _outcome(tasks, outside)


def _read_apertures(
    apertures: Path | str | Iterable[Aperture],
    sources: Sequence[CubeInFile],
    radius_arcsec: float | None,
    columns: CatalogueColumns,
) -> tuple[Aperture, ...]:
    """Apertures of a file, in image pixels only where it is clear of which image, or as given."""
    if not isinstance(apertures, Path | str):
        return check_apertures(apertures)
    wanted = [source for source in sources if source.wanted]
    wcs = wanted[0].cube.wcs if len(wanted) == 1 else None
    rows = read_apertures(apertures, radius_arcsec=radius_arcsec, wcs=wcs, columns=columns)
    return tuple(map(_unmeasured, rows))


def _unmeasured(row: Aperture) -> Aperture:
    """Aperture of a table of spectra without what the extraction had found."""
    if not {"file", "snr", "n_sky"} <= row.extra.keys():
        return row
    kept = {name: value for name, value in row.extra.items() if name not in MEASURED}
    return replace(row, extra=MappingProxyType(kept))


def _reading(progress: Progress, number: int, n_tasks: int, text: str) -> Progress:
    """Return the progress of the readings of one cube, which go on under the text that names it."""
    within = part_of(progress, number, n_tasks)
    return lambda done, total, _: within(done, total, text)


def _outcome(tasks: Sequence[ExtractTask], outside: Sequence[Aperture]) -> Outcome:
    """Put together what was written; write the records."""
    spectra = [path for task in tasks for path in task.products]
    if not spectra:
        notes = dict.fromkeys(row.note for task in tasks for row in task.rows if row.note != OUTSIDE)
        for task in tasks:  # nothing of a step that failed is left in the way of the next try
            for path in (task.table, *task.extras):
                path.unlink(missing_ok=True)
        msg = f"no star has a spectrum: {'; '.join(notes)}; move the apertures, or lower --min-coverage"
        raise ExtractionError(msg)
    skies = [task.sky_file for task in tasks if task.sky_file is not None]
    tables = [task.table for task in tasks]
    extras: list[Path] = []
    for task in tasks:
        written = (*task.products, *([task.sky_file] if task.sky_file else []), task.table, *task.extras)
        extras += task.extras
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
        **({} if row.before is None else {"snr_before": row.before[0], "snr_noise_before": row.before[1]}),
    }
