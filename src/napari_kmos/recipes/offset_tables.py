"""Offset tables that add up."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosWarning
from napari_kmos.io import read_offsets
from napari_kmos.recipes.selecting import check_once

if TYPE_CHECKING:
    from napari_kmos.offset import Offset


def read_tables(tables: Sequence[Path]) -> tuple[tuple[Offset, ...], ...]:
    """Return the rows of offset tables that add up.

    Raises
    ------
    KmosError
        If one is given twice: everything would be moved twice as far.

    Warns
    -----
    KmosWarning
        If two of them move the same IFU of the same file, which may be one measurement given twice.
    """
    check_once([(table.resolve(), "") for table in tables])
    read = tuple(map(read_offsets, tables))
    for (first, rows), (second, others) in itertools.combinations(zip(tables, read, strict=True), 2):
        both = [row for row in rows if _moves(row) and any(_moves(one) and _is_same(row, one) for one in others)]
        if both:
            text = (
                f"{first} and {second} both move {Path(both[0].file).name} {_part(both[0])}"
                f"{f' and {len(both) - 1} more' if both[1:] else ''}: they are added, but are most likely one "
                "measurement given twice; give one of the tables, unless the second was measured with the first applied"
            )
            warnings.warn(text, KmosWarning, stacklevel=3)
    return read


def _moves(row: Offset) -> bool:
    """Tell whether a row moves the cubes of a file."""
    return bool(row.file) and row.accepted and any((row.dra_arcsec, row.ddec_arcsec, row.rotation_deg))


def _is_same(row: Offset, other: Offset) -> bool:
    """Tell whether two rows are for the same cube; as when they are used, the last part of a name tells the file."""
    is_one = (Path(row.file).name, row.ifu) == (Path(other.file).name, other.ifu)
    return is_one and (row.half == other.half or None in (row.half, other.half))


def _part(row: Offset) -> str:
    """Return which cube of its file a row is for."""
    half = "" if row.half is None else f" half {row.half}"
    return ("mosaic" if row.ifu is None else f"IFU {row.ifu}") + half
