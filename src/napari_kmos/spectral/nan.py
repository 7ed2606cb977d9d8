"""Statistics that ignore NaN, silently and fast: no data anywhere gives NaN, not a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.lazy import spectra_first

if TYPE_CHECKING:
    from numpy.typing import NDArray


def nan_median(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the median over the first axis of the finite values; NaN where there is none."""
    if len(values) == 0:
        return np.full(values.shape[1:], np.nan)
    return median_in_place(spectra_first(values))


def median_in_place(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the median over the last axis of the finite values; NaN where there is none. The values lose their order.

    NaN is last in any order, so that the middle of the finite part is known by their number: columns with the same
    number are partitioned together. One position at a time: numpy has vector instructions for that, not for two.
    """
    columns = values.reshape(-1, values.shape[-1])
    columns[columns == -np.inf] = np.nan
    n_finite = np.count_nonzero(np.isfinite(columns), axis=-1)
    medians = np.full(len(columns), np.nan)
    for number in np.unique(n_finite[n_finite > 0]):
        same = n_finite == number
        group = columns if same.all() else columns[same]
        half = int(number) // 2
        group.partition(half, axis=-1)
        high = group[:, half].astype(float)
        medians[same] = high if number % 2 else 0.5 * (group[:, :half].max(axis=-1) + high)
    return medians.reshape(values.shape[:-1])


def nan_mean(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean over the first axis of the finite values; NaN where there is none."""
    used = np.isfinite(values)
    return divide(np.sum(np.where(used, values, 0), axis=0, dtype=float), np.count_nonzero(used, axis=0))


def divide(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Divide; NaN where the denominator is zero."""
    top = np.asarray(numerator, dtype=float)
    return np.asarray(np.divide(top, denominator, out=np.full(top.shape, np.nan), where=np.asarray(denominator) != 0))


def robust_sigma(values: NDArray[Any]) -> float:
    """Return 1.4826 times the median absolute deviation of the finite values; NaN if there is none."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    return float(1.4826 * np.median(np.abs(finite - np.median(finite)))) if finite.size else float("nan")
