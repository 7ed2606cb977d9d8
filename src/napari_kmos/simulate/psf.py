"""The point spread function of a simulated exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.spatial import moffat

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
    """Return the images of stars of flux 1 as `spatial.moffat.moffat_images`, with the power of the simulation."""
    return moffat.moffat_images(y, x, shape, fwhm_pix=fwhm_pix, beta=BETA)
