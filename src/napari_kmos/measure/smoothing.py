"""Spectra smoothed along the wavelength, each plane by its weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_FWHM = 2.354820045
#: The kernel reaches so many sigma.
_REACH = 4.0


def smooth_spectrum(
    flux: ArrayLike, noise: ArrayLike | None = None, *, fwhm_pix: float = 3.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smooth a spectrum by a Gaussian, each plane weighted by the inverse square of its noise.

    Parameters
    ----------
    flux : array_like of float, shape (n_wavelength,)
        NaN is no data: it has no part in its neighbours, and stays NaN.
    noise : array_like of float, same shape, optional
        1 sigma; a plane without has no weight. Noise that is known nowhere is as none: then all planes weigh alike.
    fwhm_pix : float
        Full width at half maximum in planes.

    Returns
    -------
    tuple of ndarray, shape (n_wavelength,)
        Flux, and the noise of independent planes; neighbours are correlated then. NaN without data; the noise also
        where none is known.

    Raises
    ------
    KmosError
        If the width is not positive.
    """
    if not fwhm_pix > 0:
        msg = f"smoothing over {fwhm_pix:g} planes; expected a positive number"
        raise KmosError(msg)
    values = np.asarray(flux, dtype=float)
    sigma = np.full(values.shape, np.nan) if noise is None else np.asarray(noise, dtype=float)
    known = np.isfinite(sigma) & (sigma > 0)
    there = np.isfinite(values) & (known if known.any() else True)
    weight = np.zeros(values.shape)
    weight[there] = sigma[there] ** -2.0 if known.any() else 1.0
    kernel = _kernel(fwhm_pix)
    total = _convolved(weight, kernel)
    with np.errstate(divide="ignore", invalid="ignore"):
        smooth = _convolved(weight * np.where(there, values, 0.0), kernel) / total
        error = np.sqrt(_convolved(weight, kernel**2)) / total
    return np.where(there, smooth, np.nan), np.where(there & known, error, np.nan)


def _kernel(fwhm_pix: float) -> NDArray[np.float64]:
    sigma = fwhm_pix / _FWHM
    reach = max(1, round(_REACH * sigma))
    return np.asarray(np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2))


def _convolved(values: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convolution of the length of the values, however long the kernel."""
    full = np.convolve(values, kernel)
    return full[kernel.size // 2 :][: values.size]
