"""A catalogue of sources: where they are on the sky, and how bright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.table import Table
    from numpy.typing import NDArray


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
    """

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

    def __len__(self) -> int:
        return len(self.ra)

    @property
    def magnitude(self) -> NDArray[np.float64]:
        """Magnitude of each source, shape (n,); NaN where it is not known."""
        if not self.magnitude_name:
            return np.full(len(self), np.nan)
        return np.ma.filled(np.ma.asarray(self.table[self.magnitude_name], dtype=float), np.nan)

    def ids(self, rows: NDArray[np.intp]) -> list[str]:
        """Return the names of some sources: the number of the row, from 1, where the table has none."""
        if not self.id_name:
            return [str(row + 1) for row in rows]
        column: Any = self.table[self.id_name]
        return [str(row + 1) if column[row] is np.ma.masked else str(column[row]).strip() for row in rows]
