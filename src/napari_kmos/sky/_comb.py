"""A sky spectrum as a comb: the light of its lines in cells finer than a plane, so that it can be moved and broadened.

A spectrograph that samples its lines with two planes does not tell enough to interpolate between them: a spline
leaves about 1 % of the peak of a line that it moves by a tenth of a plane. A comb that the line spread function turns
into the spectrum can be moved exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse
from scipy.special import ndtr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._level_groups import LevelGroups
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

#: FWHM of a Gaussian over its sigma.
FWHM_PER_SIGMA = 2.354820045
#: Of a Gaussian of sigma 1 at its middle.
DENSITY = 1 / np.sqrt(2 * np.pi)
#: The least background, in units of the noise, that keeps the ratios of Richardson-Lucy finite.
_LEAST = 1e-3
#: How a bright line is measured: planes to either side, rounds of the fit, lines that are needed.
_HALF_LINE, _LINE_ROUNDS, _MIN_LINES = 3, 6, 5


class LineSpread:
    """A Gaussian line spread function integrated over planes, acting on cells.

    Parameters
    ----------
    n_planes : int
        Planes of the spectrum.
    n_sub : int
        Cells of a plane.
    reach : int
        Light is followed this many planes to either side; so far the cells go on beyond the ends.
    """

    def __init__(self, n_planes: int, n_sub: int, reach: int) -> None:
        self.n_planes, self.n_sub, self.reach = n_planes, n_sub, reach
        self.n_taps = (2 * reach + 1) * n_sub
        self.n_cells = (n_planes + 2 * reach) * n_sub
        # Cell k of those a plane sees lies at this distance from it.
        taps = np.arange(self.n_taps + n_sub)
        self._distance = (taps + 0.5) / n_sub - reach - 0.5
        self._columns = (np.arange(n_planes)[:, None] * n_sub + np.arange(self.n_taps)).ravel()
        self._rows = np.arange(n_planes + 1) * self.n_taps

    @property
    def position(self) -> Floats:
        """Where each cell lies, in planes; shape (n_cells,)."""
        return (np.arange(self.n_cells) + 0.5) / self.n_sub - self.reach - 0.5

    def matrix(self, shift: Floats | float, fwhm: float) -> sparse.csr_array:
        """Return what turns cells into planes when lines are moved by ``shift`` planes (one, or one a plane)."""
        edges = self._edges(shift, fwhm)
        return self._sparse(self._differences(ndtr(edges)))

    def spectra(self, light: Floats, shift: Floats | float, fwhm: float, *, order: int) -> Floats:
        """Return the spectrum of cells and its derivatives by shift and logarithm of the FWHM.

        Order 1: the spectrum, by shift, by width; order 2 also by shift and width and twice by width. Twice by shift
        is that by width over sigma squared.
        """
        v = self._edges(shift, fwhm)
        density, per_plane = DENSITY * np.exp(-0.5 * v**2), fwhm / FWHM_PER_SIGMA
        kernels = [ndtr(v), -density / per_plane, -v * density]
        if order > 1:
            kernels += [(1 - v**2) * density / per_plane, v * (1 - v**2) * density]
        seen = np.lib.stride_tricks.sliding_window_view(light, self.n_taps)[:: self.n_sub]
        return np.stack(
            [np.einsum("lk,lk->l", seen, np.broadcast_to(self._differences(kernel), seen.shape)) for kernel in kernels]
        )

    def _edges(self, shift: Floats | float, fwhm: float) -> Floats:
        """Distances of the upper edge of each plane from its cells, in sigma; one row if all are the same."""
        moved = np.atleast_1d(np.asarray(shift, dtype=float))[:, None]
        return np.asarray((0.5 - self._distance - moved) * (FWHM_PER_SIGMA / fwhm))

    def _differences(self, at_edges: Floats) -> Floats:
        """Return upper minus lower edge: the lower edge for a cell is the upper one for the cell a plane further."""
        return at_edges[:, : self.n_taps] - at_edges[:, self.n_sub :]

    def _sparse(self, weights: Floats) -> sparse.csr_array:
        values = np.broadcast_to(weights, (self.n_planes, self.n_taps)).ravel()
        return sparse.csr_array((values, self._columns, self._rows), shape=(self.n_planes, self.n_cells))


@dataclass(frozen=True, slots=True, eq=False)
class Comb:
    """The lines of a sky spectrum.

    Parameters
    ----------
    spread : LineSpread
        How cells become planes.
    light : ndarray, shape (n_cells,)
        Light of each cell, not negative.
    fwhm : float
        FWHM of the line spread function in planes.
    rest : ndarray, shape (n_planes,)
        What the cells do not tell of the spectrum.
    """

    spread: LineSpread
    light: Floats
    fwhm: float
    rest: Floats


def make_comb(lines: Floats, noise: Floats, groups: LevelGroups, fwhm: float, p: SkyParameters) -> Comb:
    """Deconvolve the line part of a spectrum.

    Richardson-Lucy, accelerated: the most likely cells that are not negative if the variance is proportional to light.
    That holds above a background which is found from the noise. It begins with the known lines, blurred, so that what
    the planes do not tell of the place of a line within a plane is taken from there.

    Parameters
    ----------
    lines, noise : ndarray, shape (n_planes,)
        Spectrum above its continuum, and 1 sigma; no gaps.
    groups : LevelGroups
        The known lines, where they lie in this spectrum.
    fwhm : float
        Of the lines, in planes.
    p : SkyParameters
        Cells of a plane, rounds.
    """
    fwhm = p.comb_narrowing * fwhm
    spread = LineSpread(lines.size, p.comb_cells, p.comb_reach)
    matrix = spread.matrix(0.0, fwhm)
    back = matrix.T.tocsr()
    total = np.maximum(back @ np.ones(lines.size), _LEAST)  # no plane sees the outermost cells
    background = _background(lines, noise)
    seen = np.maximum(lines + background, _LEAST * noise)
    usual = groups.light(spread, p.comb_blur)
    level = max(float(np.mean(np.maximum(lines, 0))), float(np.mean(noise))) / p.comb_cells
    light = level * (p.comb_flat + (1 - p.comb_flat) * usual / max(float(usual.mean()), 1e-300))
    for _ in range(p.comb_rounds):
        light *= ((back @ (seen / (matrix @ light + background))) / total) ** p.comb_power
    return Comb(spread, light, fwhm, lines - matrix @ light)


def _background(lines: Floats, noise: Floats) -> Floats:
    """Return the light that, together with that of the lines, is proportional to the variance."""
    variance = noise**2
    slope = float(np.mean((lines - lines.mean()) * (variance - variance.mean())) / max(np.var(lines), 1e-300))
    typical = float(np.median(variance))
    if slope * np.sqrt(typical) <= 1e-3 * typical:  # noise that does not follow the lines: a background above all
        return np.full(lines.size, float(np.max(lines)) + float(np.sqrt(typical)))
    return np.asarray(np.maximum(variance / slope - lines, _LEAST * noise))


def measure_fwhm(lines: Floats, p: SkyParameters) -> float:
    """Return the FWHM in planes of the bright lines that stand alone: their median, or the usual one without lines."""
    peaks = lines == ndimage.maximum_filter1d(lines, 2 * _HALF_LINE + 3)
    order = np.argsort(np.where(peaks, lines, -np.inf))[::-1][: p.fwhm_lines]
    centres = np.sort(order[(lines[order] > 0) & (order > 2 * _HALF_LINE) & (order < lines.size - 2 * _HALF_LINE - 1)])
    if centres.size < _MIN_LINES:
        return p.fwhm_usual
    window = np.arange(-_HALF_LINE, _HALF_LINE + 1)
    found = _fit_lines(lines[centres[:, None] + window], window, p.fwhm_usual)
    return float(np.median(found))


def _fit_lines(profiles: Floats, window: NDArray[np.int_], guess: float) -> Floats:
    """Return the FWHM of profiles, shape (n, planes): Gauss-Newton for height, place, width and level of each."""
    n = len(profiles)
    place, log_sigma = np.zeros(n), np.full(n, np.log(guess / FWHM_PER_SIGMA))
    height, level = profiles.sum(axis=1), np.zeros(n)
    for _ in range(_LINE_ROUNDS):
        sigma = np.exp(log_sigma)[:, None]
        v = (np.arange(window[0] - 0.5, window[-1] + 1) - place[:, None]) / sigma
        density = DENSITY * np.exp(-0.5 * v**2)
        shape = np.diff(ndtr(v), axis=1)
        columns = [shape, -height[:, None] * np.diff(density, axis=1) / sigma,
                   -height[:, None] * np.diff(v * density, axis=1), np.ones_like(shape)]  # fmt: skip
        jacobian = np.stack(columns, axis=2)
        residual = profiles - height[:, None] * shape - level[:, None]
        step = np.linalg.pinv(jacobian) @ residual[:, :, None]
        height, level = height + step[:, 0, 0], level + step[:, 3, 0]
        place = np.clip(place + np.clip(step[:, 1, 0], -0.3, 0.3), -1, 1)
        log_sigma = np.clip(log_sigma + np.clip(step[:, 2, 0], -0.3, 0.3), np.log(0.3), np.log(4.0))
    return np.asarray(np.exp(log_sigma) * FWHM_PER_SIGMA)
