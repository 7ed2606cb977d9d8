"""The SNR that stars had in another extraction: what other parameters or another cube made of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.io import read_table
from napari_kmos.recipes.folders import files_below

if TYPE_CHECKING:
    from napari_kmos.report.spectra import TableRow

_NEEDED = ("id", "snr", "snr_noise")
_TABLES = "spectra_*.ecsv"
_UNKNOWN = math.nan, math.nan


@dataclass(frozen=True, slots=True)
class _Entry:
    """One row of a table from before."""

    id: str
    ifu: int | None
    target: str
    snr: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Before:
    """Tables of spectra from before.

    A star is found by its id: among those of its IFU and target, else its IFU, else all, where there is only one.
    """

    entries: tuple[_Entry, ...]

    def of(self, row: TableRow) -> tuple[float, float]:
        """Return the SNR, and that by the errors, which a star had; NaN where it is not known, or of which cube."""
        same = [one for one in self.entries if one.id == row.aperture.id and math.isfinite(one.snr[0])]
        in_ifu = [one for one in same if one.ifu == row.ifu]
        for fitting in ([one for one in in_ifu if one.target == row.target], in_ifu, same):
            if len(fitting) == 1:
                return fitting[0].snr
        return _UNKNOWN


def read_before(paths: Sequence[Path | str]) -> Before | None:
    """Read tables of spectra, or those in folders; None if there is none given.

    Raises
    ------
    KmosError
        If a folder holds none, or a table has no such columns.
    """
    files = [file for path in map(Path, paths) for file in _tables(path)]
    return Before(tuple(entry for file in files for entry in _entries(file))) if files else None


def _tables(path: Path) -> Iterable[Path]:
    """Tables that a path stands for."""
    if not path.is_dir():
        return [path]
    found = files_below(path, _TABLES)
    if not found:
        msg = f"{path}: no table of spectra in it ({_TABLES}); give the table that `napari-kmos extract` wrote"
        raise KmosError(msg)
    return found


def _entries(path: Path) -> list[_Entry]:
    """Rows of a table of spectra."""
    table = read_table(path, required=_NEEDED)
    return [
        _Entry(
            id=str(row["id"]),
            ifu=_plain(row["ifu"]) if "ifu" in table.colnames else None,
            target=str(_plain(row["target"]) or "") if "target" in table.colnames else "",
            snr=(_number(row["snr"]), _number(row["snr_noise"])),
        )
        for row in table
    ]


def _plain(cell: Any) -> Any:
    """Cell as a plain value; None where it is masked."""
    return None if cell is np.ma.masked else cell


def _number(cell: Any) -> float:
    """Cell as a number; NaN where it is masked."""
    return math.nan if cell is np.ma.masked else float(cell)
