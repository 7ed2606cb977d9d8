"""Offset tables: ECSV, a row an exposure and IFU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from napari_kmos.errors import AlignmentError, NotKmosError
from napari_kmos.io.atomic import atomic_path
from napari_kmos.io.records import read_table
from napari_kmos.offset import Offset

_REQUIRED = ("exposure", "file", "ifu", "dra_arcsec", "ddec_arcsec")
_RUNNER_UP = ("runner_up_dra_arcsec", "runner_up_ddec_arcsec")
_WORDS = ("decision", "against")
_MEASURED = ("dra_arcsec", "ddec_arcsec", "err_arcsec")
_ROTATION = ("rotation_deg", "rotation_err_deg")
_ANGLES = dict.fromkeys((*_MEASURED, *_RUNNER_UP), u.arcsec) | dict.fromkeys(_ROTATION, u.deg)
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_CONVENTION = "correction added to the header WCS: dRA cos Dec east positive, dDec north positive"
_TURNED = "rotation added to the position angle of the y axis, north through east, about the centre of the pixels"


def read_offsets(path: str | Path) -> tuple[Offset, ...]:
    """Read an offset table.

    Parameters
    ----------
    path : path
        ECSV file. The columns ``exposure``, ``file``, ``ifu``, ``dra_arcsec`` and ``ddec_arcsec`` must be there;
        without ``accepted`` all rows are accepted, without ``err_arcsec`` the error is NaN.

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    AlignmentError
        If columns are missing, or a row cannot be understood.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path}: no such file; expected an offset table (ECSV)"
        raise NotKmosError(msg)
    try:
        table = read_table(path)
    except NotKmosError as err:
        msg = f"{path}: not an offset table (ECSV): {str(err).removeprefix(f'{path}: ')}"
        raise NotKmosError(msg) from err
    missing = [name for name in _REQUIRED if name not in table.colnames]
    if missing:
        msg = f"{path}: columns missing: {', '.join(missing)}; an offset table has {', '.join(_REQUIRED)}, ..."
        raise AlignmentError(msg)
    return tuple(_offset(path, number, table) for number in range(len(table)))


def write_offsets(offsets: Iterable[Offset], path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an offset table as ECSV.

    Parameters
    ----------
    offsets : iterable of Offset
        Rows, written in this order; what is optional becomes a column only where a row has it.
    path : path
        File to write.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    path = Path(path)
    table = offsets_table(offsets)
    with atomic_path(path, overwrite) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)
    return path


def offsets_table(offsets: Iterable[Offset]) -> Table:
    """Return the table that `write_offsets` writes."""
    rows = tuple(offsets)
    table = Table(meta={"comments": [_CONVENTION]})
    table["exposure"] = np.array([row.exposure for row in rows], dtype=int)
    table["file"] = np.array([row.file for row in rows], dtype=str)
    table["ifu"] = _whole_numbers([row.ifu for row in rows])
    for name in _MEASURED:
        table[name] = np.array([getattr(row, name) for row in rows], dtype=float) * u.arcsec
        table[name].info.format = ".5f"
    table["method"] = np.array([row.method for row in rows], dtype=str)
    table["accepted"] = np.array([row.accepted for row in rows], dtype=bool)
    table["note"] = np.array([row.note for row in rows], dtype=str)
    if any(row.epoch for row in rows):
        table["epoch"] = np.array([row.epoch for row in rows], dtype=str)
    if any(row.half is not None for row in rows):
        table["half"] = _whole_numbers([row.half for row in rows])
    _add_judgement(table, rows)
    _add_rotation(table, rows)
    return table


def _add_judgement(table: Table, rows: Sequence[Offset]) -> None:
    """Add what is known of how good the offsets are, and what was decided of them."""
    seconds = [row.runner_up or (None, None) for row in rows]
    for name, values in (
        ("score", [row.score for row in rows]),
        ("margin", [row.margin for row in rows]),
        *((name, [second[axis] for second in seconds]) for axis, name in enumerate(_RUNNER_UP)),
    ):
        if any(value is not None for value in values):
            table[name] = _numbers(values)
            table[name].info.format = ".5f" if name in _ANGLES else ".2f"
            table[name].unit = _ANGLES.get(name)
    for name in _WORDS:
        if any(getattr(row, name) for row in rows):
            table[name] = np.array([getattr(row, name) for row in rows], dtype=str)


def _add_rotation(table: Table, rows: Sequence[Offset]) -> None:
    """Add by how much fields are turned, where some are or were looked at."""
    if not any(row.rotation_deg or row.rotation_err_deg is not None for row in rows):
        return
    table.meta["comments"].append(_TURNED)
    for name in _ROTATION:
        table[name] = _numbers([getattr(row, name) for row in rows])
        table[name].info.format = ".6f"
        table[name].unit = _ANGLES[name]


def _numbers(values: Sequence[float | None]) -> MaskedColumn:
    """Column of numbers; None is masked."""
    mask = [value is None for value in values]
    return MaskedColumn([0.0 if value is None else value for value in values], mask=mask, dtype=float)


def _whole_numbers(values: list[int | None]) -> MaskedColumn:
    """Integer column; None is masked."""
    mask = [value is None for value in values]
    return MaskedColumn([0 if value is None else value for value in values], mask=mask, dtype=int)


def _offset(path: Path, number: int, table: Table) -> Offset:
    """One row as an `Offset`."""
    row = {name: _plain(table, name, number) for name in table.colnames}
    try:
        return Offset(
            exposure=int(row["exposure"]),
            file=str(row["file"] or ""),
            ifu=_optional_int(row["ifu"]),
            dra_arcsec=float(row["dra_arcsec"]),
            ddec_arcsec=float(row["ddec_arcsec"]),
            err_arcsec=float("nan") if row.get("err_arcsec") is None else float(row["err_arcsec"]),
            method=str(row.get("method") or ""),
            accepted=_truth(row.get("accepted")),
            note=str(row.get("note") or ""),
            epoch=str(row.get("epoch") or ""),
            half=_optional_int(row.get("half")),
            score=_optional_float(row.get("score")),
            margin=_optional_float(row.get("margin")),
            runner_up=_runner_up(row),
            rotation_deg=_optional_float(row.get("rotation_deg")) or 0.0,
            rotation_err_deg=_optional_float(row.get("rotation_err_deg")),
            **{name: str(row.get(name) or "") for name in _WORDS},
        )
    except (TypeError, ValueError, AlignmentError) as err:
        msg = f"{path}: row {number + 1} of the offset table cannot be understood ({err}); mend or remove it"
        raise AlignmentError(msg) from err


def _plain(table: Table, name: str, number: int) -> Any:
    """Cell as a plain value; masked and empty cells as None, angles in the unit of their name."""
    column = table[name]
    value = column[number]
    if value is np.ma.masked:
        return None
    if name in _ANGLES:
        unit = column.unit or _ANGLES[name]
        return (float(getattr(value, "value", value)) * unit).to_value(_ANGLES[name])
    return value.item() if hasattr(value, "item") else value


def _optional_int(value: Any) -> int | None:
    """Whole number, or None where the cell is empty."""
    return None if value is None or value == "" else int(value)


def _optional_float(value: Any) -> float | None:
    """Read a number; None where the cell is empty."""
    return None if value is None or value == "" else float(value)


def _runner_up(row: Mapping[str, Any]) -> tuple[float, float] | None:
    """Next best offset of a row, if it has one."""
    dra, ddec = (_optional_float(row.get(name)) for name in _RUNNER_UP)
    return None if dra is None or ddec is None else (dra, ddec)


def _truth(value: Any) -> bool:
    """Truth of a cell; text is understood, anything else is an error."""
    if value is None:
        return True
    if isinstance(value, str):
        if value.lower() not in _TRUE + _FALSE:
            msg = f"accepted is {value!r}, expected true or false"
            raise ValueError(msg)
        return value.lower() in _TRUE
    return bool(value)
