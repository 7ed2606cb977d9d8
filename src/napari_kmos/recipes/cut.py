"""Cut IFUs and halves out of a mosaic, a cube each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.calls import recorded
from napari_kmos.errors import KmosError
from napari_kmos.io import (
    CutRow,
    check_free,
    output_dir,
    read_exposure,
    read_exposure_times,
    with_exposure_times,
    write_cube,
    write_cuts,
    write_record,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.cut_parameters import CutParameters, CutSource
from napari_kmos.recipes.cut_places import Place, chosen_places, places_by_exposures, places_by_log, places_by_table
from napari_kmos.recipes.offset_rows import cut_name, cuts_name
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.product_cube import check_product, product_category
from napari_kmos.spatial.footprints import cut_out
from napari_kmos.times import ExposureTime

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

_DAY_S = 86400
#: Names of frames have the time to the second or to the minute in which they began.
_SAME_S = 60.0


@recorded()
def cut(
    mosaic: Path | str,
    out_dir: Path | str,
    *,
    source: CutSource,
    parameters: CutParameters | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Cut IFUs and halves out of a mosaic and write each as a combined cube; no spaxel is resampled.

    Parameters
    ----------
    mosaic : path
        A mosaic, or any file with one cube; it is read and written a few planes at a time.
    out_dir : path
        Folder of the products; made if missing.
    source : CutSource
        What tells where the IFUs are.
    parameters : CutParameters, optional
        The defaults if not given.
    overwrite : bool
        Replace products that exist.
    progress : Progress
        Told the planes written; it may raise `Cancelled`, and then no half-written file is left.

    Returns
    -------
    Outcome
        Products: ``<mosaic>_IFU<n>.fits`` or ``<mosaic>_IFU<n>_half<h>.fits``, with noise and coordinates; NaN where an
        IFU reaches beyond the mosaic. ``ESO QC CUT X`` and ``Y`` of their headers are the first pixel in the mosaic,
        1-based. Extras: their records and, where no table was given, ``<mosaic>_cuts.ecsv``, which can be edited and
        given as one. Measured, by product: ``ifu``, ``half``, ``shape``, and ``rows`` and ``columns`` of the mosaic,
        0-based, without their ends.

    Raises
    ------
    KmosError
        If a file cannot be used.
    GeometryError
        If no IFU lies in the mosaic, or the log is that of another one.
    WriteError
        If a product exists.
    """
    chosen = parameters or CutParameters()
    exposure = read_exposure(mosaic)
    cube = _only_cube(exposure)
    places = chosen_places(_places(cube, source, chosen), cube, chosen.ifus)
    inputs = (Path(mosaic), *source.files)
    folder = output_dir(out_dir)
    names = [cut_name(Path(mosaic), place.ifu, place.half) for place in places]
    targets = [check_product(folder / name, inputs, overwrite) for name in names]
    tables = [] if source.table else [check_free(folder / cuts_name(Path(mosaic)), overwrite)]
    outcomes = []
    for number, (place, target) in enumerate(zip(places, targets, strict=True)):
        step = _step(inputs, place, chosen)
        part = cut_out(dataclasses.replace(cube, ifu=place.ifu, name=place.name or cube.name), place.footprint)
        told = part_of(progress, number, len(places))
        primary = with_exposure_times(exposure.header, _times(place, read_exposure_times(exposure.header)))
        facts = {"step": step, "primary": primary, "category": product_category(exposure)}
        write_cube(part, target, **facts, overwrite=overwrite, progress=told)
        record = write_record(target, step, overwrite=overwrite)
        outcomes.append(Outcome(products=(target,), extras=(record,), measured={target.name: _measured(part, place)}))
    for table in tables:
        write_cuts(map(_row, places), table, overwrite=overwrite)
    return join_outcomes([*outcomes, Outcome(extras=tuple(tables))])


def _only_cube(exposure: Exposure) -> Cube:
    """Return the cube of a mosaic."""
    if len(exposure.cubes) != 1:
        msg = f"{exposure.label}: holds {len(exposure.cubes)} cubes; expected a mosaic (combine --mosaic makes one)"
        raise KmosError(msg)
    return exposure.cubes[0]


def _places(cube: Cube, source: CutSource, parameters: CutParameters) -> tuple[Place, ...]:
    """Return all places that the source tells of."""
    if source.table is not None:
        return places_by_table(cube, Path(source.table))
    if source.log is not None:
        return places_by_log(cube, Path(source.log), parameters, files=source.exposures)
    return places_by_exposures(cube, source.exposures, parameters, offsets=source.offsets)


def _times(place: Place, known: Sequence[ExposureTime]) -> Sequence[ExposureTime]:
    """Return when the exposures of a cut were taken: as they tell, else those of the mosaic that began then.

    Of a part whose exposures nothing tells these are none: those of the mosaic were not all its own.
    """
    starts = [start for start, _ in place.taken]
    if not (starts and all(map(math.isfinite, starts))):
        return () if place.half else known
    if all(math.isfinite(seconds) for _, seconds in place.taken):
        return [ExposureTime(start + 0.5 * seconds / _DAY_S, seconds) for start, seconds in sorted(place.taken)]
    return [
        one
        for one in known
        if any(abs(one.middle_mjd - 0.5 * one.seconds / _DAY_S - start) * _DAY_S < _SAME_S for start in starts)
    ]


def _step(inputs: tuple[Path, ...], place: Place, parameters: CutParameters) -> Step:
    """Describe what was done."""
    numbers = {name.upper().replace("_", ""): value for name, value in dataclasses.asdict(_row(place)).items()}
    return Step(
        name="cut",
        inputs=inputs,
        parameters=parameters_of(parameters),
        defaults=defaults_of(parameters),
        measured={f"CUT {name}": value for name, value in numbers.items() if value is not None},
    )


def _row(place: Place) -> CutRow:
    """Return the row of a table that says the same."""
    box = place.footprint
    return CutRow(ifu=place.ifu, half=place.half, x=box.x + 1, y=box.y + 1, n_x=box.n_x, n_y=box.n_y)


def _measured(part: Cube, place: Place) -> dict[str, Any]:
    """Return what is told of a cut."""
    box = place.footprint
    spans = {"rows": [box.y, box.y + box.n_y], "columns": [box.x, box.x + box.n_x]}
    return {"ifu": place.ifu, "half": place.half, "shape": list(part.shape), **spans}
