"""Catalogues: any table that astropy reads, with its positions and magnitudes found by the names of the columns."""

from __future__ import annotations

import dataclasses
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle
from astropy.io.registry import IORegistryError
from astropy.table import Table

from napari_kmos.catalogue import Catalogue, CatalogueColumns
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io._columns import column_of, listed, numbers_of, plain_name
from napari_kmos.io._extensions import check_lengths, check_plain, open_fits
from napari_kmos.io._file import FitsFile
from napari_kmos.io._motions import read_motion
from napari_kmos.io.text import check_first_lines

if TYPE_CHECKING:
    from astropy.table import Column
    from numpy.typing import NDArray

_SUFFIX = r"((?:j?2000|j2015|j2016|icrs|fk5|epoch2000|epoch|mean|sky|world|win|hms|dms|sex|degrees|deg|hours|rad)*)"
#: Enough of a file to tell what it is.
_MAGIC_BYTES = 80
#: Names without case and punctuation: RA, _RAJ2000, ra_deg, ALPHAWIN_J2000, ...
_RA = re.compile(rf"(?:ra|alpha|alphawin|rightascension){_SUFFIX}")
_DEC = re.compile(rf"(?:dec|de|decl|delta|deltawin|declination){_SUFFIX}")
_EXPECTED = "right ascension and declination (ra and dec, RAJ2000 and DEJ2000, RA_ICRS and DE_ICRS, ...)"
#: In the order in which one is chosen: what is seen in the near infrared first.
_BANDS = ("k", "h", "j", "y", "z", "i", "r", "g", "u")
_MAGNITUDE = re.compile(r"(?:[a-z]+[0-9]?)?mag(?:nitude)?[a-z0-9]*|phot.+meanmag|[ugrizyjhk]|ks|kp")
_ERROR = re.compile(r"e_.*|.*(?:err|error|unc|sigma|flag|flg|snr)s?(?:_.*)?|d_?mag.*|sig.*", re.IGNORECASE)
_FOUND = CatalogueColumns()
_ID = ("id", "name", "sourceid", "designation", "objid", "objectid", "star", "source", "2mass", "number", "recno")


def read_catalogue(path: Path | str, columns: CatalogueColumns = _FOUND) -> Catalogue:
    """Read a catalogue.

    Parameters
    ----------
    path : path
        FITS, ECSV, VOTable, CSV or any text table whose format astropy can guess.
    columns : CatalogueColumns
        Columns to use; those not given are found by their names.

    Returns
    -------
    Catalogue
        Rows without a position are left out.

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    KmosError
        If a column is missing or cannot be understood, no row has a position, or proper motions are asked for without
        the date of the positions; with the columns that were found.

    Warns
    -----
    KmosWarning
        If the table has proper motions that are not used, as it does not tell the date of the positions.
    """
    found = catalogue_of(read_any_table(path), Path(path).name, columns)  # errors name the file
    return dataclasses.replace(found, name=Path(path).stem, path=Path(path), columns=columns)


def read_any_table(path: Path | str) -> Table:
    """Read the first table of a file.

    Raises
    ------
    NotKmosError
        If there is no such file, or it cannot be read as a table.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd units, other tables of the file, and the like
            return _first_table(Path(path))
    except Exception as err:
        lines = str(err).strip().splitlines() or [type(err).__name__]
        reason = lines[0] if Path(path).exists() else "no such file"
        msg = f"{path}: cannot be read as a table ({reason}); expected FITS, ECSV, VOTable, CSV or a plain text table"
        raise NotKmosError(msg) from err


def _first_table(path: Path) -> Table:
    """Read a table by astropy, having made sure that it is not more than it seems to be."""
    plain = FitsFile.at(path).plain_path()
    check_plain(plain, path)
    with plain.open("rb") as stream:
        start = stream.read(_MAGIC_BYTES)
    if start.startswith(b"SIMPLE"):
        with open_fits(plain, named=path) as hdus:
            check_lengths(hdus, path)
            return Table.read(hdus)
    if not start.lstrip().startswith(b"<"):  # the lines of XML may be as long as they like
        check_first_lines(plain)
    try:
        return Table.read(plain)
    except IORegistryError:  # neither name nor content tell the format: text, if anything
        return Table.read(plain, format="ascii")


def catalogue_of(table: Table, name: str, columns: CatalogueColumns = _FOUND) -> Catalogue:
    """Return the catalogue that a table holds; parameters and errors as for `read_catalogue`."""
    found = _position_columns(table)
    ra_name = column_of(table, name, columns.ra) if columns.ra else found[0]
    dec_name = column_of(table, name, columns.dec) if columns.dec else found[1]
    if not ra_name or not dec_name:
        missing = " and ".join(what for what, one in (("RA", ra_name), ("Dec", dec_name)) if not one)
        msg = f"{name}: no column is known as {missing}; found {listed(table)}; expected {_EXPECTED}, or choose them"
        raise KmosError(msg)
    ra_deg, dec_deg = _degrees(table[ra_name], name, is_ra=True), _degrees(table[dec_name], name, is_ra=False)
    kept = np.isfinite(ra_deg) & (np.abs(dec_deg) <= 90)
    if not kept.any():
        msg = f"{name}: none of its {len(table)} rows has a position in {ra_name} and {dec_name}; choose other columns"
        raise KmosError(msg)
    magnitudes = _magnitude_columns(table)
    chosen = _magnitude_column(table, name, columns.magnitude) or next(iter(magnitudes), "")
    known_as = {plain_name(one): one for one in reversed(table.colnames)}
    return Catalogue(
        name=name,
        table=table[kept],
        ra=ra_deg[kept] % 360,
        dec=dec_deg[kept],
        ra_name=ra_name,
        dec_name=dec_name,
        magnitudes=magnitudes,
        magnitude_name=chosen,
        id_name=next((known_as[one] for one in _ID if one in known_as), ""),
        n_dropped=int(np.count_nonzero(~kept)),
        motion=read_motion(table[kept], name, columns),
    )


def _position_columns(table: Table) -> tuple[str, str]:
    """Columns of right ascension and declination, a pair of one kind if there is one; empty where there is none."""
    ras: dict[str, str] = {}
    decs: dict[str, str] = {}
    for column in table.colnames:
        for known, pattern in ((ras, _RA), (decs, _DEC)):
            if match := pattern.fullmatch(plain_name(column)):
                known.setdefault(match[1].replace("dms", "hms"), column)
    paired = [suffix for suffix in ras if suffix in decs]
    suffix = "" if "" in paired else next(iter(paired), None)
    if suffix is not None:
        return ras[suffix], decs[suffix]
    return next(iter(ras.values()), ""), next(iter(decs.values()), "")


def _magnitude_columns(table: Table) -> tuple[str, ...]:
    """Columns of magnitudes, by their unit or name; near-infrared ones first."""
    numbers = [one for one in table.colnames if table[one].dtype.kind in "fiu" and table[one].ndim == 1]
    named = [one for one in numbers if not _ERROR.fullmatch(one) and _is_magnitude(table[one])]

    def rank(column: str) -> int:
        band = re.sub(r"mag(?:nitude)?|phot|mean", "", plain_name(column))[:1]
        return _BANDS.index(band) if band in _BANDS else len(_BANDS)

    return tuple(sorted(named, key=rank))


def _magnitude_column(table: Table, name: str, wanted: str | None) -> str:
    """Name of the column of magnitudes that was asked for, which must hold numbers; empty if none was."""
    if not wanted:
        return ""
    chosen = column_of(table, name, wanted)
    numbers_of(table[chosen], name)
    return chosen


def _is_magnitude(column: Column) -> bool:
    unit = str(column.unit or "").lower()
    return unit.startswith("mag") or (not unit and _MAGNITUDE.fullmatch(plain_name(column.name)) is not None)


def _degrees(column: Column, name: str, *, is_ra: bool) -> NDArray[np.float64]:
    """Angles in degrees; NaN where masked or empty."""
    if column.ndim != 1:
        msg = f"{name}: column {column.name} holds {column.ndim}-dimensional cells; expected one angle a row"
        raise KmosError(msg)
    try:
        if column.dtype.kind in "fiu":
            values: NDArray[np.float64] = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
            return np.asarray(values * _unit(column, is_ra=is_ra).to(u.deg))
        return _from_text(column, is_ra=is_ra)
    except (ValueError, TypeError, u.UnitsError) as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        msg = f"{name}: column {column.name} cannot be understood as an angle ({reason}); choose another"
        raise KmosError(msg) from err


def _unit(column: Column, *, is_ra: bool) -> Any:
    """Tell the unit of a column of angles, by itself or by its name; hours are those of right ascension."""
    plain = plain_name(column.name)
    unit = column.unit or (u.rad if plain.endswith("rad") and len(plain) > 3 else u.deg)
    is_hours = unit == u.hour or (column.unit is None and plain.endswith("hours"))
    return u.hourangle if is_ra and is_hours else unit


def _from_text(column: Column, *, is_ra: bool) -> NDArray[np.float64]:
    """Texts in degrees: numbers, or sexagesimal."""
    texts = np.array([str(cell).strip() for cell in np.ma.filled(np.ma.asarray(column, dtype=object), "")])
    degrees = np.full(len(texts), np.nan)
    given = np.flatnonzero(texts != "")
    try:
        degrees[given] = texts[given].astype(float)
    except ValueError:
        degrees[given] = Angle(texts[given], unit=u.hourangle if is_ra else u.deg).to_value(u.deg)
    return degrees
