"""Which upper level the light of each cell of a comb comes from."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

from napari_kmos.sky._bands import covered_bands
from napari_kmos.spectral.oh import sky_lines

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._comb import LineSpread
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

#: Shares of a cell below this are left to the others.
_LEAST_SHARE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class LevelGroups:
    """The upper levels that are told apart.

    Parameters
    ----------
    v, n, f : ndarray of int, shape (n_groups,)
        Vibration, rotation and spin component; v = 0 is O2. The last groups, v = -1, -2, ..., are light of no known
        line in the first, second, ... airglow band that the axis covers.
    band : ndarray of int, shape (n_planes,)
        The number of that band for each plane.
    position_pix : ndarray, shape (n_lines,)
        Where the known lines lie, in planes.
    strength : ndarray, shape (n_lines,)
        How bright they usually are.
    group : ndarray of int, shape (n_lines,)
        The group of each.
    """

    v: NDArray[np.int_]
    n: NDArray[np.int_]
    f: NDArray[np.int_]
    band: NDArray[np.int_]
    position_pix: Floats
    strength: Floats
    group: NDArray[np.int_]

    def light(self, spread: LineSpread, sigma_pix: float) -> Floats:
        """Return all known lines as cells, each blurred by a Gaussian."""
        cells = np.bincount(self._cell(spread), weights=self.strength, minlength=spread.n_cells)
        return np.asarray(ndimage.gaussian_filter1d(cells, sigma_pix * spread.n_sub, mode="constant"))

    def shares(self, spread: LineSpread, sigma_pix: float, p: SkyParameters) -> sparse.csr_array:
        """Return the share of each group in each cell, shape (n_cells, n_groups); their sum is 1.

        Light within ``sigma_pix`` of a known line is taken to be its.
        """
        offset, kernel = _label_kernel(spread.n_sub, sigma_pix, p)
        cells = self._cell(spread)[:, None] + offset
        light = self.strength[:, None] * kernel
        inside = (cells >= 0) & (cells < spread.n_cells)
        groups = np.broadcast_to(self.group[:, None], cells.shape)
        shape = (spread.n_cells, self.v.size)
        known = sparse.coo_array((light[inside], (cells[inside], groups[inside])), shape=shape).tocsr()
        total = known.sum(axis=1)
        known = known.multiply(1 / (total + p.label_floor * float(total.max()))[:, None]).tocsr()
        known.data[known.data < _LEAST_SHARE] = 0.0
        known.eliminate_zeros()
        return (known + self._others(spread, np.maximum(1 - known.sum(axis=1), 0.0))).tocsr()

    def _others(self, spread: LineSpread, share: Floats) -> sparse.csr_array:
        """Return what belongs to no known line, by band."""
        plane = np.clip(np.rint(spread.position).astype(int), 0, self.band.size - 1)
        group = int(np.count_nonzero(self.v >= 0)) + self.band[plane]
        places = (np.arange(spread.n_cells), group)
        return sparse.coo_array((share, places), shape=(spread.n_cells, self.v.size)).tocsr()

    def prior(self, p: SkyParameters) -> Floats:
        """Return the covariance of the logarithms of the factors that is expected, shape (n_groups, n_groups)."""
        oh, other = self.v > 0, self.v < 0
        same_v = (self.v[:, None] == self.v) & ~other
        same_n = (self.n[:, None] == self.n) & oh[:, None] & oh
        f2 = (self.f == 2) & oh
        covariance = p.prior_band**2 * same_v + p.prior_rotation**2 * same_n + p.prior_f2**2 * np.outer(f2, f2)
        covariance[np.diag_indices(self.v.size)] += np.where(other, p.prior_other**2, p.prior_level**2)
        return np.asarray(covariance)

    def _cell(self, spread: LineSpread) -> NDArray[np.int_]:
        """Return the cell each line falls into, the outermost for lines beyond the ends."""
        cell = np.rint((self.position_pix + spread.reach + 0.5) * spread.n_sub - 0.5).astype(int)
        return np.asarray(np.clip(cell, 0, spread.n_cells - 1))


def _label_kernel(n_sub: int, sigma_pix: float, p: SkyParameters) -> tuple[NDArray[np.int_], Floats]:
    """Return distances in cells, and how likely light at each is that of a line: a core and a broad wing."""
    reach = int(np.ceil(4 * max(sigma_pix, p.label_wing_sigma) * n_sub))
    offset = np.arange(-reach, reach + 1)
    core, wing = (np.exp(-0.5 * (offset / (sigma * n_sub)) ** 2) for sigma in (sigma_pix, p.label_wing_sigma))
    return offset, (1 - p.label_wing) * core / core.sum() + p.label_wing * wing / wing.sum()


def find_groups(wavelength_um: Floats, reach: int, faintest: float) -> LevelGroups:
    """Return the levels whose lines, as `sky_lines` knows them, reach an even wavelength axis in vacuum."""
    return _find_groups(float(wavelength_um[0]), float(wavelength_um[-1]), wavelength_um.size, reach, faintest)


@functools.lru_cache(maxsize=8)
def _find_groups(start: float, end: float, n_planes: int, reach: int, faintest: float) -> LevelGroups:
    wavelength, step = np.linspace(start, end, n_planes, retstep=True)
    lines = sky_lines((start - reach * step, end + reach * step), faintest=faintest)
    keys = np.stack([lines.v_upper, lines.n_upper, lines.f_upper], axis=1).reshape(-1, 3)
    levels, group = np.unique(keys, axis=0, return_inverse=True)
    bands = covered_bands(wavelength)
    others = np.array([[-1 - k, 0, 0] for k in range(len(bands))])
    v, n, f = np.vstack([levels, others]).T
    return LevelGroups(
        v=v,
        n=n,
        f=f,
        band=np.repeat(np.arange(len(bands)), [planes.stop - planes.start for _, planes in bands]),
        position_pix=(lines.wavelength_um - start) / step,
        strength=lines.strength,
        group=np.ravel(group),
    )
