"""Features of stars in what is left of dark spaxels: known from the brighter ones, told apart beside the lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.sky._resample import fill_gaps
from napari_kmos.spectral.nan import divide, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Spectra that starlight is made of.
_STAR_SPECTRA = 3
#: A voxel so many sigma off the median of so many planes is no starlight.
_SPIKE_SIGMA, _SPIKE_PLANES = 6.0, 5


def star_features(spectra: Floats, beside: NDArray[np.bool_], level: Callable[[Floats], Floats]) -> Floats:
    """Return what the light that differs between spaxels is made of, as columns of about the same noise.

    Parameters
    ----------
    spectra : ndarray, shape (n_planes, n_spaxels)
        Bright spaxels, without sky. What all have in common is taken off: it may be sky.
    beside : ndarray of bool, shape (n_planes,)
        Planes without sky lines, which tell.
    level : callable
        Returns the continuum of spectra.

    Returns
    -------
    ndarray, shape (n_planes, n)
        None of the noise of other spaxels is in it, so that it may be fitted to these.
    """
    filled = fill_gaps(spectra - nan_median(spectra.T)[:, None])
    off = filled - ndimage.median_filter(filled, (_SPIKE_PLANES, 1))
    sigma = 1.4826 * nan_median(np.abs(off).T)[:, None]
    light = np.where(np.abs(off) > _SPIKE_SIGMA * sigma, filled - off, filled)
    light -= level(light)
    weighted = np.nan_to_num(divide(light, np.broadcast_to(sigma, light.shape)))[beside]
    vectors = np.linalg.svd(weighted, full_matrices=False)[2]
    return np.asarray(light @ vectors[:_STAR_SPECTRA].T)


def without_stars(spectra: Floats, features: Floats, sigma: Floats, beside: NDArray[np.bool_]) -> Floats:
    """Return spectra, shape (n_planes, n), less the features that fit each beside the lines.

    ``sigma``, shape (n_planes,), is the noise up to a factor; planes where it is not known do not count.
    """
    weight = np.where(beside, np.nan_to_num(divide(np.ones(len(sigma)), sigma)), 0.0)[:, None]
    share = np.linalg.lstsq(features * weight, np.nan_to_num(spectra) * weight, rcond=None)[0]
    return np.asarray(spectra - features @ share)
