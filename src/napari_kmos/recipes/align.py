"""Measure the offsets of exposures, IFU by IFU."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.align import AlignParameters, check_magnitudes, check_overlap
from napari_kmos.calls import recorded
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import AlignmentError, KmosWarning, NotKmosError
from napari_kmos.io import check_free, read_exposure, write_offsets, write_record
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step, defaults_of, parameters_of
from napari_kmos.recipes.align_jointly import solve_jointly
from napari_kmos.recipes.align_measuring import measurer
from napari_kmos.recipes.align_rotation import RightStars, refine_rotation
from napari_kmos.recipes.align_targets import Visits, mosaics_of, targets_of
from napari_kmos.recipes.offset_rows import name_in_table, night_of, told_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.pairing import split_at_gap
from napari_kmos.recipes.selecting import check_once
from napari_kmos.spatial.fields import field_of

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset


@recorded(out="out")
def align(
    files: Sequence[Path | str],
    out: Path | str,
    *,
    method: str = "correlation",
    reference: int | Path | Catalogue = 0,
    ifu: int | None = None,
    parameters: AlignParameters | None = None,
    groups: Sequence[tuple[str, int | None]] | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Measure the correction of every IFU of every exposure, and write them as an offset table.

    Exposures are compared target by target: an arm may look at another target in another exposure. Targets whose fields
    overlap, as in a mosaic, are solved together.

    Parameters
    ----------
    files : sequence of path
        Exposures or combined cubes; the same sky is expected in all.
    out : path
        Table to write (ECSV). It names files below its folder relative to it, others by their whole path.
    method : str
        A key of `napari_kmos.align.OFFSET_METHODS`.
    reference : int or Path or Catalogue
        File, 0-based, whose headers are taken to be right: a target that has no data in it is measured against the
        first exposure that has. Or a file beside them: an exposure of another epoch, a combined cube, a mosaic or an
        image with celestial coordinates; targets that it does not show are not accepted. Or a catalogue: every IFU of
        every exposure is measured against it, at the places where its stars are at the date of the exposure, as far as
        it tells their proper motions.
    ifu : int, optional
        Only the target that this IFU sees, in the reference or the first exposure where it has one; only this IFU, if
        the reference is a catalogue.
    parameters : AlignParameters, optional
        The defaults if not given.
    groups : sequence of (epoch, half), optional
        One for each file; by default the epoch is the night, and the longest interruption of an OB lies between its
        halves.
    overwrite : bool
        Replace an existing table.
    progress : Progress
        Told after each exposure of each target.

    Returns
    -------
    Outcome
        Product: the table. Extra: the record. Measured: ``offsets``, a mapping a row; ``accepted`` and ``total``.

    Raises
    ------
    AlignmentError
        If there is no such reference, the catalogue has no source in the fields, or no target has data.
    KmosError
        If there is no such IFU, a file cannot be read, or one is given twice.
    WriteError
        If the table exists and may not be replaced.
    """
    parameters = parameters or AlignParameters()
    table = Path(out)
    for path in (table, table.with_suffix(".json")):
        check_free(path, overwrite)
    paths = [Path(path) for path in files]
    check_once([(path.resolve(), "") for path in paths])
    exposures = [read_exposure(path) for path in paths]
    if isinstance(reference, Path) and reference.resolve() in (among := [path.resolve() for path in paths]):
        reference = among.index(reference.resolve())
    found = measure_exposures(
        exposures, reference=reference, ifu=ifu, method=method, parameters=parameters, progress=progress
    )
    epochs = groups or _groups(exposures, parameters.gap_minutes)
    rows = [_completed(row, name_in_table(paths[row.exposure], table), epochs[row.exposure]) for row in found]
    _check_rows(rows)
    catalogue = reference if isinstance(reference, Catalogue) else None
    beside = reference if isinstance(reference, Path) else None if catalogue is None else catalogue.path
    shown = reference if isinstance(reference, int) else reference.name
    given = {"method": method, "reference": shown, "ifu": ifu, **parameters_of(parameters)}
    defaults = {"method": "correlation", "reference": 0, "ifu": None, **defaults_of(parameters)}
    inputs = (*paths, beside) if beside else tuple(paths)
    step = Step(name="align", inputs=inputs, parameters=given, defaults=defaults)
    write_offsets(rows, table, overwrite=overwrite)
    record = write_record(table, step, overwrite=overwrite)
    return Outcome(products=(table,), extras=(record,), measured=told_of(rows))


def measure_exposures(
    exposures: Sequence[Exposure],
    *,
    reference: int | Path | Catalogue = 0,
    ifu: int | None = None,
    method: str = "correlation",
    parameters: AlignParameters | None = None,
    progress: Progress = silent,
) -> tuple[Offset, ...]:
    """Measure the corrections of exposures, target by target; see `align`.

    Returns
    -------
    tuple of Offset
        One an exposure and IFU, in this order, without file and epoch; ``against`` tells what it was measured against.

    Raises
    ------
    AlignmentError
        If there is no such reference, the catalogue has no source in the fields, or rotations are to be refined by
        headers alone.
    KmosError
        If there is no such IFU.

    Warns
    -----
    KmosWarning
        If exposures of several bands are compared, or the catalogue has no magnitudes.
    """
    parameters = parameters or AlignParameters()
    if parameters.refine_rotation and method == "header":
        msg = "method header takes headers as they are, and no rotation is refined; take another method"
        raise AlignmentError(msg)
    targets = _targets(exposures, reference, ifu, method, parameters)
    measure = measurer(exposures, reference, method)

    def solve(targets: Sequence[Visits], told: Progress) -> list[Offset]:
        rows: list[Offset] = []
        for number, visits in enumerate(targets):
            rows += measure(visits, parameters, part_of(told, number, len(targets)))
        is_alone = isinstance(reference, Catalogue) or method == "header"
        return rows if is_alone else solve_jointly(rows, targets, measure, parameters)

    if parameters.refine_rotation:
        rows = solve(targets, part_of(progress, 0, 2))
        again = partial(solve, told=part_of(progress, 1, 2))
        rows = refine_rotation(rows, targets, again, RightStars(exposures, reference, parameters))
    else:
        rows = solve(targets, progress)
    return tuple(sorted(rows, key=lambda row: (row.exposure, row.ifu or 0)))


def _targets(
    exposures: Sequence[Exposure],
    reference: int | Path | Catalogue,
    ifu: int | None,
    method: str,
    parameters: AlignParameters,
) -> list[Visits]:
    """Return what is measured together, checked to have something to be measured against."""
    if isinstance(reference, Catalogue):
        return _under_catalogue(exposures, reference, ifu, method)
    if isinstance(reference, int) and not 0 <= reference < len(exposures):
        msg = f"reference exposure {reference} does not exist: there are {len(exposures)} files, counted from 0"
        raise AlignmentError(msg)
    if method != "header":
        _warn_of_bands(exposures, reference)
    targets = targets_of(exposures, reference if isinstance(reference, int) else 0, ifu)
    is_joined = method == "correlation" and isinstance(reference, int)
    return mosaics_of(targets, min_overlap=parameters.min_overlap) if is_joined else targets


def _under_catalogue(exposures: Sequence[Exposure], catalogue: Catalogue, ifu: int | None, method: str) -> list[Visits]:
    """Return all IFUs of each exposure, or one of each, which a catalogue must cover."""
    chosen = [[(number, cube) for cube in one.cubes if ifu in (None, cube.ifu)] for number, one in enumerate(exposures)]
    if not any(chosen):
        exposures[0].cube(ifu)  # raises, naming what there is
    fields = [field_of(cube) for visits in chosen for _, cube in visits]
    check_overlap(catalogue, fields)
    if method == "catalogue":
        check_magnitudes(catalogue, fields)
    return chosen


def _warn_of_bands(exposures: Sequence[Exposure], reference: int | Path) -> None:
    """Say that stars are not alike in exposures of several bands; a reference that is no exposure has none."""
    compared = list(exposures)
    if isinstance(reference, Path):
        with suppress(NotKmosError):
            compared.append(read_exposure(reference))
    bands = {exposure.band: exposure.label for exposure in reversed(compared) if exposure.band}
    if len(bands) > 1:
        have = ", ".join(f"{band} ({label})" for band, label in sorted(bands.items()))
        text = (
            f"exposures of several bands, {have}: their stars are not alike, and the errors come out too small; align "
        )
        warnings.warn(text + "each band by itself, or all of them against a catalogue", KmosWarning, stacklevel=4)


def _groups(exposures: Sequence[Exposure], gap_minutes: float) -> list[tuple[str, int | None]]:
    """Return night and half of each exposure; OBs of a night have halves of their own."""
    nights = [night_of(exposure) for exposure in exposures]
    by_ob: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, exposure in enumerate(exposures):
        by_ob[(nights[number], exposure.ob_name)].append(number)
    halves: dict[int, int | None] = {}
    for members in by_ob.values():
        starts = [float(date.mjd) if (date := exposures[one].date) is not None else math.nan for one in members]
        times = [next((cube.exptime for cube in exposures[one].cubes if cube.exptime), math.nan) for one in members]
        halves |= zip(members, split_at_gap(starts, times, gap_minutes=gap_minutes), strict=True)
    return [(night, halves[number]) for number, night in enumerate(nights)]


def _completed(row: Offset, file: str, group: tuple[str, int | None]) -> Offset:
    """Return a row with its file and group."""
    return dataclasses.replace(row, file=file, epoch=group[0], half=group[1])


def _check_rows(rows: Sequence[Offset]) -> None:
    """Refuse a table without rows, and say what was not accepted."""
    if not rows:
        msg = "no target has data in any exposure: there is nothing to align"
        raise AlignmentError(msg)
    refused = [f"exposure {row.exposure} IFU {row.ifu}" for row in rows if not row.accepted]
    if refused:
        shown = ", ".join(refused[:6]) + (", ..." if len(refused) > 6 else "")
        text = f"{len(refused)} of {len(rows)} offsets not accepted ({shown}): see the notes in the table"
        warnings.warn(text, KmosWarning, stacklevel=3)
