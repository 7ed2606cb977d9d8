"""Columns of tables of others: found by their names in any case, and read as numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from astropy.table import Column, Table
    from numpy.typing import NDArray

_MOST_LETTERS = 300


def column_of(table: Table, name: str, wanted: str) -> str:
    """Name of a column, whatever its case."""
    if wanted in table.colnames:
        return wanted
    for column in table.colnames:
        if column.lower() == wanted.lower():
            return str(column)
    msg = f"{name}: has no column {wanted!r}; found {listed(table)}"
    raise KmosError(msg)


def listed(table: Table) -> str:
    """Names of the columns; of what is no table really they may be as long as the file."""
    names = ", ".join(table.colnames) or "no columns"
    return names if len(names) <= _MOST_LETTERS else f"{names[:_MOST_LETTERS]}..."


def plain_name(name: str) -> str:
    """Name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def numbers_of(column: Column, name: str) -> NDArray[np.float64]:
    """Values of a column as plain numbers, shape (n,); NaN where masked.

    Raises
    ------
    KmosError
        If it holds something else.
    """
    try:
        if column.ndim != 1:
            msg = f"{column.ndim}-dimensional cells"
            raise ValueError(msg)
        values: NDArray[np.float64] = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
    except (TypeError, ValueError) as err:
        msg = f"{name}: column {column.name} holds no numbers ({err}); choose another"
        raise KmosError(msg) from err
    return values
