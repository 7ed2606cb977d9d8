"""The lines of a comb with a factor for each level, and what is smooth beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.interpolate import BSpline

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from napari_kmos.sky._comb import Comb

    Floats = NDArray[np.float64]

_DEGREE = 3
#: Planes over which the factor of the lines about a plane is taken.
_ABOUT = 7


class LevelModel:
    """The lines of a comb with a factor a group.

    Parameters
    ----------
    comb : Comb
        Lines of the sky.
    shares : csr_array, shape (n_cells, n_groups)
        Share of each group in each cell.
    level : float
        Light below which lines do not tell a factor.
    """

    def __init__(self, comb: Comb, shares: sparse.csr_array, level: float) -> None:
        self.comb, self.level = comb, level
        self.parts = shares.multiply(comb.light[:, None]).tocsr()
        usual = comb.spread.matrix(0.0, comb.fwhm) @ comb.light
        self._curves = [ndimage.spline_filter1d(curve, mode="nearest") for curve in (comb.rest, usual)]

    def light(self, factors: Floats) -> Floats:
        """Return the cells with the factors in them."""
        return np.asarray(self.parts @ np.exp(factors))

    def matrix(self, shifts: Floats, width: float) -> sparse.csr_array:
        """Return what turns cells into planes."""
        return self.comb.spread.matrix(shifts, self.comb.fwhm * float(np.exp(width)))

    def groups(self, factors: Floats, shifts: Floats, width: float) -> Floats:
        """Return the spectrum of each group, shape (n_planes, n_groups)."""
        return np.asarray((self.matrix(shifts, width) @ self.parts).toarray() * np.exp(factors))

    def derivatives(self, light: Floats, shifts: Floats | float, width: float, *, order: int) -> Floats:
        """Return the lines of cells and their derivatives by shift and width, as `LineSpread.spectra`."""
        return self.comb.spread.spectra(light, shifts, self.comb.fwhm * float(np.exp(width)), order=order)

    def rest(self, lines: Floats, shifts: Floats) -> Floats:
        """Return what the cells do not tell, moved, with the factor of the lines about it."""
        where = (np.arange(shifts.size) - shifts)[None]
        rest, usual = (ndimage.map_coordinates(curve, where, prefilter=False, mode="nearest") for curve in self._curves)
        return np.asarray(rest * self.factor_about(lines, usual))

    def factor_about(self, lines: Floats, usual: Floats) -> Floats:
        """Return the factor of lines over the usual ones about every plane, towards 1 where there are none."""
        about = ndimage.uniform_filter1d(np.stack([lines * usual, usual**2]), _ABOUT, axis=1) + self.level**2
        return np.asarray(about[0] / about[1])


def polynomials(n_planes: int, number: int) -> Floats:
    """Return Legendre polynomials over the planes, shape (n_planes, number)."""
    return np.asarray(np.polynomial.legendre.legvander(np.linspace(-1, 1, n_planes), number - 1), dtype=float)


def spline_columns(n_planes: int, n_knots: int) -> Floats:
    """Return cubic B-splines over the planes, evenly spaced; shape (n_planes, n_knots + 2)."""
    inner = np.linspace(0, n_planes - 1, n_knots)
    knots = np.concatenate([np.full(_DEGREE, inner[0]), inner, np.full(_DEGREE, inner[-1])])
    return np.asarray(BSpline.design_matrix(np.arange(n_planes, dtype=float), knots, _DEGREE).toarray())
