"""Values along the wavelength that are no star's of a cube: facts only, no operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Curve:
    """Values along the wavelength: the spectrum of a standard star, or a response.

    Parameters
    ----------
    name : str
        What to call it.
    wavelength_um : ndarray, shape (n_wavelength,)
        Vacuum, ascending, in micron.
    flux : ndarray, same shape
        NaN is no data.
    noise : ndarray, same shape, optional
        1 sigma.
    ifu : int, optional
        1-24; None where it is of all.
    zero_point : float
        Magnitude of a star that gives 1 per second, on average over its band; NaN where it is not told.
    airmass : float
        Of the observation; NaN where it is not told.

    Raises
    ------
    GeometryError
        If the arrays do not fit together.
    """

    name: str
    wavelength_um: NDArray[np.float64]
    flux: NDArray[np.float64]
    noise: NDArray[np.float64] | None = None
    ifu: int | None = None
    zero_point: float = float("nan")
    airmass: float = float("nan")

    def __post_init__(self) -> None:
        wave = self.wavelength_um
        fits = wave.ndim == 1 and self.flux.shape == wave.shape and wave.size >= 2 and np.all(np.diff(wave) > 0)
        if not fits or (self.noise is not None and self.noise.shape != wave.shape):
            msg = f"{self.name}: wavelengths {wave.shape}, values {self.flux.shape}; expected as many, ascending"
            raise GeometryError(msg)
