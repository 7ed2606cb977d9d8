"""Whole-pixel shifts between two images with missing pixels, by normalised cross-correlation.

Reference: Padfield (2012), IEEE Transactions on Image Processing 21, 2706 (masked normalised cross-correlation); here
by direct sums, as the images are small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SOFTENING_NOISE = 3.0
_SOFTENING_PEAK = 0.02


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
    needed = max(9.0, min_overlap * min(np.isfinite(first).sum(), np.isfinite(second).sum()))
    padded = np.pad(second, reach, constant_values=np.nan)
    size = 2 * reach + 1
    result = np.full((size, size), np.nan)
    for dy in range(size):
        for dx in range(size):
            other = padded[dy : dy + first.shape[0], dx : dx + first.shape[1]]
            both = np.isfinite(first) & np.isfinite(other)
            if both.sum() >= needed:
                result[dy, dx] = _coefficient(first[both], other[both])
    return result


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


def _coefficient(a: Floats, b: Floats) -> float:
    """Correlation coefficient; NaN if one side is constant."""
    a, b = a - a.mean(), b - b.mean()
    power = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / power) if power > 0 else float("nan")
