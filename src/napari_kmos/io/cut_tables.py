"""Tables of what is cut out of a mosaic: ECSV, CSV or any other text table, a row a cut."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table

from napari_kmos import instrument
from napari_kmos.errors import KmosError
from napari_kmos.io.catalogue import read_any_table
from napari_kmos.io.records import write_table

_REQUIRED = ("ifu", "x", "y")
_OWN = ("ifu", "half", "x", "y", "n_x", "n_y")
_CONVENTION = "x, y: first pixel of the cut in the mosaic, 1-based as ds9 and FITS count; n_x, n_y: pixels"
_TOLERANCE_PIX = 1e-6
#: Spaxels along a side of a cut; no mosaic of IFUs has as many.
_MOST_PIX = 2**15 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRow:
    """A row of a table of cuts.

    Parameters
    ----------
    ifu : int
        1-24.
    half : int, optional
        1 before, 2 after the interruption of the OB; None is the whole.
    x, y : int
        First pixel in the mosaic, **1-based as in FITS**; less than 1 is before its edge.
    n_x, n_y : int, optional
        Pixels; None is not told.
    """

    ifu: int
    half: int | None = None
    x: int
    y: int
    n_x: int | None = None
    n_y: int | None = None


def read_cuts(path: Path | str) -> tuple[CutRow, ...]:
    """Read a table of cuts.

    Parameters
    ----------
    path : path
        Columns ``ifu``, ``x``, ``y`` and optionally ``half``, ``n_x``, ``n_y``, as in `CutRow`, in any case and order;
        others do not matter.

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    KmosError
        If columns are missing, there is no row, a row cannot be understood, or two rows are the same IFU and half.
    """
    table = read_any_table(path)
    lower = {name.lower(): name for name in reversed(table.colnames)}
    missing = [name for name in _REQUIRED if name not in lower]
    if missing:
        have = ", ".join(table.colnames)[:200] or "none"
        msg = f"{path}: column {', '.join(missing)} missing; expected ifu, x, y and, if need be, half, n_x, n_y, "
        msg += f"found {have}"
        raise KmosError(msg)
    columns = {name: table[lower[name]] for name in _OWN if name in lower}
    rows: dict[tuple[int, int | None], int] = {}
    cuts = []
    for number in range(len(table)):
        cut = _row({name: column[number] for name, column in columns.items()}, f"{path}: row {number + 1}")
        before = rows.setdefault((cut.ifu, cut.half), number)
        if before != number:
            half = "" if cut.half is None else f" half {cut.half}"
            msg = f"{path}: rows {before + 1} and {number + 1} are both IFU {cut.ifu}{half}; give each once"
            raise KmosError(msg)
        cuts.append(cut)
    if not cuts:
        msg = f"{path}: has no row; expected one for each cut, with ifu, x and y"
        raise KmosError(msg)
    return tuple(cuts)


def write_cuts(cuts: Iterable[CutRow], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a table of cuts as ECSV, to be edited and read again.

    Raises
    ------
    WriteError
        If it exists or cannot be written.
    """
    rows = tuple(cuts)
    table = Table(meta={"comments": [_CONVENTION]})
    for name in _OWN:
        values = [getattr(row, name) for row in rows]
        if any(value is not None for value in values):
            mask = [value is None for value in values]
            table[name] = MaskedColumn([value or 0 for value in values], mask=mask, dtype=int)
    return write_table(table, path, overwrite=overwrite)


def _row(cells: dict[str, Any], where: str) -> CutRow:
    """One row; cells that are masked or empty are None."""
    numbers = {name: _whole(value, f"{where}: {name}") for name, value in cells.items()}
    for name in _REQUIRED:
        if numbers[name] is None:
            msg = f"{where}: {name} is missing; give it, or take the row out"
            raise KmosError(msg)
    checks = (
        ("ifu", instrument.ARMS, f"1 to {instrument.N_ARMS}"),
        ("half", (1, 2), "1, 2 or nothing"),
        ("n_x", range(1, _MOST_PIX + 1), f"at least 1, at most {_MOST_PIX}"),
        ("n_y", range(1, _MOST_PIX + 1), f"at least 1, at most {_MOST_PIX}"),
    )
    for name, allowed, expected in checks:
        if numbers.get(name) is not None and numbers[name] not in allowed:
            msg = f"{where}: {name} is {numbers[name]}; expected {expected}"
            raise KmosError(msg)
    return CutRow(**numbers)  # type: ignore[arg-type]


def _whole(value: Any, where: str) -> int | None:
    """Return a cell as a whole number: nothing is resampled by a cut."""
    if value is np.ma.masked or str(value).strip() in ("", "--"):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or abs(number - round(number)) > _TOLERANCE_PIX:
        msg = f"{where} is {value}; expected a whole number"
        raise KmosError(msg)
    return round(number)
