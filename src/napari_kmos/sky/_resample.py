"""Moving spectra along the wavelength by fractions of a pixel, with their noise and their gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Taps of the cardinal cubic spline; it falls by 0.268 a pixel, so that the rest is 1e-5.
_TAPS = {"spline": 18, "linear": 2}
#: An output voxel is data if this part of its weight falls on data.
_MIN_WEIGHT = 0.8
_POLE = np.sqrt(3.0) - 2.0


class WaveResampler:
    """Interpolate spectra at other positions along their axis.

    Parameters
    ----------
    positions : ndarray, shape (n,)
        Where, in pixels of the input, each output pixel lies.
    kind : str
        ``"spline"`` (cubic) or ``"linear"``.
    """

    def __init__(self, positions: NDArray[np.float64], kind: str = "spline") -> None:
        n, taps = positions.size, _TAPS[kind]
        first = np.floor(positions).astype(int) - taps // 2 + 1
        index = first[:, None] + np.arange(taps)
        weights = (_cardinal_spline if kind == "spline" else _hat)(positions[:, None] - index)
        rows = np.repeat(np.arange(n), taps)
        columns = np.clip(index, 0, n - 1).ravel()
        self._weights = sparse.csr_array((weights.ravel(), (rows, columns)), shape=(n, n))
        self._outside = (positions < -0.5) | (positions > n - 0.5)
        self.is_identity = bool(np.all(positions == np.arange(n)))

    def flux(self, spectra: NDArray[np.float64]) -> NDArray[np.float64]:
        """Interpolate along the first axis; NaN where too much of the weight falls on gaps or outside."""
        if self.is_identity:
            return spectra
        flat = spectra.reshape(spectra.shape[0], -1)
        result = self._weights @ fill_gaps(flat)
        result[~self._is_data(np.isfinite(flat))] = np.nan
        return np.asarray(result.reshape(spectra.shape))

    def variance(self, variance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Propagate the variance of independent pixels along the first axis: squared weights."""
        if self.is_identity:
            return variance
        flat = variance.reshape(variance.shape[0], -1)
        return np.asarray((self._weights.power(2) @ fill_gaps(flat)).reshape(variance.shape))

    def _is_data(self, finite: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where enough of the weight falls on data."""
        if finite.all():
            return np.broadcast_to(~self._outside[:, None], finite.shape)
        weights = abs(self._weights)
        share = (weights @ finite.astype(float)) / weights.sum(axis=1)[:, None]
        return np.asarray((share >= _MIN_WEIGHT) & ~self._outside[:, None])


def fill_gaps(spectra: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return spectra, shape (n, m), with NaN interpolated linearly along the first axis; all NaN stays."""
    filled = np.array(spectra, dtype=float)
    index = np.arange(len(filled))
    for column in np.flatnonzero(np.isnan(filled).any(axis=0)):
        known = np.isfinite(filled[:, column])
        if known.any():
            filled[:, column] = np.interp(index, index[known], filled[known, column])
    return filled


def shifted(spectrum: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Return a spectrum without gaps moved by ``shift`` pixels towards larger indices, by a cubic spline."""
    return np.asarray(ndimage.shift(spectrum, shift, order=3, mode="mirror"))


def _hat(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of linear interpolation at distance ``x``."""
    return np.maximum(0.0, 1.0 - np.abs(x))


def _cardinal_spline(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weight of cubic spline interpolation at distance ``x``: 1 at 0, 0 at the other integers."""
    around = np.arange(-2, 3)
    nearest = np.rint(x)
    # cardinal(x) = sum over j of sqrt(3) pole^|j| B(x - j), of which B is non-zero for |x - j| < 2 only
    shifts = nearest[..., None] + around
    values = np.sqrt(3.0) * _POLE ** np.abs(shifts) * _b_spline(x[..., None] - shifts)
    return np.asarray(values.sum(axis=-1))


def _b_spline(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cubic B-spline."""
    distance = np.abs(x)
    inner = 2.0 / 3.0 - distance**2 + 0.5 * distance**3
    outer = np.maximum(0.0, 2.0 - distance) ** 3 / 6.0
    return np.where(distance < 1, inner, outer)
