"""Cubes and spectra divided by the transmission of the atmosphere."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array, Cube
    from napari_kmos.spectrum import StarSpectrum
    from napari_kmos.telluric.scaling import Correction

    Floats = NDArray[np.float64]


def correct_cube(cube: Cube, correction: Correction) -> Cube:
    """Divide a cube by the transmission of the atmosphere.

    Parameters
    ----------
    cube : Cube
        Shape (n_wavelength, n_y, n_x), in memory or lazy; it is not modified, and a lazy one stays lazy, in its pieces.
    correction : Correction
        On its planes.

    Returns
    -------
    Cube
        In the same unit, NaN where the transmission is. Its noise, if it has any, is that of the cube and of the
        transmission in quadrature; the latter is common to all spaxels, which sums over them must know.
    """
    through = correction.transmission.astype(np.float32)
    factor, relative = (
        _along(np.float32(1) / through, cube.flux),
        _along(correction.relative_noise.astype(np.float32), cube.flux),
    )
    flux = cube.flux * factor
    noise = None if cube.noise is None else np.hypot(cube.noise * factor, flux * relative)
    return dataclasses.replace(cube, flux=flux, noise=noise, source="")


def correct_spectrum(spectrum: StarSpectrum, correction: Correction) -> StarSpectrum:
    """Divide a spectrum, with its sky, by the transmission of the atmosphere; noise and NaN as in `correct_cube`."""
    through = correction.transmission
    flux = spectrum.flux / through
    noise = np.hypot(spectrum.noise / through, np.where(spectrum.mask, 0, flux) * correction.relative_noise)
    mask = spectrum.mask | ~np.isfinite(through)
    return dataclasses.replace(spectrum, flux=flux, noise=noise, sky=spectrum.sky / through, mask=mask)


def scale_cube(cube: Cube, factor: Floats) -> Cube:
    """Multiply flux and noise of a cube by a factor for each plane, lazily; NaN makes a plane without data."""
    along = _along(factor.astype(np.float32), cube.flux)
    flux = cube.flux * along
    noise = None if cube.noise is None else cube.noise * along
    return dataclasses.replace(cube, flux=flux, noise=noise, source="")


def _along(values: NDArray[np.float32], array: Array) -> Any:
    """Return values of the planes to be combined with a cube, in pieces like its own."""
    if isinstance(array, np.ndarray):
        return values[:, None, None]
    return da.from_array(values, chunks=array.chunks[0])[:, None, None]


def scale_spectrum(spectrum: StarSpectrum, factor: Floats) -> StarSpectrum:
    """Multiply flux, noise and sky of a spectrum by a factor for each plane; NaN masks it."""
    return dataclasses.replace(
        spectrum,
        flux=spectrum.flux * factor,
        noise=spectrum.noise * factor,
        sky=spectrum.sky * factor,
        mask=spectrum.mask | ~np.isfinite(factor),
    )
