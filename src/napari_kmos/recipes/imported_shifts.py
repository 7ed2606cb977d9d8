"""Offsets that a shift file of `kmos_combine` implies, with the frames in the order of its SOF."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import AlignmentError, KmosWarning
from napari_kmos.io import is_as_recorded, read_shifts, read_sof
from napari_kmos.recipes.imported_rows import Opened, Visit
from napari_kmos.recipes.shift_files import frames_of_record, is_for, target_of

if TYPE_CHECKING:
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.shift_files import WrittenFrames

_METHOD = "shift file"


def rows_of_shifts(shift_file: Path, sof: Path | None, opened: Opened, *, name: str | None = None) -> list[Offset]:
    """Return the offsets that a shift file implies.

    How the first frame was corrected, and the errors, are in the record beside the file, if there is one; otherwise its
    header is right, and errors are not known.

    Parameters
    ----------
    shift_file : path
        Two columns, dx and dy in pixels, the first frame left out.
    sof : path, optional
        The frames in their order; by default as the record has them, or as the exposures were given.
    opened : Opened
        The exposures.
    name : str, optional
        The target; by default that of the record, of the name of the file, or the only one.

    Raises
    ------
    AlignmentError
        If the frames are other files, not as many as the shifts, or in another order than they were; if they differ in
        rotation, or nothing tells the target.

    Warns
    -----
    KmosWarning
        If the file is not what its record says was written. Errors are not known then.
    """
    shifts = read_shifts(shift_file)
    record = frames_of_record(shift_file)
    numbers = _in_order(shift_file, sof, opened, record)
    if len(numbers) != len(shifts) + 1:
        msg = (
            f"{shift_file}: {len(shifts)} lines, and {len(numbers)} exposures in {sof or 'what was given'}; expected a "
        )
        raise AlignmentError(msg + "line for each but the first: write both again without what was dropped")
    target = name or (record.target if record else None) or _only_target(shift_file, numbers, opened)
    moves = [(0.0, 0.0), *shifts]
    visits = [_visit(number, target, move, opened) for number, move in zip(numbers, moves, strict=True)]
    rows = opened.rows_against(visits, _METHOD, correction=record.correction if record else (0.0, 0.0))
    if not is_as_recorded(shift_file):
        text = (
            f"{shift_file}: is not what was written, by its record {shift_file.stem}.json: it was changed, or is of "
            "another time. Its lines are taken, the correction of its first frame from the record, no errors; if that "
            "is wrong, write both again (--shifts), or remove the record"
        )
        warnings.warn(text, KmosWarning, stacklevel=4)
        return rows
    errors = record.errors if record and len(record.errors) == len(rows) else [math.nan] * len(rows)
    return [dataclasses.replace(row, err_arcsec=err) for row, err in zip(rows, errors, strict=True)]


def _in_order(shift_file: Path, sof: Path | None, opened: Opened, record: WrittenFrames | None) -> list[int]:
    """Return the numbers of the exposures, in the order of the shifts."""
    if sof is None and record is None:
        return list(range(len(opened.exposures)))
    frames = [Path(name) for name in record.frames] if record else []
    if sof is not None:
        frames = list(read_sof(sof))
        if record and [frame.name for frame in frames] != list(record.frames):
            msg = f"{sof}: its frames are not those, or not in the order, for which {shift_file.name} was written (see "
            raise AlignmentError(msg + f"{shift_file.stem}.json); write both again, with napari-kmos offsets --shifts")
    numbers = [opened.find(frame) for frame in frames]
    lost = [frame.name for frame, number in zip(frames, numbers, strict=True) if number is None]
    if lost:
        msg = f"{sof or shift_file}: is for other files: {lost[0]} is not among the exposures ({opened.names()}); give "
        raise AlignmentError(msg + "all of its frames")
    return [number for number in numbers if number is not None]


def _only_target(shift_file: Path, numbers: Sequence[int], opened: Opened) -> str:
    """Return the target that all exposures have in common; if there are several, that of the file's name."""
    seen = [{target_of(cube): None for cube in opened.exposures[number].cubes} for number in numbers]
    common = [name for name in seen[0] if all(name in one for one in seen)]
    named = [name for name in common if is_for(shift_file, name)]
    if len(named or common) != 1:
        have = ", ".join(common) or "none that all exposures have"
        msg = f"{shift_file}: nothing tells its target; there are {have}: say which (--name)"
        raise AlignmentError(msg)
    return (named or common)[0]


def _visit(number: int, target: str, move: tuple[float, float], opened: Opened) -> Visit:
    """Return the cube of a target in an exposure."""
    exposure = opened.exposures[number]
    cubes = [cube for cube in exposure.cubes if target_of(cube) == target]
    if len(cubes) != 1:
        have = ", ".join(target_of(cube) for cube in exposure.cubes) or "none"
        msg = (
            f"{exposure.label}: target {target!r} is in {len(cubes)} of its IFUs, expected one; its targets are {have}"
        )
        raise AlignmentError(msg)
    return Visit(number, cubes[0], move)
