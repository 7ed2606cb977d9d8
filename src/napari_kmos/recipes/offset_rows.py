"""Which row of an offset table belongs to which cube, and where the table's files are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import AlignmentError, KmosWarning
from napari_kmos.offset import Offset

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure


#: What can be done with exposures whose offset is missing or not accepted.
UNACCEPTED = ("error", "header", "skip")


def row_of(offsets: Sequence[Offset], path: Path, cube: Cube) -> Offset | None:
    """Return the row of a cube: that of its file, by the last part of its name, and of its IFU.

    Files of one name in several folders are told apart by the whole path. A row without an IFU, or the only row of a
    file whose cube does not tell its IFU, serves too.

    Raises
    ------
    AlignmentError
        If several rows fit equally well.
    """
    rows = [row for row in offsets if Path(row.file).name == path.name]
    same = [row for row in rows if row.ifu == cube.ifu]
    if not same and (cube.ifu is None or all(row.ifu is None for row in rows)):
        same = rows
    if len(same) > 1:
        same = [row for row in same if _ends_alike(Path(row.file), path)] or same
    if len(same) > 1:
        msg = f"{len(same)} offsets rows fit {path} {cube.label}: give the files different names, or their paths"
        raise AlignmentError(msg)
    return same[0] if same else None


def usable_offset(rows: Sequence[Offset], exposure: Exposure, cube: Cube, *, unaccepted: str) -> Offset | None:
    """Return the offset of a cube; what is done where none may be used is a choice of `UNACCEPTED`. None is to skip it.

    Raises
    ------
    AlignmentError
        If there is no row or it is not accepted, and ``unaccepted`` is ``"error"``.
    """
    path = exposure.path or Path(exposure.label)
    row = row_of(rows, path, cube)
    if row is not None and row.accepted:
        return row
    what = cube.source or f"{exposure.label} {cube.label}"
    if not any(Path(one.file).name == path.name for one in rows):
        reason = (
            f"the offsets are for other files ({', '.join(sorted({Path(one.file).name for one in rows})[:3])}, ...)"
        )
    elif row is None:
        reason = "no row in the offsets"
    else:
        reason = f"its offset is not accepted ({row.note or 'no reason given'})"
    if unaccepted == "error":
        msg = f"{what}: {reason}; accept or add it, or take --unaccepted header or skip"
        raise AlignmentError(msg)
    done = "placed by its header" if unaccepted == "header" else "left out"
    warnings.warn(f"{what}: {reason}; {done}", KmosWarning, stacklevel=4)
    if unaccepted == "skip":
        return None
    return Offset(exposure=0, file=path.name, ifu=cube.ifu, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0, method="header")


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
