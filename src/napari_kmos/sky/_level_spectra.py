"""Object and sky as spectra of spaxels, their means, and the dark spaxels of the object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_kmos.errors import SkyError
from napari_kmos.spectral.nan import divide, nan_median, robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

#: A spaxel is used if this part of the planes that have data at all is data.
_LEAST_DATA = 0.5
#: Rounds in which dark spaxels with stars are left out, and the share of the dark ones that must remain.
_STAR_ROUNDS, _LEAST_DARK = 10, 0.25
#: Rounds of the continuum.
_CONTINUUM_ROUNDS = 3


@dataclass(frozen=True, slots=True, eq=False)
class SpaxelSpectra:
    """The spaxels of a cube that are used, as columns.

    Parameters
    ----------
    flux, noise : ndarray, shape (n_planes, n_spaxels)
        NaN is no data.
    used : ndarray of bool, shape (n_y, n_x)
        Where they lie.
    """

    flux: Floats
    noise: Floats
    used: NDArray[np.bool_]

    def image(self, values: Floats) -> Floats:
        """Return values of the spaxels as an image, NaN elsewhere."""
        image = np.full(self.used.shape, np.nan)
        image[self.used] = values
        return image


def gather_spectra(cube: Cube, used: NDArray[np.bool_]) -> SpaxelSpectra:
    """Return the spectra of some spaxels."""
    if cube.noise is None:
        msg = f"{cube.label}: has no noise; estimate it first"
        raise SkyError(msg)
    flux, noise = (np.asarray(array)[:, used].astype(float) for array in (cube.flux, cube.noise))
    return SpaxelSpectra(flux, noise, used)


def spaxels_with_data(cube: Cube) -> NDArray[np.bool_]:
    """Return the spaxels in which enough planes have data."""
    finite = np.isfinite(np.asarray(cube.flux))
    n_planes = np.count_nonzero(finite.any(axis=(1, 2)))
    return np.asarray(np.count_nonzero(finite, axis=0) >= max(1, _LEAST_DATA * n_planes))


def dark_spaxels(white: Floats, share: float, p: SkyParameters) -> NDArray[np.bool_]:
    """Return which spaxels of a white light, shape (n,), show sky: the darkest, without those that stand out of them.

    What stands out is told by the scatter of the darker half of the share that is looked at, so that stars do not hide
    in it. Spaxels without a value are not taken.
    """
    order = np.argsort(white)[: np.count_nonzero(np.isfinite(white))]
    chosen = order[: max(1, round(share * order.size))]
    least = max(1, round(_LEAST_DARK * chosen.size))
    for _ in range(_STAR_ROUNDS):
        light = white[chosen]
        middle = float(np.median(light))
        below = light[light <= middle] - middle
        sigma = robust_sigma(np.concatenate([below, -below]))
        kept = chosen[light <= middle + p.star_sigma * sigma]
        if kept.size in (chosen.size, 0) or kept.size < least:
            break
        chosen = kept
    mask = np.zeros(white.size, dtype=bool)
    mask[chosen] = True
    return mask


def low_continuum(spectrum: Floats, p: SkyParameters) -> Floats:
    """Return what lies below the lines of a spectrum without gaps: a running low percentile, smoothed.

    Where lines stand close it must not take their wings, which change with the lines. On a slope a low percentile lies
    too low; taken again from what is left it does not.
    """
    below = np.zeros(spectrum.size)
    for _ in range(_CONTINUUM_ROUNDS):
        low = ndimage.percentile_filter(
            spectrum - below, p.continuum_percentile, size=p.continuum_width, mode="nearest"
        )
        below += ndimage.uniform_filter1d(low, p.continuum_width, mode="nearest")
    return below


def robust_mean(flux: Floats, noise: Floats, clip: float) -> tuple[Floats, Floats]:
    """Return mean and error of the spaxels at each plane without outliers; NaN without data.

    The scatter that tells outliers is that of the spaxels, which differ by more than their noise. What they differ by
    everywhere, such as starlight, is put aside first: it must not decide from plane to plane which spaxels count.
    """
    own = nan_median(flux)
    own = np.where(np.isfinite(own), own - np.nanmean(own), 0.0) if np.isfinite(own).any() else np.zeros(own.size)
    level = flux - own
    middle = nan_median(level.T)
    distance = np.abs(level - middle[:, None])
    limit = clip * np.maximum(1.4826 * nan_median(distance.T), np.finfo(np.float32).eps * np.abs(middle))
    kept = distance <= limit[:, None]
    number = np.count_nonzero(kept, axis=1)
    mean = divide(np.where(kept, level, 0.0).sum(axis=1), number)
    error = divide(np.sqrt(np.sum(np.where(kept & np.isfinite(noise), noise, 0.0) ** 2, axis=1)), number)
    return np.where(number > 0, mean, middle), error
