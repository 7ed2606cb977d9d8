"""Which spaxels show sky, and the mean spectra of object and sky over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.errors import SkyError
from napari_kmos.spectral.nan import nan_mean, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

_MODE_CLIP = 3.0
_MODE_ITERATIONS = 20


def clipped_mode(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return mode and sigma of finite values after clipping: 3 median - 2 mean, as DAOPHOT estimates a sky level."""
    kept = values[np.isfinite(values)]
    for _ in range(_MODE_ITERATIONS):
        median, sigma = float(np.median(kept)), float(np.std(kept))
        inside = kept[np.abs(kept - median) <= _MODE_CLIP * sigma]
        if inside.size == kept.size or inside.size == 0:
            break
        kept = inside
    return 3 * float(np.median(kept)) - 2 * float(np.mean(kept)), float(np.std(kept))


def sky_spaxels(flux: NDArray[np.float64], sky: NDArray[np.float64], p: SkyParameters) -> NDArray[np.bool_]:
    """Return the mask of the spaxels of the object cube that show sky.

    A spaxel is good if half the planes that have data at all are finite in object and sky, and if it is not at the
    edge of the good ones. The good spaxels with the largest fraction of dark voxels are taken: all that reach
    ``min_frac``, but not fewer than ``min_spaxels`` and not more than ``max_spaxels`` of the good ones. Equal
    fractions are told apart by the mean flux.
    """
    good = _good_spaxels(np.isfinite(flux) & np.isfinite(sky))
    finite = np.isfinite(flux)
    mode, sigma = clipped_mode(flux[:, good])
    dark = np.count_nonzero(finite & (flux < mode + p.mask_sigma * sigma), axis=0)
    fraction = np.where(good, dark / np.maximum(np.count_nonzero(finite, axis=0), 1), -1.0)
    n_good = np.count_nonzero(good)
    least = int(np.ceil(p.min_spaxels * n_good))
    n_sky = np.clip(np.count_nonzero(fraction >= p.min_frac), least, max(least, int(p.max_spaxels * n_good)))
    order = np.lexsort((np.nan_to_num(nan_mean(flux), nan=np.inf).ravel(), -fraction.ravel()))
    mask = np.zeros(good.size, dtype=bool)
    mask[order[:n_sky]] = True
    return mask.reshape(good.shape)


def _good_spaxels(finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Spaxels with enough data, without the edge ones unless only those are there."""
    n_planes = np.count_nonzero(finite.any(axis=(1, 2)))
    good: NDArray[np.bool_] = np.count_nonzero(finite, axis=0) >= max(1, n_planes / 2)
    if not good.any():
        msg = "no spaxel has data in both the object and the sky; give a sky cube that covers the object's field"
        raise SkyError(msg)
    inner: NDArray[np.bool_] = ndimage.binary_erosion(good, np.ones((3, 3)))
    return inner if inner.any() else good


def mean_spectrum(flux: NDArray[np.float64], mask: NDArray[np.bool_], clip_sigma: float) -> NDArray[np.float64]:
    """Return the mean over the mask of each plane, after one rejection about the median; NaN without data."""
    spaxels = flux[:, mask].T
    centre = nan_median(spaxels)
    spread = np.sqrt(nan_mean((spaxels - nan_mean(spaxels)) ** 2))
    kept = np.abs(spaxels - centre) <= clip_sigma * spread
    return nan_mean(np.where(kept, spaxels, np.nan))
