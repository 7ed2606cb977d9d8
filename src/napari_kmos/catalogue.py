"""A catalogue of sources: where they are on the sky, and how bright."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray

_MAS_PER_DEGREE = 3.6e6


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueColumns:
    """Columns of a catalogue, in any case; what is not given is found by the names of its columns.

    Parameters
    ----------
    ra, dec : str, optional
        Column of the right ascension or declination of the catalogue. Numbers are in the unit of the column, degrees if
        it has none; texts are degrees, or sexagesimal: hours for right ascension, degrees for declination.
    magnitude : str, optional
        Column of the magnitude; if not given, the first of those that look like one, K before H before J.
    pm_ra, pm_dec : str, optional
        Column of the proper motion, that in right ascension with the cosine of the declination; in mas/yr, if the
        column has no unit.
    catalogue_epoch : str, optional
        Date of the positions, from which proper motions count: a year such as 2016.0, or a column of years.
    """

    ra: str | None = None
    dec: str | None = None
    magnitude: str | None = None
    pm_ra: str | None = None
    pm_dec: str | None = None
    catalogue_epoch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProperMotion:
    """How fast sources move, and since when.

    Parameters
    ----------
    east, north : ndarray of float, shape (n,)
        Motion on the sky in mas/yr (that in right ascension with the cosine of the declination); NaN where unknown.
    epoch : ndarray of float, shape (n,)
        Julian year of the positions; NaN where unknown.
    names : tuple of str
        Columns of the two, and the column or year of the positions; empty if they are of no table.
    """

    east: NDArray[np.float64]
    north: NDArray[np.float64]
    epoch: NDArray[np.float64]
    names: tuple[str, str, str] = ("", "", "")

    def since(self, year: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return how far (east, north, degrees) each source has moved at a date; zero where that is not known."""
        degrees = (year - self.epoch) / _MAS_PER_DEGREE
        return np.nan_to_num(degrees * self.east), np.nan_to_num(degrees * self.north)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Catalogue:
    """Sources with positions, and the table they come from.

    Parameters
    ----------
    name : str
        What to call it.
    table : Table
        All columns of the sources.
    ra, dec : ndarray of float, shape (n,)
        Degrees, ICRS; finite.
    ra_name, dec_name : str
        Columns of the table they were taken from.
    magnitudes : tuple of str
        Columns that hold magnitudes.
    magnitude_name : str
        The one in use; empty if there is none.
    id_name : str
        Column that names the sources; empty if there is none.
    n_dropped : int
        Rows of the file that have no position and are left out.
    motion : ProperMotion, optional
        None if proper motions, or the date of the positions, are not known.
    path : Path, optional
        The file; None if made in memory.
    columns : CatalogueColumns
        Those that were asked for when it was read.
    """

    #: What it takes to read it again.
    read_by: ClassVar[tuple[str, ...]] = ("path", "columns")

    name: str
    table: Table
    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    ra_name: str
    dec_name: str
    magnitudes: tuple[str, ...] = ()
    magnitude_name: str = ""
    id_name: str = ""
    n_dropped: int = 0
    motion: ProperMotion | None = None
    path: Path | None = None
    columns: CatalogueColumns = CatalogueColumns()

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def label(self) -> str:
        """What to call it in messages: the name of its file, if it has one."""
        return self.name if self.path is None else self.path.name

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """Magnitude of each source, shape (n,); NaN where it is not known."""
        if not self.magnitude_name:
            return np.full(len(self), np.nan)
        return np.ma.filled(np.ma.asarray(self.table[self.magnitude_name], dtype=float), np.nan)

    def at(self, year: float) -> Catalogue:
        """Return the catalogue with the positions of a date, a Julian year; those of unknown motion stay."""
        if self.motion is None:
            return self
        east, north = self.motion.since(year)
        ra, dec = (self.ra + east / np.cos(np.deg2rad(self.dec))) % 360, self.dec + north
        motion = dataclasses.replace(self.motion, epoch=np.full(len(self), float(year)))
        return dataclasses.replace(self, ra=ra, dec=dec, motion=motion)

    def ids(self, rows: NDArray[np.intp]) -> list[str]:
        """Return the names of some sources: the number of the row, from 1, where the table has none."""
        if not self.id_name:
            return [str(row + 1) for row in rows]
        column: Any = self.table[self.id_name]
        return [str(row + 1) if column[row] is np.ma.masked else str(column[row]).strip() for row in rows]
