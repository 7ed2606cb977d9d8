"""Cut IFUs and halves out of a mosaic, a cube each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError
from napari_kmos.io import (
    CutRow,
    check_free,
    fits_stem,
    output_dir,
    read_exposure,
    write_cube,
    write_cuts,
    write_record,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.cut_places import (
    CutParameters,
    Place,
    chosen_places,
    places_by_exposures,
    places_by_log,
    places_by_table,
)
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.spatial.footprints import cut_out

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CutSource:
    """What tells where the IFUs lie in a mosaic: one of the three.

    Parameters
    ----------
    exposures : sequence of path
        The exposures it is made of, by their coordinates and times.
    offsets : path, optional
        Offset table with which these were combined.
    log : path, optional
        Log of `kmos_combine`, or the folder that holds ``esorex.log``.
    table : path, optional
        ECSV, CSV or other text: ``ifu``, ``x``, ``y`` and, if need be, ``half``, ``n_x``, ``n_y``; x and y are the
        first pixel of the cut, 1-based as in ds9.

    Raises
    ------
    KmosError
        If not one of the three is given, or offsets without exposures.
    """

    exposures: Sequence[Path] = ()
    offsets: Path | None = None
    log: Path | None = None
    table: Path | None = None

    def __post_init__(self) -> None:
        if sum((bool(self.exposures), self.log is not None, self.table is not None)) != 1:
            msg = "expected one thing that tells where the IFUs are: exposures (--from), a log (--log), or a table "
            msg += "(--table)"
            raise KmosError(msg)
        if self.offsets is not None and not self.exposures:
            msg = "offsets correct the coordinates of exposures; give these too (--from), or leave the offsets out"
            raise KmosError(msg)

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        single = (self.offsets, self.log, self.table)
        return (*map(Path, self.exposures), *(Path(one) for one in single if one is not None))


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
        1-based. Extras: their records, and ``<mosaic>_cuts.ecsv``, which can be edited and given as a table. Measured,
        by product: ``ifu``, ``half``, ``shape``, and ``rows`` and ``columns`` of the mosaic, 0-based, without their
        ends.

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
    stem = f"{output_dir(out_dir) / fits_stem(Path(mosaic))}"
    table = check_free(f"{stem}_cuts.ecsv", overwrite)
    targets = [_target(stem, place, overwrite) for place in places]
    outcomes = []
    for number, (place, target) in enumerate(zip(places, targets, strict=True)):
        step = _step((Path(mosaic), *source.files), place, chosen)
        part = cut_out(dataclasses.replace(cube, ifu=place.ifu, name=place.name or cube.name), place.footprint)
        told = part_of(progress, number, len(places))
        category = exposure.category or "COMBINED_CUBE"
        write_cube(
            part, target, step=step, primary=exposure.header, category=category, overwrite=overwrite, progress=told
        )
        record = write_record(target, step, overwrite=overwrite)
        outcomes.append(Outcome(products=(target,), extras=(record,), measured={target.name: _measured(part, place)}))
    write_cuts(map(_row, places), table, overwrite=overwrite)
    return join_outcomes([*outcomes, Outcome(extras=(table,))])


def _only_cube(exposure: Exposure) -> Cube:
    """Return the cube of a mosaic."""
    if len(exposure.cubes) != 1:
        msg = f"{exposure.label}: holds {len(exposure.cubes)} cubes; expected a mosaic (combine --mosaic makes one)"
        raise KmosError(msg)
    return exposure.cubes[0]


def _places(cube: Cube, source: CutSource, parameters: CutParameters) -> tuple[Place, ...]:
    """Return all places by the one source there is."""
    if source.table is not None:
        return places_by_table(cube, Path(source.table))
    if source.log is not None:
        return places_by_log(cube, Path(source.log), parameters)
    return places_by_exposures(cube, [Path(one) for one in source.exposures], parameters, offsets=source.offsets)


def _target(stem: str, place: Place, overwrite: bool) -> Path:
    """Return the name of a product, if it and its record may be written."""
    half = "" if place.half is None else f"_half{place.half}"
    target = Path(f"{stem}_IFU{place.ifu}{half}.fits")
    check_free(target.with_suffix(".json"), overwrite)
    return check_free(target, overwrite)


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
