"""From a cube to an image: median or mean over the wavelengths, never holding a large cube whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from napari_kmos.cube import Image
from napari_kmos.errors import GeometryError
from napari_kmos.lazy import plane_blocks, read_piece, read_spectra, scan_rows
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral.nan import divide, median_in_place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube


def collapse_median(cube: Cube, *, window: u.Quantity | None = None, progress: Progress = silent) -> Image:
    """Take the median over the wavelengths.

    Parameters
    ----------
    cube : Cube
        Arrays of shape (n_wavelength, n_y, n_x), in memory or lazy; a lazy one is read in blocks of rows, in two
        threads that together need less than 300 MB.
    window : Quantity of two wavelengths, optional
        Planes whose centre lies from the first to the second; all by default.
    progress : Progress
        Told each block of rows; may raise `Cancelled`.

    Returns
    -------
    Image
        Computed, shape (n_y, n_x), in the cube's unit. NaN is ignored, without warnings, and is the result where a
        spaxel has no data. It has no noise.

    Raises
    ------
    GeometryError
        If no plane lies in the window.
    """
    planes = plane_range(cube, window)
    data = np.empty(cube.shape[1:], dtype=np.float32)

    def collapse(rows: slice) -> None:
        data[rows] = median_in_place(read_spectra(cube.flux, rows, planes))

    shape = (planes.stop - planes.start, *cube.shape[1:])
    scan_rows(shape, collapse, progress=progress, text=f"white light of {cube.label}")
    return image_of(cube, data, None)


def collapse_mean(cube: Cube, *, window: u.Quantity | None = None) -> Image:
    """Take the mean over the wavelengths, with its noise.

    Parameters
    ----------
    cube : Cube
        Arrays of shape (n_wavelength, n_y, n_x), in memory or lazy; a lazy one is read in blocks of planes.
    window : Quantity of two wavelengths, optional
        Planes whose centre lies from the first to the second; all by default.

    Returns
    -------
    Image
        Computed, shape (n_y, n_x), in the cube's unit. NaN is ignored, without warnings, and is the result where a
        spaxel has no data. Noise is that of independent planes; a plane whose noise is unknown is taken to have the
        mean variance of the others. Without noise in the cube there is none in the image.

    Raises
    ------
    GeometryError
        If no plane lies in the window.
    """
    planes = plane_range(cube, window)
    shape = cube.shape[1:]
    total, variance = np.zeros(shape), np.zeros(shape)
    n_flux, n_noise = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    for block in plane_blocks(cube.flux, planes):
        flux = read_piece(cube.flux, (block,))
        used = np.isfinite(flux)
        total += np.sum(np.where(used, flux, 0), axis=0, dtype=float)
        n_flux += np.count_nonzero(used, axis=0)
        if cube.noise is not None:
            noise = read_piece(cube.noise, (block,)).astype(float)
            used &= np.isfinite(noise)
            variance += np.sum(np.where(used, noise, 0) ** 2, axis=0)
            n_noise += np.count_nonzero(used, axis=0)
    error = None if cube.noise is None else np.sqrt(divide(divide(variance, n_noise), n_flux)).astype(np.float32)
    return image_of(cube, divide(total, n_flux).astype(np.float32), error)


def plane_range(cube: Cube, window: u.Quantity | None) -> slice:
    """Return the planes whose centre lies in a window of two wavelengths; all without a window.

    Raises
    ------
    GeometryError
        If there is none.
    """
    if window is None:
        return slice(0, cube.shape[0])
    first, last = np.sort(np.asarray(u.Quantity(window).to_value(u.um), dtype=float).reshape(2))
    wavelength = cube.wavelength_um
    inside = np.flatnonzero((wavelength >= first) & (wavelength <= last))
    if inside.size == 0:
        msg = (
            f"{cube.label}: no plane between {first:.4f} and {last:.4f} um; "
            f"the cube covers {wavelength[0]:.4f}-{wavelength[-1]:.4f} um"
        )
        raise GeometryError(msg)
    return slice(int(inside[0]), int(inside[-1]) + 1)


def image_of(cube: Cube, data: NDArray[Any], noise: NDArray[Any] | None) -> Image:
    """Return an image of a cube's sky."""
    return Image(
        data=data, noise=noise, wcs=cube.wcs, unit=cube.unit, name=cube.name, ifu=cube.ifu, header=cube.header,
        source=cube.source,
    )  # fmt: skip
