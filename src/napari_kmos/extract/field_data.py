"""The part of a cube in which stars are fitted together: made ready, and collapsed into a few wavelength bins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from napari_kmos.spectral.nan import divide, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Singles = NDArray[np.float32]

#: Of what its neighbours stand out by, a voxel of a star may stand out by so many times: it is at most twice, where
#: stars are wider than two spaxels.
_SHARED = 3.0
#: Of the typical noise: a voxel has no less, or it alone would count.
_LEAST_SIGMA = 1e-4
_PRECISION = 1e-6
#: A spaxel that has no data in more than this part of a bin is left out of it.
_LEAST_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class FieldData:
    """Flux of a field in units of its typical noise, so that calibrated fluxes do not underflow.

    Parameters
    ----------
    flux : ndarray of float32, shape (n_wavelength, n_y * n_x)
        0 where there is no data.
    weights : ndarray of float32, same shape
        1 / sigma^2; 0 where there is no data.
    wave_um : ndarray, shape (n_wavelength,)
        Micron.
    shape : tuple of int
        (n_y, n_x).
    scale : float
        The typical noise, in the unit of the cube.
    correlation : ndarray, optional
        Of the noise of neighbouring spaxels.
    """

    flux: Singles
    weights: Singles
    wave_um: Floats
    shape: tuple[int, int]
    scale: float
    correlation: Floats | None = None


class Bin(NamedTuple):
    """Mean image of some planes and its 1 / sigma, shape (n_y * n_x,), 0 where there is no data; mean wavelength."""

    wave_um: float
    flux: Floats
    root_weights: Floats


def field_data(
    flux: Singles, noise: Singles, wave_um: Floats, *, correlation: Floats | None, clip: float, n_bins: int
) -> FieldData:
    """Make a piece of a cube ready.

    Parameters
    ----------
    flux, noise : ndarray, shape (n_wavelength, n_y, n_x)
        Flux without noise is taken to be as noisy as the rest of its plane.
    wave_um : ndarray, shape (n_wavelength,)
        Micron.
    correlation : ndarray, optional
        As in `Cube`.
    clip : float
        Voxels are left out that stand alone by more sigma: cosmic rays. What their neighbours do as well, an emission
        line of a star or what is left of a sky line, stays. 0 keeps all.
    n_bins : int
        What a voxel should be like is the median of its spaxel over the planes of a bin.
    """
    n_wave, n_y, n_x = flux.shape
    is_known = np.isfinite(noise) & (noise > 0)
    scale = _typical_noise(flux, noise[is_known])
    values = np.where(np.isfinite(flux), flux / np.float32(scale), np.nan)
    sigma = np.where(is_known, np.maximum(noise / np.float32(scale), np.float32(_LEAST_SIGMA)), np.nan)
    typical = nan_median(sigma.reshape(n_wave, -1).T).astype(np.float32)
    typical[~np.isfinite(typical)] = 1.0
    sigma = np.where(is_known, sigma, typical[:, None, None])
    used = np.isfinite(values)
    if clip:
        used &= ~_standing_alone(values, sigma, clip, n_bins)
    weights = np.where(used, np.square(np.reciprocal(sigma)), np.float32(0))
    flat = (n_wave, n_y * n_x)
    return FieldData(
        np.where(used, values, np.float32(0)).reshape(flat),
        weights.reshape(flat),
        wave_um,
        (n_y, n_x),
        scale,
        correlation,
    )


def _typical_noise(flux: Singles, noise: Singles) -> float:
    """Return the median noise; no less than what single precision can tell of the flux, and 1 without any."""
    light = np.abs(flux[np.isfinite(flux)])
    least = _PRECISION * float(np.median(light)) if light.size else 0.0
    return max(float(np.median(noise)) if noise.size else 0.0, least) or 1.0


def collapsed(data: FieldData, n_bins: int) -> list[Bin]:
    """Average the planes of each bin, those weighted more that have less noise; bins without data are left out.

    The weights are those of whole planes: if each voxel had its own, the spaxels would see different parts of the
    spectra, and stars would change their shape.
    """
    bins = []
    for part in _parts(len(data.wave_um), n_bins):
        weights, used = data.weights[part].astype(float), data.weights[part] > 0
        n_used = np.maximum(np.count_nonzero(used, axis=1), 1)
        of_planes = (weights.sum(axis=1) / n_used)[:, None]
        total = np.sum(of_planes * used, axis=0)
        whole = total > _LEAST_SHARE * of_planes.sum()
        if not whole.any():
            continue
        flux = divide(np.sum(of_planes * data.flux[part], axis=0), total)
        variances = divide(np.ones_like(weights), weights)
        root = divide(total, np.sqrt(np.nansum(of_planes**2 * variances, axis=0)))
        wave = float(np.average(data.wave_um[part], weights=of_planes[:, 0]))
        bins.append(Bin(wave, np.where(whole, flux, 0), np.where(whole, root, 0)))
    return bins


def _parts(n_wave: int, n_bins: int) -> list[slice]:
    """Return planes in runs of nearly equal length."""
    edges = np.linspace(0, n_wave, min(n_bins, n_wave) + 1).round().astype(int)
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _standing_alone(values: Singles, sigma: Singles, clip: float, n_bins: int) -> NDArray[np.bool_]:
    """Tell which voxels differ from the median of their bin by far more than their neighbours do."""
    alone = np.zeros(values.shape, dtype=bool)
    for part in _parts(len(values), n_bins):
        excess = values[part] - nan_median(values[part]).astype(np.float32)
        finite = np.isfinite(excess)
        excess[~finite] = 0
        around = _sum_around(excess) / np.maximum(_sum_around(finite.astype(np.float32)), 1)
        alone[part] = np.abs(excess) > clip * sigma[part] + _SHARED * np.abs(around)
    return alone


def _sum_around(values: Singles) -> Singles:
    """Sum of the four neighbours of each spaxel."""
    total = np.zeros_like(values)
    total[:, 1:] += values[:, :-1]
    total[:, :-1] += values[:, 1:]
    total[:, :, 1:] += values[:, :, :-1]
    total[:, :, :-1] += values[:, :, 1:]
    return total
