"""Proper motions of catalogues: found by the names of their columns, in any unit."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from napari_kmos.catalogue import CatalogueColumns, ProperMotion
from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.io._columns import column_of, numbers_of, plain_name

if TYPE_CHECKING:
    from astropy.table import Column, Table
    from numpy.typing import NDArray

_UNIT = u.mas / u.yr
#: Names without case and punctuation: pmRA, pm_ra, pmra_cosdec, mu_alpha, PMRA*, ...
_PM_RA = re.compile(r"(?:pm|mu)(?:ra|alpha)(?:star|cosdec|cosde|cosd|cosdelta)?(?:mas(?:p?er)?yr)?")
_PM_DEC = re.compile(r"(?:pm|mu)(?:de|dec|delta)(?:mas(?:p?er)?yr)?")
_EPOCH = ("refepoch", "epoch", "epochyear", "epyr", "meanepoch", "jyear", "year")
#: Years that can be meant.
_YEARS = (1800.0, 2200.0)


def read_motion(table: Table, name: str, columns: CatalogueColumns) -> ProperMotion | None:
    """Return the proper motions of the rows of a table; None if it has none, or none that can be used.

    Raises
    ------
    KmosError
        If a column that is asked for is missing or cannot be understood, if one of two is asked for, or if the date of
        the positions is not known though motions are asked for.

    Warns
    -----
    KmosWarning
        If the table has proper motions, not asked for, and does not tell the date of its positions.
    """
    is_asked = bool(columns.pm_ra or columns.pm_dec)
    names = [
        column_of(table, name, wanted) if wanted else next((one for one in table.colnames if known(one)), "")
        for wanted, known in ((columns.pm_ra, _is_pm_ra), (columns.pm_dec, _is_pm_dec))
    ]
    dated_by = columns.catalogue_epoch or _epoch_column(table)
    epoch = _epoch(table, name, dated_by) if dated_by else None
    if not all(names):
        if any(names) and is_asked:
            msg = f"{name}: the proper motion in {'Dec' if names[0] else 'RA'} is missing; choose both columns, or none"
            raise KmosError(msg)
        return None
    if epoch is None:
        text = f"{name}: has proper motions ({', '.join(names)}), but does not tell the date of its positions"
        if is_asked:
            msg = f"{text}; give it (--catalogue-epoch)"
            raise KmosError(msg)
        warnings.warn(f"{text}: they are not applied; give it (--catalogue-epoch)", KmosWarning, stacklevel=4)
        return None
    east, north = (_speed(table[one], name) for one in names)
    return ProperMotion(east=east, north=north, epoch=epoch, names=(names[0], names[1], dated_by))


def _is_pm_ra(name: str) -> bool:
    return _PM_RA.fullmatch(plain_name(name)) is not None


def _is_pm_dec(name: str) -> bool:
    return _PM_DEC.fullmatch(plain_name(name)) is not None


def _speed(column: Column, name: str) -> NDArray[np.float64]:
    """Proper motion in mas/yr, in the unit of its column if it has one."""
    values = numbers_of(column, name)
    if column.unit is None:
        return values
    try:
        return np.asarray(values * u.Unit(column.unit).to(_UNIT))
    except (u.UnitsError, TypeError, ValueError) as err:
        msg = f"{name}: column {column.name} is in {column.unit}; expected a proper motion such as mas/yr"
        raise KmosError(msg) from err


def _epoch(table: Table, name: str, given: str) -> NDArray[np.float64]:
    """Julian year of each row's position: given as a number or a column."""
    try:
        years = np.full(len(table), float(given.strip().lstrip("Jj")))
    except ValueError:
        years = numbers_of(table[column_of(table, name, given)], name)
    _check_years(years, f"{name}: the date of its positions ({given})")
    return years


def _epoch_column(table: Table) -> str:
    """Column of the date of the positions, known by its name; empty if there is none that holds years."""
    by_name = {plain_name(one): one for one in reversed(table.colnames)}
    found = next((by_name[one] for one in _EPOCH if one in by_name), "")
    if not found or table[found].dtype.kind not in "fiu" or table[found].ndim != 1:
        return ""
    return found if _are_years(numbers_of(table[found], found)) else ""


def _are_years(years: NDArray[np.float64]) -> bool:
    known = years[np.isfinite(years)]
    return bool(known.size) and bool(np.all((known > _YEARS[0]) & (known < _YEARS[1])))


def _check_years(years: NDArray[np.float64], what: str) -> None:
    """Refuse what is no year."""
    if not _are_years(years):
        found = f"{np.nanmin(years):g}" if np.isfinite(years).any() else "nothing"
        msg = f"{what} is {found}; expected Julian years such as 2016.0"
        raise KmosError(msg)
