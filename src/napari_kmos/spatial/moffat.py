"""Images of point sources with a Moffat profile, integrated over the pixels, and their derivatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Shape = tuple[int, int]

#: Points of Gauss-Legendre integration along each side of a pixel.
_POINTS = 3


class MoffatSlopes(NamedTuple):
    """Images of stars of flux 1 and their derivatives, each of shape (n, n_y, n_x)."""

    images: Floats
    by_y: Floats
    by_x: Floats
    by_ln_fwhm: Floats
    by_beta: Floats


def moffat_images(y: Floats, x: Floats, shape: Shape, *, fwhm_pix: float, beta: float) -> Floats:
    """Return the images of stars of flux 1 in the infinite plane, integrated over the pixels.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Positions in 0-based pixels; they may lie outside the image.
    shape : tuple of int
        (n_y, n_x) of an image.
    fwhm_pix : float
        Full width at half maximum; at least a pixel, so that 3 x 3 points a pixel integrate to about 1e-4.
    beta : float
        Power of the profile (1 + r^2 / a^2)^-beta; more than 1.

    Returns
    -------
    ndarray, shape (n, n_y, n_x)
    """
    core = _core(fwhm_pix, beta)
    *_, squared = _distances(y, x, shape, core)
    return _integrated((beta - 1) / (np.pi * core) * (1 + squared) ** -beta, shape)


def moffat_slopes(y: Floats, x: Floats, shape: Shape, *, fwhm_pix: float, beta: float) -> MoffatSlopes:
    """Return the same images with their derivatives by position, logarithm of the width and power.

    Parameters
    ----------
    y, x, shape, fwhm_pix, beta
        As in `moffat_images`.
    """
    core = _core(fwhm_pix, beta)
    rows, columns, squared = _distances(y, x, shape, core)
    logs = np.log1p(squared)
    values = (beta - 1) / (np.pi * core) * np.exp(-beta * logs)
    falling = values * beta / (1 + squared)
    by_ln_core = falling * squared - values
    width = 2 ** (1 / beta)
    ln_core_by_beta = width * np.log(2) / beta**2 / (width - 1)
    slopes = (
        values,
        falling * (2 / core) * rows,
        falling * (2 / core) * columns,
        2 * by_ln_core,
        values / (beta - 1) - values * logs + by_ln_core * ln_core_by_beta,
    )
    return MoffatSlopes(*(_integrated(each, shape) for each in slopes))


def _core(fwhm_pix: float, beta: float) -> float:
    """Square of the core radius."""
    return float(fwhm_pix**2 / 4 / (2 ** (1 / beta) - 1))


def _distances(y: Floats, x: Floats, shape: Shape, core: float) -> tuple[Floats, Floats, Floats]:
    """Distance of the points of integration from each star along y and x, and its square in units of the core."""
    points = np.polynomial.legendre.leggauss(_POINTS)[0] / 2
    rows = ((np.arange(shape[0])[:, None] + points).ravel() - y[:, None])[:, :, None]
    columns = ((np.arange(shape[1])[:, None] + points).ravel() - x[:, None])[:, None, :]
    return rows, columns, (rows**2 + columns**2) / core


def _integrated(values: Floats, shape: Shape) -> Floats:
    """Sum the points of each pixel with their weights."""
    weights = np.polynomial.legendre.leggauss(_POINTS)[1][:, None] / 2
    along_y, along_x = (np.kron(np.eye(length), weights) for length in shape)
    return np.asarray(along_y.T @ (values @ along_x))
