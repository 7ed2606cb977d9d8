"""Lists of spectral lines, and of the wavelength windows in which a spectrum is continuum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Table

from napari_kmos.errors import KmosError
from napari_kmos.io.records import read_table, write_table
from napari_kmos.io.text import read_text
from napari_kmos.spectrum import SpectralLine

if TYPE_CHECKING:
    from astropy.table import Row

Window = tuple[float, float]


def read_line_list(path: Path | str | None = None) -> tuple[SpectralLine, ...]:
    """Read a list of spectral lines.

    Parameters
    ----------
    path : path, optional
        ECSV with the columns ``name`` and ``wavelength_um`` (vacuum; micron unless the column has a unit), optionally
        ``err_um``, ``kind``, ``species``, ``marked`` and ``source``. Without it the packaged list of all KMOS bands.

    Returns
    -------
    tuple of SpectralLine
        In the order of the file.

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    KmosError
        If a column is missing or a wavelength is not a positive number.
    """
    if path is None:
        packaged = resources.files("napari_kmos") / "data" / "lines.ecsv"
        with resources.as_file(packaged) as file:
            return read_line_list(file)
    table = read_table(path, required=("name", "wavelength_um"))
    scale = float((table["wavelength_um"].unit or u.um).to(u.um))
    return tuple(_line(path, row, scale) for row in table)


def write_line_list(lines: Iterable[SpectralLine], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a list of spectral lines as `read_line_list` reads it.

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    rows = tuple(lines)
    names = ("name", "species", "wavelength_um", "err_um", "kind", "marked", "source")
    table = Table({name: [getattr(row, name) for row in rows] for name in names})
    for name in ("wavelength_um", "err_um"):
        table[name].unit = u.um
    return write_table(table, path, overwrite=overwrite)


def read_windows(path: Path | str) -> tuple[Window, ...]:
    """Read wavelength windows in micron: ECSV with ``start_um`` and ``end_um``, or text with two numbers a line.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    KmosError
        If it holds no window, or a window that does not go upwards.
    """
    lines = _text_lines(Path(path))
    if lines and lines[0].startswith("# %ECSV"):
        table = read_table(path, required=("start_um", "end_um"))
        pairs = list(zip(_microns(table, "start_um"), _microns(table, "end_um"), strict=True))
    else:
        pairs = list(_pairs(Path(path), lines))
    bad = [pair for pair in pairs if not 0 < pair[0] < pair[1] < float("inf")]
    if bad or not pairs:
        what = f"window {bad[0][0]:g} to {bad[0][1]:g}" if bad else "no window"
        msg = f"{path}: {what}; expected two wavelengths in micron a line, the smaller first"
        raise KmosError(msg)
    return tuple(pairs)


def _line(path: Path | str, row: Row, scale: float) -> SpectralLine:
    """One row of a line list."""
    cells = {name: row[name] for name in row.colnames if row[name] is not np.ma.masked}
    name = str(cells.get("name", "")).strip()
    try:
        wavelength_um = float(cells.get("wavelength_um", "nan")) * scale
    except (TypeError, ValueError):
        wavelength_um = float("nan")
    if not 0 < wavelength_um < float("inf"):
        msg = f"{path}: line {name!r} has no wavelength; expected a positive number of micron in vacuum"
        raise KmosError(msg)
    return SpectralLine(
        name=name,
        wavelength_um=wavelength_um,
        err_um=float(cells.get("err_um", "nan")) * scale,
        kind=str(cells.get("kind", "line")),
        species=str(cells.get("species", "")),
        marked=_truth(cells.get("marked", True)),
        source=str(cells.get("source", "")),
    )


def _truth(value: Any) -> bool:
    """Understand a cell that says yes or no."""
    return value.strip().lower() not in {"false", "no", "0", ""} if isinstance(value, str) else bool(value)


def _microns(table: Table, name: str) -> list[float]:
    """Column in micron."""
    scale = float((table[name].unit or u.um).to(u.um))
    return [float(value) * scale for value in table[name]]


def _text_lines(path: Path) -> list[str]:
    """Lines of a text file."""
    return read_text(path).splitlines()


def _pairs(path: Path, lines: list[str]) -> Iterator[Window]:
    """Two numbers of each line that is not empty or a comment."""
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            start, end = (float(word) for word in words)
        except ValueError as err:
            msg = f"{path}: line {number} is {line.strip()[:40]!r}; expected two wavelengths in micron"
            raise KmosError(msg) from err
        yield start, end
