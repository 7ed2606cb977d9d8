"""Stars pointed at by hand: where they are in an image, and on the sky."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.io._columns import column_of, numbers_of
from napari_kmos.io.catalogue import catalogue_of, read_any_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.catalogue import Catalogue, CatalogueColumns

    Floats = NDArray[np.float64]


def read_star_pairs(path: Path | str, columns: CatalogueColumns) -> tuple[Catalogue, Floats, Floats]:
    """Read stars with their pixels and their positions.

    Parameters
    ----------
    path : path
        Any table that `read_catalogue` reads, with the columns ``x`` and ``y`` too: pixels, **1-based as in FITS**, as
        viewers show them.
    columns : CatalogueColumns
        Columns of the positions; those not given are found by their names.

    Returns
    -------
    tuple
        The positions, and y and x in 0-based pixels, each of shape (n,).

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    KmosError
        If a column is missing or cannot be understood, or a star has no pixel.
    """
    stars = catalogue_of(read_any_table(path), Path(path).stem, columns)
    y, x = (numbers_of(stars.table[column_of(stars.table, stars.name, name)], stars.name) - 1 for name in "yx")
    if not (np.isfinite(y) & np.isfinite(x)).all():
        msg = f"{path}: a star has no pixel; expected numbers in the columns x and y"
        raise KmosError(msg)
    return stars, y, x
