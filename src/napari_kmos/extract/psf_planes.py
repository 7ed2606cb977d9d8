"""Fluxes of all stars of a field in each plane of a cube: one weighted linear solve a plane, many planes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from napari_kmos.extract.field_data import FieldData
    from napari_kmos.extract.psf_fit import BinErrors
    from napari_kmos.extract.psf_model import BandImages

    Floats = NDArray[np.float64]

#: Size of the images that are made at a time.
_BLOCK_BYTES = 4 * 2**20
#: A star with less of its light on data is left out of a plane.
_LEAST_LIGHT = 1e-3
#: Added to the diagonal, of 1. It is more than the rounding of single precision, so that stars at one place share their
#: light and have errors hundreds of times larger, and less than matters to any that can be told apart.
_REGULAR = 1e-5


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlaneFluxes:
    """What the planes of a field tell; NaN where they do not.

    Parameters
    ----------
    flux, variance : ndarray, shape (n_wavelength, n_stars)
        Of the stars, by independent noise, in the units of the field.
    light : ndarray, shape (n_wavelength, n_stars)
        Share of each star's light that falls on data.
    background : ndarray, shape (n_wavelength, n_terms)
        Factors of the images of the background.
    chi2 : float
        Per degree of freedom, of all planes.
    correlation : ndarray, shape (n_stars, n_stars)
        Of the errors of the fluxes, the mean over the planes.
    """

    flux: Floats
    variance: Floats
    light: Floats
    background: Floats
    chi2: float
    correlation: Floats


def solve_planes(data: FieldData, images: BandImages, background: Floats) -> PlaneFluxes:
    """Solve every plane for the fluxes of the stars and the background.

    Parameters
    ----------
    data : FieldData
        Flux and weights.
    images : BandImages
        Of the stars.
    background : ndarray, shape (n_terms, n_pixels)
        Images of the background.

    Notes
    -----
    f = (A^T W A)^-1 A^T W d with covariance (A^T W A)^-1. A plane that cannot be solved is NaN.
    """
    n_stars = images.n_stars
    n_wave, n_pixels = data.flux.shape
    size = max(1, _BLOCK_BYTES // (4 * (n_stars + len(background)) * n_pixels))
    parts = [slice(first, first + size) for first in range(0, n_wave, size)]
    blocks = [
        _solve_block(data.flux[part], data.weights[part], images.at(data.wave_um[part]), background) for part in parts
    ]
    solution, variance, light = (np.concatenate(each) for each in list(zip(*blocks, strict=True))[:3])
    degrees = sum(block.degrees for block in blocks)
    correlation = sum((block.correlation for block in blocks), np.zeros((n_stars, n_stars)))
    return PlaneFluxes(
        flux=solution[:, :n_stars],
        variance=variance[:, :n_stars],
        light=light,
        background=solution[:, n_stars:],
        chi2=sum(block.squares for block in blocks) / degrees if degrees > 0 else float("nan"),
        correlation=correlation / max(sum(block.n_solved for block in blocks), 1),
    )


class _Block(NamedTuple):
    """Some planes: fluxes and background, their variances, light on data; sums over the planes for the rest."""

    solution: Floats
    variance: Floats
    light: Floats
    squares: float
    degrees: int
    correlation: Floats
    n_solved: int


def _solve_block(
    flux: NDArray[np.float32], weights: NDArray[np.float32], stars: NDArray[np.float32], background: Floats
) -> _Block:
    """Solve some planes, given the images of the stars in each, shape (n_planes, n_stars, n_pixels)."""
    n_stars = stars.shape[1]
    light = np.matmul(stars, (weights > 0).astype(np.float32)[:, :, None])[:, :, 0]
    columns = _columns(stars, background)
    weighted = columns * weights[:, None]
    normal = np.matmul(weighted, columns.transpose(0, 2, 1)).astype(float)
    right = np.matmul(weighted, flux[:, :, None])[:, :, 0].astype(float)
    is_wanted = np.ones(right.shape, dtype=bool)
    is_wanted[:, :n_stars] = light > _LEAST_LIGHT
    inverse, is_told = _inverse(normal, is_wanted)
    found = np.einsum("zij,zj->zi", inverse, np.where(is_told, right, 0))
    residual = flux - np.matmul(found[:, None].astype(np.float32), columns)[:, 0]
    diagonal = np.einsum("zii->zi", inverse)
    root = np.sqrt(np.maximum(diagonal, np.finfo(float).tiny))
    correlations = inverse / root[:, :, None] / root[:, None]
    solved = is_told.any(axis=1)
    return _Block(
        solution=np.where(is_told, found, np.nan),
        variance=np.where(is_told, diagonal, np.nan),
        light=light.astype(float),
        squares=float(np.sum((residual * residual * weights)[solved])),
        degrees=int(np.count_nonzero(weights[solved]) - np.count_nonzero(is_told[solved])),
        correlation=correlations[solved, :n_stars, :n_stars].sum(axis=0),
        n_solved=int(np.count_nonzero(solved)),
    )


def whole_variance(fluxes: PlaneFluxes, bins: Sequence[BinErrors], wave_um: Floats) -> tuple[Floats, Floats]:
    """Return the variances with correlated noise and the errors of the point spread function, and the first's factor.

    Returns
    -------
    tuple of ndarray
        Variances, shape (n_wavelength, n_stars), and by how much correlated noise makes those of independent noise
        larger, shape (n_stars,), the mean over the bins. Between bins both are interpolated.
    """
    waves = np.array([one.wave_um for one in bins])
    places = np.interp(wave_um, waves, np.arange(len(bins), dtype=float))
    known = np.nan_to_num(fluxes.flux)
    total = np.zeros_like(fluxes.variance)
    for number, one in enumerate(bins):
        share = np.maximum(1 - np.abs(places - number), 0)
        near = share > 0
        flux = known[near]
        by_parameters = np.stack([np.sum((flux @ matrix) * flux, axis=1) for matrix in one.shares], axis=1)
        total[near] += share[near, None] * (one.inflation * fluxes.variance[near] + np.maximum(by_parameters, 0))
    inflation = np.mean([one.inflation for one in bins], axis=0)
    return total, inflation


def _columns(stars: NDArray[np.float32], background: Floats) -> NDArray[np.float32]:
    """Images of stars and background, shape (n_wavelength, n_columns, n_pixels)."""
    flat = np.broadcast_to(background.astype(np.float32), (len(stars), *background.shape))
    return np.concatenate([stars, flat], axis=1)


def _inverse(normal: Floats, is_wanted: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """Invert the normal matrices; unknowns that are not wanted or without data take no part.

    Returns
    -------
    tuple
        The inverses, shape (n_wavelength, n_columns, n_columns), and which unknowns are told.
    """
    diagonal = np.einsum("zii->zi", normal)
    is_told = is_wanted & (diagonal > 0)
    size = np.sqrt(np.where(is_told, diagonal, 1.0))
    scaled = normal / size[:, :, None] / size[:, None]
    scaled *= is_told[:, :, None] & is_told[:, None]
    scaled += np.eye(normal.shape[1]) * np.where(is_told, _REGULAR, 1.0)[:, None]
    inverse = np.linalg.inv(scaled) / size[:, :, None] / size[:, None]
    return inverse, is_told & (np.einsum("zii->zi", inverse) > 0)
