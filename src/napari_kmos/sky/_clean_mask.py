"""Stars in a sky cube: what is brighter than the sky between the lines while its lines are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.sky._comb import FWHM_PER_SIGMA
from napari_kmos.spectral.nan import divide, nan_median, robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._clean_model import SkyOfSpaxels
    from napari_kmos.sky._level_spectra import SpaxelSpectra
    from napari_kmos.sky.cleaning_parameters import CleaningParameters

    Floats = NDArray[np.float64]

#: The level of the sky is that of the darkest spaxels that agree within this many sigma; at least so many.
_LEVEL_SIGMA, _LEAST_LEVEL = 3.0, 4


@dataclass(frozen=True, slots=True, eq=False)
class Excess:
    """The light of spaxels that is not sky, in the unit of the flux; shape (n_spaxels,) each.

    Parameters
    ----------
    light, noise : ndarray
        Mean over the planes, and its error from noise.
    flat : float
        Error from the gain, the same in all.
    voxel_noise : float
        Typical noise of a voxel.
    """

    light: Floats
    noise: Floats
    flat: float
    voxel_noise: float


#: That of an IFU without data.
NOTHING = Excess(np.zeros(0), np.zeros(0), 0.0, 0.0)


def excess_light(spectra: SpaxelSpectra, sky: SkyOfSpaxels, p: CleaningParameters) -> Excess:
    """Return how much brighter spaxels are than their sky, mean over the planes weighted by the noise."""
    noise = nan_median(spectra.noise.T)
    known = np.isfinite(noise) & (noise > 0)
    weight = np.zeros(noise.size)
    weight[known] = noise[known] ** -2
    left = spectra.flux - sky.flux()
    middle = nan_median(left)
    spread = np.maximum(spectra.noise, 1.4826 * nan_median(np.abs(left - middle)))
    used = np.abs(left - middle) <= p.bad_sigma * spread
    total = weight @ used
    light = divide(weight @ np.where(used, left, 0.0), total)
    own = divide(np.sqrt(weight**2 @ np.where(used, spectra.noise, 0.0) ** 2), total)
    mean, below = (
        float(weight @ each / max(weight.sum(), np.finfo(float).tiny))
        for each in (sky.mean.filled(), sky.mean.continuum())
    )
    gain = np.sqrt(sky.terms.covariance[:, 0, 0])
    return Excess(light, np.hypot(own, gain * below), p.flat_error * abs(mean), float(np.median(noise[known])))


def sky_level(excess: Excess) -> float:
    """Return the level of the sky: that of the darkest spaxels that agree with each other."""
    error = np.hypot(excess.noise, excess.flat)
    chosen = np.flatnonzero(np.isfinite(excess.light))
    while chosen.size > _LEAST_LEVEL:
        middle = np.median(excess.light[chosen])
        kept = chosen[excess.light[chosen] <= middle + _LEVEL_SIGMA * error[chosen]]
        if kept.size == chosen.size:
            break
        chosen = kept if kept.size >= _LEAST_LEVEL else chosen[np.argsort(excess.light[chosen])[:_LEAST_LEVEL]]
    return float(np.median(excess.light[chosen])) if chosen.size else 0.0


def find_stars(
    excess: Excess, level: float, used: NDArray[np.bool_], scale_arcsec: float, p: CleaningParameters
) -> NDArray[np.bool_]:
    """Return where stars are, shape (n_y, n_x): what stands out, and what is brighter than the sky around it.

    Looked for spaxel by spaxel, and smoothed for what is faint and extended.
    """
    image, error = _images(excess, level, used)
    sigma = p.kernel_arcsec / scale_arcsec / FWHM_PER_SIGMA
    smooth, smooth_error = _smoothed(image, error, sigma)
    scale = max(1.0, _scatter(image / error))
    significance = np.fmax(
        image / np.hypot(scale * error, excess.flat), smooth / np.hypot(scale * smooth_error, excess.flat)
    )
    significance = np.where(used, np.nan_to_num(significance), 0.0)
    around = ndimage.generate_binary_structure(2, 2)
    return np.asarray(
        ndimage.binary_propagation(significance > p.seed_sigma, structure=around, mask=significance > p.wing_sigma)
    )


def _images(excess: Excess, level: float, used: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return light above the level and its noise as images, NaN where there is none."""
    image, error = np.full(used.shape, np.nan), np.full(used.shape, np.nan)
    image[used], error[used] = excess.light - level, excess.noise
    error[~(error > 0)] = np.nan
    return image, error


def _smoothed(image: Floats, error: Floats, sigma: float) -> tuple[Floats, Floats]:
    """Smooth an image with a Gaussian, weighted by its errors; return the errors as well."""
    known = np.isfinite(image) & np.isfinite(error)
    weight = np.where(known, error, 1.0) ** -2 * known
    total = ndimage.gaussian_filter(weight, sigma, mode="constant")
    smooth = ndimage.gaussian_filter(np.where(known, image, 0.0) * weight, sigma, mode="constant")
    # The square of a Gaussian is one of sigma / sqrt(2), over 4 pi sigma^2.
    squared = ndimage.gaussian_filter(weight, sigma / np.sqrt(2), mode="constant") / (4 * np.pi * sigma**2)
    return divide(smooth, total), divide(np.sqrt(np.maximum(squared, 0)), total)


def _scatter(values: Floats) -> float:
    """Return the scatter of the darker half of an image, from how spaxels differ from their neighbours."""
    dark = np.where(values <= np.nanmedian(values), values, np.nan)
    # A value less the mean of its neighbours is half a second difference; its variance is 1.5 that of the value.
    found = [robust_sigma(np.diff(dark, n=2, axis=axis) / np.sqrt(6)) for axis in (0, 1)]
    return float(np.nan_to_num(np.nanmax([*found, 0.0])))
