"""Least squares with columns of which each is seen by a few planes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    Floats = NDArray[np.float64]


def solve_ridge(columns: sparse.csr_array, precision: Floats, right: Floats) -> Floats:
    """Return x of (columns.T columns + diag(precision)) x = right; columns in the order in which they are seen.

    Parameters
    ----------
    columns : csr_array, shape (n_planes, n)
        Columns; what two that are far apart have in common is nothing.
    precision : ndarray, shape (n,)
        What is expected of x: inverse variances about 0.
    right : ndarray, shape (n,) or (n, m)
        Right-hand sides.
    """
    if not precision.size:
        return np.zeros_like(right)
    normal = (columns.T @ columns).tocoo()
    upper = normal.col >= normal.row
    row, column = normal.row[upper], normal.col[upper]
    width = int((column - row).max(initial=0))
    banded = np.zeros((width + 1, precision.size))
    banded[width + row - column, column] = normal.data[upper]
    banded[width] += precision
    return np.asarray(linalg.solveh_banded(banded, right, check_finite=False))
