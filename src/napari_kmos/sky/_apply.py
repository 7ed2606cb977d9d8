"""The model of the sky, spaxel by spaxel, and its subtraction with the noise."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky._resample import WaveResampler


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class SkyModel:
    """How the sky cube becomes what is subtracted.

    Parameters
    ----------
    resampler : WaveResampler
        Moves the sky to the wavelengths of the object.
    scale : ndarray, shape (n_wavelength,)
        Factor of the lines.
    continuum : ndarray, shape (n_wavelength,)
        Mean continuum of the moved sky, which keeps the factor 1.
    offset : ndarray, shape (n_wavelength,)
        Added everywhere: thermal background of the object minus that of the sky.
    """

    resampler: WaveResampler
    scale: NDArray[np.float64]
    continuum: NDArray[np.float64]
    offset: NDArray[np.float64]

    def flux(self, sky: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the model of spectra or cubes whose first axis is the wavelength: scale (sky - c) + c + offset."""
        extra = (1 - self.scale) * self.continuum + self.offset
        return _column(self.scale, sky) * self.resampler.flux(sky) + _column(extra, sky)

    def variance(self, noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance of the model that comes from the noise of the sky cube."""
        return _column(self.scale, noise) ** 2 * self.resampler.variance(noise**2)


def subtract_model(cube: Cube, sky: Cube, model: SkyModel) -> Cube:
    """Subtract the model from every spaxel; NaN in object or moved sky gives NaN.

    Noise is that of the object and of the scaled sky in quadrature, NaN where the flux is or where it is unknown.
    """
    flux = np.asarray(cube.flux, dtype=float) - model.flux(np.asarray(sky.flux, dtype=float))
    noise = None
    if cube.noise is not None and sky.noise is not None:
        variance = np.asarray(cube.noise, dtype=float) ** 2 + model.variance(np.asarray(sky.noise, dtype=float))
        noise = np.where(np.isfinite(flux), np.sqrt(variance), np.nan).astype(np.float32)
    return dataclasses.replace(
        cube,
        flux=flux.astype(np.float32),
        noise=noise,
        noise_estimated=cube.noise_estimated or sky.noise_estimated,
    )


def _column(values: NDArray[np.float64], like: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values along the first axis, ready to multiply an array of any dimension."""
    return values.reshape(-1, *(1,) * (like.ndim - 1))
