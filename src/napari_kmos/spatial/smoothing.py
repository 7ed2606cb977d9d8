"""Smoothing of images by a Gaussian of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.fft import dctn, idctn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Diffusion:
    """An image, prepared to be smoothed by Gaussians of many widths.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
        Without NaN.

    Notes
    -----
    Cosines are the eigenvectors of the second difference between mirrored borders: each only fades.
    """

    def __init__(self, image: NDArray[Any]) -> None:
        rates = [1 - np.cos(np.pi * np.arange(size) / size) for size in image.shape]
        self._rate = rates[0][:, None] + rates[1]
        self._image = np.asarray(image, dtype=float)
        self._cosines = dctn(self._image)

    def smoothed(self, variance: float) -> Floats:
        """Return the image smoothed by a variance in pixels squared; smooth in it down to zero, flux kept."""
        if variance == 0:
            return self._image
        return np.asarray(idctn(self._cosines * np.exp(-variance * self._rate)))

    def slope(self, variance: float) -> Floats:
        """Return how the smoothed image changes with the variance."""
        return np.asarray(idctn(-self._rate * self._cosines * np.exp(-variance * self._rate)))


def diffuse(image: NDArray[Any], variance: float) -> Floats:
    """Smooth an image without NaN by a Gaussian of a variance in pixels squared; see `Diffusion`."""
    return Diffusion(image).smoothed(variance)
