"""The point spread function of a simulated exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Of the Moffat profile.
BETA = 2.8
#: Wavelength at which the seeing is stated.
SEEING_UM = 2.2


def seeing_at(fwhm: float, wavelength_um: ArrayLike) -> NDArray[np.float64]:
    """Return the seeing at other wavelengths than 2.2 micron: proportional to the power -0.2 (Kolmogorov)."""
    return np.asarray(fwhm * (np.asarray(wavelength_um, dtype=float) / SEEING_UM) ** -0.2)


def moffat_images(
    y: NDArray[np.float64], x: NDArray[np.float64], shape: tuple[int, int], *, fwhm_pix: float
) -> NDArray[np.float64]:
    """Return the images of stars of flux 1 in the infinite plane, integrated over the pixels.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Positions in 0-based pixels.
    shape : tuple of int
        (n_y, n_x) of an image.
    fwhm_pix : float
        Full width at half maximum; at least a pixel, so that 3 x 3 points a pixel integrate to about 1e-4.

    Returns
    -------
    ndarray, shape (n, n_y, n_x)
    """
    alpha = fwhm_pix / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    nodes, weights = np.polynomial.legendre.leggauss(3)
    rows = (np.arange(shape[0])[:, None] + nodes / 2).ravel() - y[:, None]
    columns = (np.arange(shape[1])[:, None] + nodes / 2).ravel() - x[:, None]
    squared = (rows[:, :, None] ** 2 + columns[:, None, :] ** 2) / alpha**2
    values = (BETA - 1) / (np.pi * alpha**2) * (1 + squared) ** -BETA
    values = values.reshape(len(y), shape[0], 3, shape[1], 3)
    return np.asarray(np.einsum("nyaxb,a,b->nyx", values, weights / 2, weights / 2))
