"""Spaxels of a cube without what is smooth along the wavelength, and which of them show no star."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import SkyError
from napari_kmos.sky._level_model import spline_columns
from napari_kmos.sky._level_spectra import gather_spectra, spaxels_with_data
from napari_kmos.sky._line_groups import LineGroups, find_line_groups
from napari_kmos.sky._resample import fill_gaps
from napari_kmos.spectral.nan import nan_median
from napari_kmos.spectral.noise import ensure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.second_pass_parameters import SecondPassParameters

    Floats = NDArray[np.float64]

#: Rounds in which outliers are taken out of the continuum.
_ROUNDS = 2


@dataclass(frozen=True, slots=True, eq=False)
class HighPassed:
    """The spaxels of a cube with data, as columns, without their continuum.

    Parameters
    ----------
    flux : ndarray, shape (n_planes, n_spaxels)
        What is left on and between lines; NaN is no data, and where a voxel is far off the others.
    noise : ndarray, same shape
        1 sigma as the cube has it, with that of stellar features where there is star light.
    used : ndarray of bool, shape (n_y, n_x)
        Where the spaxels lie.
    starless : ndarray of bool, shape (n_spaxels,)
        Those without star light.
    groups : LineGroups
        Known lines on the axis.
    """

    flux: Floats
    noise: Floats
    used: NDArray[np.bool_]
    starless: NDArray[np.bool_]
    groups: LineGroups

    def image(self, values: NDArray[Any], elsewhere: Floats | float = 0.0) -> Floats:
        """Return values of the spaxels, shape (..., n_spaxels), as images, with others elsewhere."""
        image = np.empty((*values.shape[:-1], *self.used.shape))
        image[:] = np.asarray(elsewhere)[..., None, None]
        image[..., self.used] = values
        return image


def take_high_pass(cube: Cube, p: SecondPassParameters) -> HighPassed:
    """Read a cube and take the continuum off its spaxels.

    Raises
    ------
    SkyError
        If it has no data.
    """
    noise = None if cube.noise is None else np.asarray(cube.noise)
    loaded = ensure_noise(dataclasses.replace(cube, flux=np.asarray(cube.flux), noise=noise))
    used = spaxels_with_data(loaded) if np.isfinite(loaded.flux).any() else np.zeros(cube.shape[1:], dtype=bool)
    if not used.any():
        msg = f"{cube.label}: has no data (all NaN); leave this IFU out"
        raise SkyError(msg)
    spectra = gather_spectra(loaded, used)
    groups = find_line_groups(cube, p)
    white = nan_median(spectra.flux)
    limit = np.quantile(white, p.dark_share) + p.star_limit * float(np.nanmedian(spectra.noise))
    level = _Continuum(spectra.flux, groups.on_lines, p)
    flux, noise = level.taken_off(spectra.flux, spectra.noise)
    return HighPassed(flux, noise, used, white <= limit, groups)


class _Continuum:
    """A smooth continuum by least squares: the same weights of the planes in all spaxels of a cube."""

    def __init__(self, flux: Floats, on_lines: NDArray[np.bool_], p: SecondPassParameters) -> None:
        known = np.flatnonzero(np.isfinite(flux).any(axis=1))
        self._planes, self._p = slice(int(known[0]), int(known[-1]) + 1), p
        on_lines = on_lines[self._planes]
        knots = max(2, round(on_lines.size / p.continuum_planes))
        columns = spline_columns(on_lines.size, knots)
        root = np.sqrt(np.where(on_lines, p.line_weight, 1.0))[:, None]
        basis = np.linalg.qr(columns * root)[0]
        self._analysis, self._synthesis = basis * root, basis / root

    def of(self, spectra: Floats) -> Floats:
        """Return the continuum of spectra without gaps, cut to the planes with data."""
        return np.asarray(self._synthesis @ (self._analysis.T @ spectra))

    def taken_off(self, flux: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Return spectra without their continuum, NaN where a voxel is far off, and their noise with star features."""
        left, sigma = np.full(flux.shape, np.nan), np.full(flux.shape, np.nan)
        seen, errors = flux[self._planes], noise[self._planes]
        filled = fill_gaps(seen)
        for _ in range(_ROUNDS):
            level = self.of(filled)
            beside = filled - level
            features = np.sqrt(errors**2 + (self._p.star_features * np.maximum(level, 0)) ** 2)
            off = np.abs(beside - nan_median(beside.T)[:, None]) > self._p.voxel_clip * features
            filled = np.where(off, level + nan_median(beside.T)[:, None], filled)
        left[self._planes] = np.where(off | ~np.isfinite(features), np.nan, seen - self.of(filled))
        sigma[self._planes] = features
        return left, sigma
