"""Which row of an offset table belongs to which cube, and where the table's files are."""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.time import TimeDelta

from napari_kmos.errors import AlignmentError, KmosError, KmosWarning
from napari_kmos.io import fits_stem
from napari_kmos.offset import UNACCEPTED, Offset
from napari_kmos.spatial.correction import corrected

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

#: Paranal's noon, in days of universal time: a night keeps the date on which it began.
_NOON_DAYS = 2 / 3
_CUT_HALF = re.compile(r"_half([12])$")


def night_of(exposure: Exposure) -> str:
    """Return the date of the evening, or nothing if the header does not tell."""
    if exposure.date is None:
        return ""
    return str((exposure.date - TimeDelta(_NOON_DAYS, format="jd")).isot[:10])


def row_of(offsets: Sequence[Offset], path: Path, cube: Cube, *, half: int | None = None) -> Offset | None:
    """Return the row of a cube: that of its file, by the last part of its name, and of its IFU.

    Files of one name in several folders are told apart by the whole path. A row without an IFU, or the only row of a
    file whose cube does not tell its IFU, serves too. Of rows of several halves, ``half`` is taken.

    Raises
    ------
    AlignmentError
        If several rows fit equally well.
    """
    rows = [row for row in offsets if Path(row.file).name == path.name]
    same = [row for row in rows if row.ifu == cube.ifu]
    if not same and (cube.ifu is None or all(row.ifu is None for row in rows)):
        same = rows
    if half is not None and len(same) > 1:
        same = [row for row in same if row.half == half] or [row for row in same if row.half is None]
    if len(same) > 1:
        same = [row for row in same if _ends_alike(Path(row.file), path)] or same
    if len({(row.ifu, row.half) for row in same}) > 1:
        msg = (
            f"{path} {cube.label}: the offsets have {len(same)} rows for this one cube, by IFU or half; combine moves "
        )
        raise AlignmentError(msg + "them apart, for anything else cut them out first (napari-kmos cut)")
    if len(same) > 1:
        msg = f"{len(same)} offsets rows fit {path} {cube.label}: give the files different names, or their paths"
        raise AlignmentError(msg)
    return same[0] if same else None


def group_rows(offsets: Sequence[Offset], cube: Cube, *, epoch: str, half: int | None) -> tuple[Offset, ...]:
    """Return the rows without a file that are for all of an epoch, a half or an IFU, and so for this cube.

    Raises
    ------
    AlignmentError
        If two rows are for the same.
    """
    found = [
        row
        for row in offsets
        if not row.file and row.epoch in ("", epoch) and row.half in (None, half) and row.ifu in (None, cube.ifu)
    ]
    kinds = {(row.epoch, row.half, row.ifu) for row in found}
    if len(kinds) < len(found):
        msg = f"two offsets rows without a file are for the same epoch, half and IFU as {cube.label}; give one of them"
        raise AlignmentError(msg)
    return tuple(found)


def usable_offset(
    rows: Sequence[Offset],
    exposure: Exposure,
    cube: Cube,
    *,
    unaccepted: str,
    group: tuple[str, int | None] | None = None,
) -> Offset | None:
    """Return the offset of a cube; what is done where none may be used is a choice of `UNACCEPTED`. None is to skip it.

    Rows without a file, for the whole of an epoch, half or IFU, are added to that of the file; ``group`` are epoch and
    half of the cube, if not those of its row.

    Raises
    ------
    AlignmentError
        If there is no row or it is not accepted, and ``unaccepted`` is ``"error"``.
    """
    epoch, half = group or (epoch_of([rows], exposure, cube, None), None)
    found = rows_for(rows, exposure, cube, epoch=epoch, half=half)
    if found and all(one.accepted and _is_number(one) for one in found):
        return added(found)
    path = exposure.path or Path(exposure.label)
    what = cube.source or f"{exposure.label} {cube.label}"
    reason = _why_not(rows, found, path, epoch)
    if unaccepted == "error":
        msg = f"{what}: {reason}; accept or add it, or take --unaccepted header or skip"
        raise AlignmentError(msg)
    done = "placed by its header" if unaccepted == "header" else "left out"
    warnings.warn(f"{what}: {reason}; {done}", KmosWarning, stacklevel=4)
    if unaccepted == "skip":
        return None
    return Offset(exposure=0, file=path.name, ifu=cube.ifu, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0, method="header")


def check_unaccepted(unaccepted: str) -> None:
    """Refuse a word that is none of `UNACCEPTED`.

    Raises
    ------
    KmosError
        If it is none of them.
    """
    if unaccepted not in UNACCEPTED:
        msg = f"unaccepted is {unaccepted!r}, expected one of {', '.join(UNACCEPTED)}"
        raise KmosError(msg)


def rows_for(
    rows: Sequence[Offset], exposure: Exposure, cube: Cube, *, epoch: str, half: int | None
) -> tuple[Offset, ...]:
    """Return what adds up to the correction of a cube: the row of its file, and those of its epoch, half and IFU."""
    row = own_row(rows, exposure.path or Path(exposure.label), cube, half)
    group = group_rows(rows, cube, epoch=epoch, half=half if row is None else row.half or half)
    return group if row is None else (row, *group)


def told_offset(rows: Sequence[Offset], exposure: Exposure, cube: Cube, half: int | None) -> Offset | None:
    """Return what a table says of a cube, accepted or not; None if it says nothing. NaN is never accepted."""
    epoch = epoch_of([rows], exposure, cube, half)
    found = rows_for(rows, exposure, cube, epoch=epoch, half=half)
    if not found:
        return None
    told = added(found)
    return told if _is_number(told) else dataclasses.replace(told, accepted=False, note="no number (NaN)")


def corrected_cube(
    cube: Cube, exposure: Exposure, tables: Sequence[Sequence[Offset]], *, unaccepted: str, half: int | None
) -> Cube | None:
    """Return a cube with what offset tables say added to its coordinates; None if it is to be skipped.

    Raises
    ------
    AlignmentError
        As `usable_offset` says.
    """
    check_unaccepted(unaccepted)
    group = (epoch_of(tables, exposure, cube, half), half)
    found = [usable_offset(table, exposure, cube, unaccepted=unaccepted, group=group) for table in tables]
    used = [offset for offset in found if offset is not None]
    if len(used) < len(found):
        return None
    return corrected(cube, added(used))


def epoch_of(tables: Sequence[Sequence[Offset]], exposure: Exposure, cube: Cube, half: int | None) -> str:
    """Return the epoch of a cube: that of its row in the first table that tells one, else the date of its night."""
    path = exposure.path or Path(exposure.label)
    rows = (own_row(table, path, cube, half) for table in tables)
    return next((row.epoch for row in rows if row is not None and row.epoch), night_of(exposure))


def added(rows: Sequence[Offset]) -> Offset:
    """Return the sum of corrections, as a row of the first one's file; it is accepted if all of them are.

    What a sum is against nobody told.
    """
    if len(rows) == 1:
        return rows[0]
    turn_errors = [row.rotation_err_deg for row in rows if row.rotation_err_deg is not None]
    return dataclasses.replace(
        rows[0],
        rotation_deg=sum(row.rotation_deg for row in rows),
        rotation_err_deg=math.hypot(*turn_errors) if turn_errors else None,
        dra_arcsec=sum(row.dra_arcsec for row in rows),
        ddec_arcsec=sum(row.ddec_arcsec for row in rows),
        err_arcsec=math.hypot(*(row.err_arcsec for row in rows)),
        method=" + ".join(dict.fromkeys(row.method for row in rows)),
        accepted=all(row.accepted for row in rows),
        note=next((row.note for row in rows if not row.accepted), rows[0].note),
        against="",
    )


def own_row(rows: Sequence[Offset], path: Path, cube: Cube, half: int | None) -> Offset | None:
    """Return the row of a cube's file, or of that which `cut` writes of this part of a mosaic; see `row_of`.

    Raises
    ------
    AlignmentError
        As `row_of` says, or if the row of a cut is turned: its centre is not that of the mosaic.
    """
    row = row_of(rows, path, cube, half=half)
    if row is not None or cube.ifu is None:
        return row
    row = row_of(rows, path.with_name(cut_name(path, cube.ifu, half)), cube)
    if row is not None and row.rotation_deg:
        msg = f"{row.file}: turned by {row.rotation_deg:+.3f} deg about the centre of this cut, not of {path.name}; "
        raise AlignmentError(msg + "combine the cuts themselves, or set its rotation to 0")
    return row


def cut_name(mosaic: Path, ifu: int, half: int | None) -> str:
    """Return how the cut of an IFU, or of a half of it, out of a mosaic is called."""
    ending = "" if half is None else f"_half{half}"
    return f"{fits_stem(mosaic)}_IFU{ifu}{ending}.fits"


def half_of_cut(path: Path) -> int | None:
    """Return the half that the name of a cut tells; None if it tells none."""
    told = _CUT_HALF.search(fits_stem(path))
    return int(told[1]) if told else None


def cuts_name(mosaic: Path) -> str:
    """Return how the table of what was cut out of a mosaic is called."""
    return f"{fits_stem(mosaic)}_cuts.ecsv"


def _is_number(row: Offset) -> bool:
    return all(map(math.isfinite, (row.dra_arcsec, row.ddec_arcsec, row.rotation_deg)))


def _why_not(rows: Sequence[Offset], found: Sequence[Offset], path: Path, epoch: str) -> str:
    """Say why an offset may not be used."""
    refused = [row for row in found if not row.accepted]
    if refused:
        return f"its offset is not accepted ({refused[0].note or 'no reason given'})"
    if not all(map(_is_number, found)):
        return "its offset is no number (NaN)"
    files = sorted({Path(row.file).name for row in rows if row.file})
    if path.name in files:
        return "no row in the offsets"
    if files:
        return f"the offsets are for other files ({', '.join(files[:3])}, ...)"
    epochs = ", ".join(sorted({row.epoch for row in rows if row.epoch})) or "none"
    return f"the offsets name no files, and their epochs ({epochs}) are not that of the exposure ({epoch or 'unknown'})"


def find_file(row: Offset, table: Path) -> Path:
    """Return the file of a row: as named, relative to the table's folder or to the current one, or beside the table.

    Raises
    ------
    AlignmentError
        If it is in none of these places.
    """
    named = Path(row.file)
    for path in (table.parent / named, named, table.parent / named.name):
        if path.is_file():
            return path
    msg = f"{table}: file {row.file} is not where the table says and not beside it; move the table to its files"
    raise AlignmentError(msg)


def name_in_table(path: Path, table: Path) -> str:
    """Return how a table names a file: relative to its folder if the file is below it, else with its whole path."""
    whole, folder = path.absolute(), table.absolute().parent
    return whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else str(whole)


def _ends_alike(named: Path, path: Path) -> bool:
    """Tell whether a path ends with the parts that another one names."""
    parts = [part for part in named.parts if part not in (".", "..", named.anchor)]
    return list(path.absolute().parts[-len(parts) :]) == parts


def told_of(rows: Sequence[Offset]) -> dict[str, Any]:
    """Return what --json tells of offsets."""
    names = ["exposure", "file", "ifu", "dra_arcsec", "ddec_arcsec", "err_arcsec", "accepted", "note"]
    if any(row.rotation_deg for row in rows):
        names += ["rotation_deg", "rotation_err_deg"]
    listed = [{name: getattr(row, name) for name in names} for row in rows]
    return {"offsets": listed, "accepted": sum(row.accepted for row in rows), "total": len(rows)}
