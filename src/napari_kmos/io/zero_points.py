"""Tables of wavelength zero points: ECSV or any other text table, a row a file and IFU."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, Table

from napari_kmos.errors import KmosError
from napari_kmos.io.catalogue import read_any_table
from napari_kmos.io.records import write_table

_REQUIRED = ("file", "ifu", "zero_pix")
_CONVENTION = "zero_pix: by how many planes the lines lie towards longer wavelengths than in vacuum; err_pix: 1 sigma"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroPointRow:
    """The zero point of one IFU of one file.

    Parameters
    ----------
    file : str
        Matched by its last part.
    ifu : int, optional
        1-24; None is the only cube of the file, or all.
    zero_pix, err_pix : float
        In planes, as in `ZeroPoint`.
    """

    file: str
    ifu: int | None
    zero_pix: float
    err_pix: float = math.nan


def read_zero_points(path: Path | str) -> tuple[ZeroPointRow, ...]:
    """Read a table of zero points.

    Parameters
    ----------
    path : path
        Columns ``file``, ``ifu``, ``zero_pix`` and optionally ``err_pix``; others do not matter.

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    KmosError
        If columns are missing, or a row cannot be understood.
    """
    table = read_any_table(path)
    missing = [name for name in _REQUIRED if name not in table.colnames]
    if missing:
        msg = f"{path}: column {', '.join(missing)} missing; a table of zero points has {', '.join(_REQUIRED)}"
        raise KmosError(msg)
    return tuple(_row(table, number, f"{path}: row {number + 1}") for number in range(len(table)))


def write_zero_points(rows: Iterable[ZeroPointRow], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a table of zero points as ECSV.

    Raises
    ------
    WriteError
        If it exists or cannot be written.
    """
    every = tuple(rows)
    table = Table(meta={"comments": [_CONVENTION]})
    table["file"] = np.array([row.file for row in every], dtype=str)
    mask = [row.ifu is None for row in every]
    table["ifu"] = MaskedColumn([row.ifu or 0 for row in every], mask=mask, dtype=int)
    for name in ("zero_pix", "err_pix"):
        table[name] = np.array([getattr(row, name) for row in every], dtype=float)
        table[name].info.format = ".4f"
    return write_table(table, path, overwrite=overwrite)


def _row(table: Table, number: int, where: str) -> ZeroPointRow:
    """One row."""
    cells: dict[str, Any] = {name: table[name][number] for name in (*_REQUIRED, "err_pix") if name in table.colnames}
    told: dict[str, Any] = {
        name: None if value is np.ma.masked or str(value) in ("", "--") else value for name, value in cells.items()
    }
    try:
        zero = float(told["zero_pix"])
        ifu = None if told["ifu"] is None else int(told["ifu"])
        error = math.nan if told.get("err_pix") is None else float(told["err_pix"])
    except (TypeError, ValueError) as err:
        msg = f"{where} cannot be understood ({err}); expected a number as zero_pix, and an IFU or nothing"
        raise KmosError(msg) from err
    if not math.isfinite(zero):
        msg = f"{where}: zero_pix is {zero}; expected a number of planes, or take the row out"
        raise KmosError(msg)
    return ZeroPointRow(file=str(told["file"] or ""), ifu=ifu, zero_pix=zero, err_pix=error)
