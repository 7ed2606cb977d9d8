"""Turn offset tables into what other tools understand: shift files, or corrected headers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.calls import recorded
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.io import (
    check_free,
    fits_stem,
    output_dir,
    read_exposure,
    read_offsets,
    write_record,
    write_wcs_copy,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.provenance import Step
from napari_kmos.recipes.mosaic_fields import halves_by_time
from napari_kmos.recipes.offset_rows import find_file, told_offset
from napari_kmos.recipes.outcome import Outcome, join_outcomes
from napari_kmos.recipes.selecting import keep_files
from napari_kmos.recipes.shift_files import (
    Frame,
    check_names,
    displacements,
    frames_by_target,
    some,
    warn_of_leftovers,
    write_shift_files,
)

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset

SUFFIX = "_OFFSET"
#: What stands before the error of a correction in the header of a copy.
_ERROR = "+-"


@recorded()
def offsets(
    table: Path | str,
    out_dir: Path | str,
    *,
    shifts: bool = False,
    crval: bool = False,
    drop: Sequence[Path | str] = (),
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Write offsets as shift files for `kmos_combine`, as corrected headers, or both.

    Parameters
    ----------
    table : path
        Offset table. Its files are looked for where it says, relative to its folder, and beside it.
    out_dir : path
        Folder of the products; made if missing.
    shifts : bool
        For each target write ``shifts_<target>.txt``, ``shifts_<target>.sof`` with the frames in the same order, and
        ``shifts_<target>_README.txt`` which states the convention and the command. Exposures whose offset is not
        accepted are left out, with a warning.
    crval : bool
        Write a copy of each exposure, ``<stem>_OFFSET.fits``, with the corrections added to CRVAL1 and CRVAL2 of data
        and noise, and rotations to CD or PC and CRPIX; no bit of the pixels changes. IFUs without an accepted offset
        keep their headers, and exposures without any get no copy, with a warning.
    drop : sequence of path
        Exposures to be left out; the last part of a name is enough. With ``overwrite``, shift file and SOF are made
        again without them, the shifts against the first exposure that is left.
    overwrite : bool
        Replace products that exist; inputs are never replaced.
    progress : Progress
        Told each exposure that is copied; it may raise `Cancelled`, and then no half-written copy is left.

    Returns
    -------
    Outcome
        Products: shift files with their SOF, and exposures. Extras: the texts, and the records. Measured: ``shifts``,
        for each target the displacements in pixels.

    Raises
    ------
    AlignmentError
        If a file of the table cannot be found, no offset is accepted, or the exposures of a target differ in rotation
        or band. A shift file cannot tell a rotation: offsets that have one are refused, copies are the way.
    KmosError
        If neither ``shifts`` nor ``crval`` is asked for, or what is to be dropped is none of the exposures.
    WriteError
        If a product exists, or would replace an input.
    """
    if not (shifts or crval):
        msg = "nothing to do: ask for a shift file (--shifts), for corrected headers (--crval), or both"
        raise KmosError(msg)
    table, folder = Path(table), output_dir(out_dir)
    rows = read_offsets(table)
    if not any(row.accepted for row in rows):
        msg = f"{table}: none of its {len(rows)} offsets is accepted; nothing can be corrected"
        raise AlignmentError(msg)
    frames = _frames(rows, table, drop)
    outputs = _copies_of(frames, folder, overwrite) if crval else {}
    shifted = _write_all_shifts(frames, table, folder, overwrite) if shifts else Outcome()
    return join_outcomes([shifted, _write_copies(outputs, frames, table, overwrite, progress)])


def _frames(rows: Sequence[Offset], table: Path, drop: Sequence[Path | str]) -> list[Frame]:
    """Return the cubes of a table's exposures of which it says something, in the order of the exposures."""
    named = sorted((row for row in rows if row.file), key=lambda row: row.exposure)
    if not named:
        msg = f"{table}: its rows name no files; expected exposures that can be corrected. combine uses such a table"
        raise AlignmentError(msg)
    exposures = [read_exposure(path) for path in _kept_paths(named, table, drop)]
    return [
        Frame(exposure, cube, offset)
        for exposure, half in zip(exposures, halves_by_time(exposures), strict=True)
        for cube in exposure.cubes
        if (offset := told_offset(rows, exposure, cube, half)) is not None
    ]


def _kept_paths(rows: Sequence[Offset], table: Path, drop: Sequence[Path | str]) -> list[Path]:
    """Return the files of a table without those that are to be dropped, which may be gone already."""
    dropped = {Path(one).name for one in drop}
    paths: dict[Path, None] = {}
    for row in rows:
        try:
            paths[find_file(row, table)] = None
        except AlignmentError:
            if Path(row.file).name not in dropped:
                raise
            paths[table.parent / row.file] = None
    return keep_files(list(paths), drop)


def _write_all_shifts(frames: Sequence[Frame], table: Path, folder: Path, overwrite: bool) -> Outcome:
    """Write the shift files of all targets."""
    targets = frames_by_target(frames)
    check_names(list(targets), folder, overwrite)
    moves = {name: displacements(name, members) for name, members in targets.items()}
    outcomes = [
        write_shift_files(name, members, moves[name], table, folder, overwrite) for name, members in targets.items()
    ]
    warn_of_leftovers([frame.target for frame in frames], list(targets), folder)
    measured = {"shifts": {name: one[1:] for name, one in moves.items()}}
    return join_outcomes([*outcomes, Outcome(measured=measured)])


def _write_copies(
    outputs: Mapping[Path, Exposure], frames: Sequence[Frame], table: Path, overwrite: bool, progress: Progress
) -> Outcome:
    """Write exposures with corrected headers, and their records."""
    _warn_of_uncorrected(outputs, frames)
    records = []
    for number, (path, exposure) in enumerate(outputs.items()):
        corrected = {frame.cube.ifu: frame for frame in frames if frame.exposure is exposure and frame.offset.accepted}
        used = {key: text for ifu, frame in corrected.items() for key, text in _told(ifu, frame.offset).items()}
        step = Step(name="offsets", inputs=(exposure.path or Path(), table), parameters=used)
        wcs = {frame.cube.source: frame.wcs for frame in corrected.values()}
        told = part_of(progress, number, len(outputs))
        write_wcs_copy(step.inputs[0], path, wcs, step=step, overwrite=overwrite, progress=told)
        records.append(write_record(path, step, overwrite=overwrite))
    return Outcome(products=tuple(outputs), extras=tuple(records))


def _warn_of_uncorrected(outputs: Mapping[Path, Exposure], frames: Sequence[Frame]) -> None:
    """Say in one warning which headers of copies are not corrected, and which exposures have no copy."""
    corrected = {(frame.path, frame.cube.ifu) for frame in frames if frame.offset.accepted}
    cubes = [(one, cube) for one in outputs.values() for cube in one.cubes]
    same = [f"{one.label} {cube.label}" for one, cube in cubes if (one.path, cube.ifu) not in corrected]
    written = {exposure.path for exposure in outputs.values()}
    left = list(dict.fromkeys(frame.exposure.label for frame in frames if frame.path not in written))
    told = []
    if same:
        told.append(f"{len(same)} of {len(cubes)} IFUs, {some(same)}: no accepted offset; its header stays as it is")
    if left:
        told.append(f"{some(left)}: no accepted offset, and no copy")
    if outputs and told:
        warnings.warn("; ".join(told), KmosWarning, stacklevel=4)


def _copies_of(frames: Sequence[Frame], folder: Path, overwrite: bool) -> dict[Path, Exposure]:
    """Return the exposure of each copy, in which something is corrected, checked to be free."""
    chosen = {id(frame.exposure): frame.exposure for frame in frames if frame.offset.accepted}
    if not chosen:
        msg = "none of the exposures has an accepted offset: no copy would have another header"
        raise AlignmentError(msg)
    inputs = {frame.path.resolve() for frame in frames}
    outputs: dict[Path, Exposure] = {}
    for exposure in chosen.values():
        path = folder / f"{fits_stem(exposure.path or Path('exposure'))}{SUFFIX}.fits"
        if path in outputs or path.resolve() in inputs:
            msg = f"{path}: would replace an input or another product; choose another folder (-o)"
            raise WriteError(msg)
        for target in (path, path.with_suffix(".json")):
            check_free(target, overwrite)
        outputs[path] = exposure
    return outputs


def _told(ifu: int | None, offset: Offset) -> dict[str, str]:
    """Return a correction as the header of a copy tells it: by the names of parameters."""
    told = {corrected_key(ifu): f"{offset.dra_arcsec:+.5f} {offset.ddec_arcsec:+.5f}{_error(offset.err_arcsec)} arcsec"}
    if offset.rotation_deg:
        told[turned_key(ifu)] = f"{offset.rotation_deg:+.6f}{_error(offset.rotation_err_deg)} deg"
    return told


def _error(error: float | None) -> str:
    return "" if error is None or not math.isfinite(error) else f" {_ERROR} {error:.5f}"


def corrected_error(told: str) -> float:
    """Return the error of a correction or rotation as the header of a copy tells it; NaN if it does not."""
    number = told.partition(_ERROR)[2].split()
    try:
        return float(number[0])
    except (IndexError, ValueError):
        return math.nan


def corrected_key(ifu: int | None) -> str:
    """Return the parameter by which a copy tells that the header of an IFU is corrected."""
    return f"IFU{ifu or 0}"


def turned_key(ifu: int | None) -> str:
    """Return the parameter by which a copy tells that an IFU is turned."""
    return f"{corrected_key(ifu)} rotation"
