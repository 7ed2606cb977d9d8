"""Noise of cubes that come without: measured from how neighbouring planes differ where there is little star light."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

from napari_kmos.errors import GeometryError, KmosWarning
from napari_kmos.lazy import plane_blocks, read_chosen_planes, read_piece
from napari_kmos.spectral.nan import nan_mean, nan_median, robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array, Cube

_STAR_POOR = 0.4
#: Enough for each plane's sigma to 2 %. With the brighter ones, and 3072 planes, the sums take 300 MB.
_MAX_SPAXELS = 1024
_MIN_SPAXELS = 3
_IMAGE_PLANES = 64
_CLIP = 3.0
#: Variance of f[k] - (f[k-1] + f[k+1]) / 2 over that of f.
_DIFFERENCE_VARIANCE = 1.5
#: Star light must exceed its scatter among star-poor spaxels by this to tell photon noise.
_BRIGHT = 5.0

#: Given flat indices of spaxels: their spectra as columns, shape (n_wavelength, n_spaxels).
GatherSpectra = Callable[["NDArray[np.int_]"], "NDArray[Any]"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NoiseModel:
    """What `estimate_noise` found: the noise of a voxel is sqrt(sigma^2 + gain (flux - sky)).

    Parameters
    ----------
    sigma : ndarray, shape (n_wavelength,)
        Noise where there is no star, in the unit of the flux; NaN where unknown.
    sky : ndarray, shape (n_wavelength,)
        Flux where there is no star.
    gain : float
        Variance per flux above the sky.
    """

    sigma: NDArray[np.float64]
    sky: NDArray[np.float64]
    gain: float

    def noise_of(self, spectra: NDArray[Any]) -> NDArray[np.float32]:
        """Return the noise of spectra, shape (n_rows, n_x, n_wavelength), row by row to save memory."""
        noise = np.empty(spectra.shape, dtype=np.float32)
        for row, one in zip(noise, spectra, strict=True):
            row[:] = _voxel_noise(one, self.sigma, self.sky, self.gain)
        return noise


def ensure_noise(cube: Cube) -> Cube:
    """Return the cube if it has noise, else the same cube with noise estimated by `estimate_noise`.

    Noise in memory that is nowhere more than 0 is none, and a warning says so; lazy noise is not looked at.
    """
    if cube.noise is None:
        return estimate_noise(cube)
    if isinstance(cube.noise, np.ndarray) and np.isfinite(cube.flux).any() and not (cube.noise > 0).any():
        msg = f"{cube.label}: its noise is nowhere more than 0; it is estimated from the flux"
        warnings.warn(msg, KmosWarning, stacklevel=2)
        return estimate_noise(cube)
    return cube


def estimate_noise(cube: Cube) -> Cube:
    """Estimate the noise of a cube from its flux.

    Parameters
    ----------
    cube : Cube
        Flux of shape (n_wavelength, n_y, n_x), in memory or lazy; its noise, if any, is not looked at.

    Returns
    -------
    Cube
        The same with noise (float32, 1 sigma in the unit of the flux, lazy if the flux is) and ``noise_estimated``
        set. NaN where the flux is NaN, and where no plane told a noise.

    Raises
    ------
    GeometryError
        If there are fewer than three planes.

    Notes
    -----
    For each plane k the differences f[k] - (f[k-1] + f[k+1]) / 2 of the star-poor spaxels (the 40 % with the lowest
    median) are freed from their mean, which is the shape of the sky lines, and from outliers beyond 3 sigma; their
    scatter is sigma[k]. A plane with too few spaxels takes the interpolated value of its neighbours. In spaxels with
    star light the variance is sigma[k]^2 + g (f - sky[k]), so that the noise grows with the square root of the flux
    above the sky; g comes from the same differences in the brighter spaxels. Correlation of neighbouring planes (from
    the reconstruction of the cube) makes the estimate too low, spaxel to spaxel differences of bright sky lines make
    it too high on those lines.
    """
    return with_noise(cube, fit_noise(cube))


def fit_noise(cube: Cube, *, gather: GatherSpectra | None = None) -> NoiseModel:
    """Find the parameters of the noise of a cube, as `estimate_noise` does.

    Parameters
    ----------
    cube : Cube
        As in `estimate_noise`.
    gather : callable, optional
        A quicker way to the spectra of some thousands of spaxels than reading the whole flux.

    Raises
    ------
    GeometryError
        If there are fewer than three planes.
    """
    if cube.shape[0] < 3:
        msg = f"{cube.label}: {cube.shape[0]} planes are too few to estimate noise; at least 3 are needed"
        raise GeometryError(msg)
    dark, bright = _sample_spaxels(cube)
    chosen = np.concatenate([dark, bright])
    spectra = (_gather(cube.flux, chosen) if gather is None else gather(chosen)).astype(float)
    sky = nan_median(spectra[:, : dark.size].T)
    differences = _differences(spectra, dark.size)
    sigma = _fill(_plane_sigma(differences[:, : dark.size]))
    gain = _photon_gain(differences, spectra - sky[:, None], dark.size)
    return NoiseModel(sigma=sigma, sky=np.nan_to_num(sky), gain=gain)


def with_noise(cube: Cube, model: NoiseModel) -> Cube:
    """Return the cube with the noise of a model, lazy if the flux is."""
    noise = _noise(cube.flux, model.sigma, model.sky, model.gain)
    return dataclasses.replace(cube, noise=noise, noise_estimated=True)


def _sample_spaxels(cube: Cube) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Return flat indices of star-poor and of brighter spaxels, evenly thinned where there are very many."""
    chosen = np.unique(np.linspace(0, cube.shape[0] - 1, min(_IMAGE_PLANES, cube.shape[0])).astype(int))
    image = nan_median(read_chosen_planes(cube.flux, chosen)).ravel()
    order = np.argsort(image)[: np.count_nonzero(np.isfinite(image))]
    n_dark = min(order.size, max(_MIN_SPAXELS, round(_STAR_POOR * order.size)))
    return _thinned(order[:n_dark]), _thinned(order[n_dark:])


def _thinned(indices: NDArray[np.int_]) -> NDArray[np.int_]:
    """Every n-th index, so that a bounded number is left."""
    return indices[:: max(1, -(-indices.size // _MAX_SPAXELS))]


def _gather(flux: Array, spaxels: NDArray[np.int_]) -> NDArray[np.float32]:
    """Spectra of some spaxels as columns, shape (n_wavelength, n_spaxels), read in blocks of planes."""
    blocks = (read_piece(flux, (block,)) for block in plane_blocks(flux))
    return np.concatenate([block.reshape(len(block), -1)[:, spaxels] for block in blocks])


def _differences(spectra: NDArray[np.float64], n_dark: int) -> NDArray[np.float64]:
    """Differences of each plane from its neighbours, in units of the plane's noise, without the common line shape."""
    differences = np.full_like(spectra, np.nan)
    differences[1:-1] = (spectra[1:-1] - 0.5 * (spectra[:-2] + spectra[2:])) / np.sqrt(_DIFFERENCE_VARIANCE)
    return differences - nan_median(differences[:, :n_dark].T)[:, None]


def _plane_sigma(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation over the spaxels of each plane after one clip; NaN where too few have data."""
    columns = differences.T
    spread = 1.4826 * nan_median(np.abs(columns))
    kept = np.where(np.abs(columns) <= _CLIP * spread, columns, np.nan)
    n_kept = np.count_nonzero(np.isfinite(kept), axis=0)
    variance = nan_mean((kept - nan_mean(kept)) ** 2) * n_kept / np.maximum(n_kept - 1, 1)
    return np.sqrt(np.where(n_kept >= _MIN_SPAXELS, variance, np.nan))


def _fill(sigma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate planes without a value from their neighbours; NaN if no plane has one."""
    known = np.isfinite(sigma) & (sigma > 0)
    index = np.arange(sigma.size)
    return np.interp(index, index[known], sigma[known]) if known.any() else np.full(sigma.size, np.nan)


def _photon_gain(differences: NDArray[np.float64], light: NDArray[np.float64], n_dark: int) -> float:
    """Variance per flux above the sky, from the bright spaxels; 0 if none is bright enough."""
    if n_dark == 0:
        return 0.0
    flux = nan_median(light)
    variance = (1.4826 * nan_median(np.abs(differences))) ** 2
    bright = np.isfinite(flux) & (flux > _BRIGHT * robust_sigma(flux[:n_dark]))
    bright[:n_dark] = False
    if not bright.any():
        return 0.0
    ratios = (variance[bright] - np.nanmedian(variance[:n_dark])) / flux[bright]
    return max(0.0, float(np.median(ratios)))


def _noise(flux: Array, sigma: NDArray[np.float64], sky: NDArray[np.float64], gain: float) -> Array:
    """Noise of every voxel, lazy if the flux is."""
    columns = sigma[:, None, None], sky[:, None, None]
    if isinstance(flux, np.ndarray):
        return _voxel_noise(flux, *columns, gain)
    chunks = (flux.chunks[0], (1,), (1,))
    lazy = [da.from_array(column, chunks=chunks) for column in columns]
    result: Array = da.map_blocks(_voxel_noise, flux, *lazy, gain, dtype=np.float32, chunks=flux.chunks)
    return result


def _voxel_noise(
    flux: NDArray[Any], sigma: NDArray[np.float64], sky: NDArray[np.float64], gain: float
) -> NDArray[np.float32]:
    light = np.maximum(np.where(np.isfinite(flux), flux - sky, np.nan), 0)
    return np.asarray(np.sqrt(sigma**2 + gain * light), dtype=np.float32)
