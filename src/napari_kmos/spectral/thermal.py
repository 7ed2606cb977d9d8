"""Thermal emission of telescope and sky as a function of wavelength."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import SkyError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Second radiation constant, micron kelvin.
_HC_K_UM = 14387.7


def planck_shape(wavelength_um: ArrayLike, temperature_k: float) -> NDArray[np.float64]:
    """Return the shape of thermal emission, ``x**-5 / (exp(14387.7 / (x T)) - 1)``, not normalised.

    Parameters
    ----------
    wavelength_um : array
        Wavelengths x in micron, any shape.
    temperature_k : float
        Temperature T in kelvin.

    Raises
    ------
    SkyError
        If a wavelength or the temperature is not positive.
    """
    x = np.asarray(wavelength_um, dtype=float)
    if not (temperature_k > 0 and np.all(x > 0)):
        msg = f"thermal emission needs positive wavelengths and temperature; found {temperature_k} K"
        raise SkyError(msg)
    return np.asarray(x**-5 / np.expm1(_HC_K_UM / (x * temperature_k)), dtype=float)


def thermal_background(
    wavelength_um: ArrayLike, *, offset: float, amplitude: float, temperature_k: float
) -> NDArray[np.float64]:
    """Return ``offset + |amplitude| f / max(f)`` with f of `planck_shape`: a constant and thermal emission.

    Parameters
    ----------
    wavelength_um : array
        Wavelengths in micron.
    offset, amplitude : float
        In the unit of the flux; the amplitude is the emission where it is brightest within these wavelengths.
    temperature_k : float
        Temperature in kelvin.

    Raises
    ------
    SkyError
        As in `planck_shape`.

    Notes
    -----
    The function that Davies (2007, MNRAS 375, 1099) fits between the sky lines.
    """
    shape: NDArray[Any] = planck_shape(wavelength_um, temperature_k)
    return np.asarray(offset + abs(amplitude) * shape / np.max(shape), dtype=float)
