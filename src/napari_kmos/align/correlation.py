"""Whole-pixel shifts between two images with missing pixels, by normalised cross-correlation.

Reference: Padfield (2012), IEEE Transactions on Image Processing 21, 2706 (masked normalised cross-correlation).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SOFTENING_NOISE = 3.0
_SOFTENING_PEAK = 0.02
_FEWEST_PIXELS = 9.0
#: Part of its power in the whole image that one must have in an overlap; less is rounding.
_LEAST_POWER = 1e-9


def stretch(image: Floats, noise: Floats) -> Floats:
    """Compress the range of an image so that faint stars count beside bright ones; NaN stays."""
    low, high = np.nanpercentile(image, [25, 99])
    softening = max(_SOFTENING_NOISE * float(np.nanmedian(noise)), _SOFTENING_PEAK * (high - low), np.finfo(float).tiny)
    return np.asarray(np.arcsinh((image - low) / softening))


def correlate(first: Floats, second: Floats, *, reach: int, min_overlap: float) -> Floats:
    """Correlate two images over all whole-pixel shifts.

    Parameters
    ----------
    first, second : ndarray, shape (n_y, n_x)
        NaN is no data.
    reach : int
        Largest shift in each axis.
    min_overlap : float
        Smallest part of the pixels of the smaller image that must overlap.

    Returns
    -------
    ndarray, shape (2 * reach + 1, 2 * reach + 1)
        Correlation coefficient of ``first[y, x]`` with ``second[y + dy, x + dx]`` at ``[dy + reach, dx + reach]``; NaN
        where the overlap is too small or an image is constant in it.
    """
    ok = [np.isfinite(image) for image in (first, second)]
    needed = max(_FEWEST_PIXELS, min_overlap * min(one.sum() for one in ok))
    images = [
        np.where(mask, image - (image[mask].mean() if mask.any() else 0.0), 0.0)
        for image, mask in zip((first, second), ok, strict=True)
    ]
    number, sum_a, sum_b, sum_a2, sum_b2, sum_ab = _overlap_sums(ok, images, reach)
    number = np.maximum(np.rint(number), 1.0)
    power_a, power_b = sum_a2 - sum_a**2 / number, sum_b2 - sum_b**2 / number
    enough = number >= needed
    for power, image in zip((power_a, power_b), images, strict=True):
        enough &= power > _LEAST_POWER * np.sum(image**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(enough, (sum_ab - sum_a * sum_b / number) / np.sqrt(power_a * power_b), np.nan)


def best_shifts(correlation: Floats, number: int) -> list[tuple[int, int]]:
    """Return the shifts (dy, dx) of the highest local maxima, best first."""
    reach = correlation.shape[0] // 2
    values = np.where(np.isfinite(correlation), correlation, -np.inf)
    padded = np.pad(values, 1, constant_values=-np.inf)
    shape = values.shape
    around = [padded[dy : dy + shape[0], dx : dx + shape[1]] for dy in range(3) for dx in range(3)]
    peaks = np.argwhere((values >= np.max(around, axis=0)) & np.isfinite(values))
    order = np.argsort(-values[peaks[:, 0], peaks[:, 1]], kind="stable")[:number]
    return [(int(dy) - reach, int(dx) - reach) for dy, dx in peaks[order]]


def _overlap_sums(ok: list[NDArray[np.bool_]], images: list[Floats], reach: int) -> Floats:
    """Return sums over the overlap at each shift: pixels, values of each, their squares, and products."""
    n_y, n_x = images[0].shape
    size = [next_fast_len(length + reach, real=True) for length in (n_y, n_x)]
    (mask_a, a, a2), (mask_b, b, b2) = (
        rfft2(np.stack([mask, image, image**2]), s=size) for mask, image in zip(ok, images, strict=True)
    )
    pairs = ((mask_a, mask_b), (a, mask_b), (mask_a, b), (a2, mask_b), (mask_a, b2), (a, b))
    sums = irfft2(np.stack([one.conj() * other for one, other in pairs]), s=size)
    shifts = np.arange(-reach, reach + 1)
    return np.asarray(sums[:, shifts[:, None], shifts])
