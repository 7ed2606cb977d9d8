"""Apertures: ECSV tables and ds9 region files, both ways."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import MaskedColumn, Table

from napari_kmos.aperture import Aperture, check_apertures
from napari_kmos.catalogue import CatalogueColumns
from napari_kmos.errors import ExtractionError, KmosError, KmosWarning
from napari_kmos.io.catalogue import read_catalogue
from napari_kmos.io.records import read_table, write_table
from napari_kmos.io.regions import read_regions, write_regions

if TYPE_CHECKING:
    from astropy.wcs import WCS

_OWN = ("id", "kind", "ra", "dec", "radius_arcsec")
_FOUND = CatalogueColumns()
_CATALOGUES = (".fits", ".csv", ".vot", ".xml")
#: Written where one of the apertures has them.
_RARE = ("sky_side", "excluded_spaxels")
#: Column of an id that was another's already, and so was changed.
GIVEN_ID = "id_given"
_UNITS = {"ra": u.deg, "dec": u.deg, "radius_arcsec": u.arcsec}


def read_apertures(
    path: Path | str,
    *,
    radius_arcsec: float | None = None,
    wcs: WCS | None = None,
    columns: CatalogueColumns = _FOUND,
) -> tuple[Aperture, ...]:
    """Read apertures from an ECSV table, a ds9 region file, or stars from a catalogue.

    Parameters
    ----------
    path : path
        ``.ecsv``: columns ``ra`` and ``dec``; optionally ``id`` (the row's number), ``kind`` (star), ``radius_arcsec``,
        ``sky_side``, ``excluded_spaxels`` (``"ra dec; ra dec"``) and any others, which are kept. Columns without a unit
        are in degrees and arcsec, names may be in any case.
        ``.reg``: circles, points and texts in fk5, icrs, another sky frame or, with ``wcs``, in image pixels; the text
        is the id; those marked as background, and those whose tag or text starts with ``sky``, are of kind sky. The
        tag ``side left`` is a side, and an excluded point with the tag ``excluded from ID`` an excluded spaxel.
        ``.fits``, ``.csv``, ``.vot``, ``.xml``: a catalogue, see `read_catalogue`; its rows are stars, its other
        columns are kept.
    radius_arcsec : float, optional
        Radius of those that have none of their own; needed for a catalogue.
    wcs : WCS, optional
        Of the image to which pixel coordinates belong.
    columns : CatalogueColumns
        Of a catalogue: those of right ascension and declination, if they are not found by their names. Positions are
        taken as they are, without proper motions.

    Returns
    -------
    tuple of Aperture
        In the order of the file. Of an id that is used again the later ones get a number behind it, a warning says so,
        and the column ``id_given`` has what was given; of rows that are the same in all one is taken.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    ExtractionError
        If there is no aperture, a column or radius is missing, or a row cannot be understood.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".reg":
        rows = read_regions(path, radius_arcsec=radius_arcsec, wcs=wcs)
    elif suffix == ".ecsv":
        rows = _read_table(path, radius_arcsec)
    elif suffix in _CATALOGUES:
        rows = _read_sources(path, radius_arcsec, columns)
    else:
        known = "an ECSV table (.ecsv) or a ds9 region file (.reg)"
        msg = f"{path}: a file of apertures is {known}, or a catalogue ({', '.join(_CATALOGUES)})"
        raise ExtractionError(msg)
    return check_apertures(_with_own_ids(rows, path), str(path))


def _with_own_ids(rows: Iterable[Aperture], path: Path) -> list[Aperture]:
    """Give each aperture an id of its own; those that stand in the file twice are taken once."""
    given = list(rows)
    known: dict[tuple[str, str], Aperture] = {}
    taken, changed = {(row.kind, row.id) for row in given}, []
    for row in given:
        first = known.get((row.kind, row.id))
        if first is None:
            known[row.kind, row.id] = row
            continue
        if (row.ra, row.dec, row.radius_arcsec) == (first.ra, first.dec, first.radius_arcsec):
            changed.append(f"{row.kind} {row.id!r} stands there twice and is taken once")
            continue
        id_ = next(text for n in range(2, len(given) + 3) if (row.kind, text := f"{row.id}-{n}") not in taken)
        taken.add((row.kind, id_))
        changed.append(f"the id {row.id!r} is used by more than one {row.kind} aperture, and this one becomes {id_!r}")
        extra = MappingProxyType({**row.extra, GIVEN_ID: row.id})
        known[row.kind, id_] = dataclasses.replace(row, id=id_, extra=extra)
    if changed:
        warnings.warn(f"{path}: {'; '.join(changed)}", KmosWarning, stacklevel=3)
    return list(known.values())


def write_apertures(apertures: Iterable[Aperture], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write apertures as an ECSV table or, by the suffix ``.reg``, a ds9 region file (which has no further columns).

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    ExtractionError
        If the suffix is another.
    """
    path = Path(path)
    rows = tuple(apertures)
    if path.suffix.lower() == ".reg":
        return write_regions(rows, path, overwrite=overwrite)
    if path.suffix.lower() != ".ecsv":
        msg = f"{path}: apertures are written as an ECSV table (.ecsv) or a ds9 region file (.reg)"
        raise ExtractionError(msg)
    return write_table(apertures_table(rows), path, overwrite=overwrite)


def apertures_table(apertures: Iterable[Aperture]) -> Table:
    """Return the table that `write_apertures` writes."""
    rows = tuple(apertures)
    table = Table()
    for name in _OWN:
        values = [getattr(row, name) if name in _UNITS else plain_text(getattr(row, name)) for row in rows]
        table[name] = np.array(values, dtype=float if name in _UNITS else str)
        if name in _UNITS:
            table[name].unit = _UNITS[name]
    if any(row.sky_side for row in rows):
        table["sky_side"] = [row.sky_side for row in rows]
    if any(row.excluded_spaxels for row in rows):
        table["excluded_spaxels"] = [spaxels_text(row.excluded_spaxels) for row in rows]
    for name in dict.fromkeys(name for row in rows for name in row.extra if name not in (*_OWN, *_RARE)):
        table[name] = extra_column([row.extra.get(name) for row in rows])
    return table


def spaxels_text(places: Iterable[tuple[float, float]]) -> str:
    """Return positions on the sky as a table or header holds them; eight decimals of a degree are 0.04 mas.

    Examples
    --------
    >>> spaxels_text([(266.4, -29.0), (266.5, -29.0)])
    '266.40000000 -29.00000000; 266.50000000 -29.00000000'
    """
    return "; ".join(f"{ra:.8f} {dec:.8f}" for ra, dec in places)


def read_spaxels_text(text: Any) -> tuple[tuple[float, float], ...]:
    """Read what `spaxels_text` wrote; nothing is none.

    Raises
    ------
    ValueError
        If it is something else.
    """
    places = []
    for part in filter(None, (part.strip() for part in str(text or "").split(";"))):
        numbers = [float(number) for number in part.replace(",", " ").split()]
        if len(numbers) != 2:
            msg = f"excluded_spaxels holds {part!r}; expected RA and Dec in degrees, as in 266.41 -29.01; 266.42 -29.01"
            raise ValueError(msg)
        places.append((numbers[0], numbers[1]))
    return tuple(places)


def plain_text(text: str) -> str:
    r"""Return text that a table can hold: one line, single blanks, no control characters.

    Examples
    --------
    >>> plain_text("star 1\n  (new)")
    'star 1 (new)'
    """
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def extra_column(values: list[Any]) -> Any:
    """Return a table column of the users' own values; None is a masked cell."""
    given = [value for value in values if value is not None]
    unit = next((value.unit for value in given if isinstance(value, u.Quantity)), None)
    plain = [value.to_value(unit) if isinstance(value, u.Quantity) else value for value in values]
    if any(isinstance(value, str) for value in given):
        plain = [None if value is None else plain_text(str(value)) for value in plain]
    if len(given) == len(values):
        return MaskedColumn(plain, unit=unit)
    filler = plain[[value is not None for value in values].index(True)] if given else ""
    filled = [filler if value is None else value for value in plain]
    return MaskedColumn(filled, unit=unit, mask=[value is None for value in values])


def _read_table(path: Path, radius_arcsec: float | None) -> list[Aperture]:
    """Rows of an aperture table."""
    table = read_table(path)
    lower = {name.lower(): name for name in reversed(table.colnames)}
    for name in (*_OWN, *_RARE):
        if name in lower:
            table.rename_column(lower[name], name)
    needed = ["ra", "dec"] if radius_arcsec is not None else ["ra", "dec", "radius_arcsec"]
    missing = [name for name in needed if name not in table.colnames]
    if missing:
        hint = "; give a radius for all (--radius)" if missing == ["radius_arcsec"] else ""
        msg = f"{path}: column {', '.join(missing)} missing; an aperture table has {', '.join(_OWN)}, ...{hint}"
        raise ExtractionError(msg)
    return [_aperture(path, table, number, radius_arcsec) for number in range(len(table))]


def _read_sources(path: Path, radius_arcsec: float | None, columns: CatalogueColumns) -> list[Aperture]:
    """Stars of a catalogue."""
    found = read_catalogue(path, columns)
    if radius_arcsec is None:
        msg = f"{path}: the {len(found.ra)} sources of a catalogue have no radius; give one for all (--radius)"
        raise ExtractionError(msg)
    table = found.table
    apart = {found.id_name, found.ra_name, found.dec_name, *_OWN, *_RARE}
    extra = [name for name in table.colnames if name not in apart and table[name].ndim == 1]
    return [
        Aperture(
            id=_name(_cell(table, found.id_name, number) if found.id_name else None, number),
            ra=float(found.ra[number]),
            dec=float(found.dec[number]),
            radius_arcsec=radius_arcsec,
            extra=MappingProxyType({name: _cell(table, name, number) for name in extra}),
        )
        for number in range(len(table))
    ]


def _aperture(path: Path, table: Table, number: int, radius_arcsec: float | None) -> Aperture:
    """One row of an aperture table."""
    row = {name: _cell(table, name, number) for name in table.colnames}
    radius = row.get("radius_arcsec")
    try:
        return Aperture(
            id=_name(row.get("id"), number),
            kind=str(row.get("kind") or "star").strip().lower(),
            ra=_angle(row, "ra"),
            dec=_angle(row, "dec"),
            radius_arcsec=_angle(row, "radius_arcsec") if radius is not None else float(radius_arcsec or 0),
            sky_side=str(row.get("sky_side") or "").strip().lower(),
            excluded_spaxels=read_spaxels_text(row.get("excluded_spaxels")),
            extra=MappingProxyType({name: value for name, value in row.items() if name not in (*_OWN, *_RARE)}),
        )
    except (TypeError, ValueError) as err:
        reason = str(err) if isinstance(err, KmosError) else f"it cannot be understood: {err}"
        msg = f"{path}: row {number + 1}: {reason}"
        raise ExtractionError(msg) from err


def _cell(table: Table, name: str, number: int) -> Any:
    """Cell as a plain value, with its unit if it has one; None where it is masked."""
    column = table[name]
    value = column[number]
    if value is np.ma.masked:
        return None
    plain = value.item() if isinstance(value, np.generic) else value
    return plain * column.unit if column.unit is not None and isinstance(plain, int | float) else plain


def _name(value: Any, number: int) -> str:
    """Id as text: that of a number has no decimals it does not need; without one it is the row's number."""
    if value is None or str(value).strip() == "":
        return str(number + 1)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _angle(row: Mapping[str, Any], name: str) -> float:
    """Angle in the unit that the name of its column tells."""
    value = row[name]
    if value is None:
        msg = f"{name} is missing"
        raise ValueError(msg)
    return float(value.to_value(_UNITS[name])) if isinstance(value, u.Quantity) else float(value)
