"""Gain, wavelength shift and line width of every spaxel, relative to a mean spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._level_fit import spline_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SpaxelTerms:
    """How the lines of each spaxel differ from those of the mean.

    Parameters
    ----------
    values : ndarray, shape (3, n_spaxels)
        Gain - 1, shift in planes, logarithm of the width.
    covariance : ndarray, shape (n_spaxels, 3, 3)
        Their errors.
    """

    values: Floats
    covariance: Floats

    def relative_to(self, chosen: NDArray[np.bool_]) -> SpaxelTerms:
        """Return the same with the mean of some spaxels as zero."""
        return SpaxelTerms(self.values - self.values[:, chosen].mean(axis=1, keepdims=True), self.covariance)


def spaxel_lines(derivatives: Floats, values: Floats, sigma_pix: float) -> Floats:
    """Return the lines of each spaxel, shape (n_planes, n_spaxels): a series in shift and width to second order.

    Parameters
    ----------
    derivatives : ndarray, shape (5, n_planes)
        Of `LineSpread.spectra`.
    values : ndarray, shape (3, n_spaxels)
        Gain - 1, shift, width.
    sigma_pix : float
        Sigma of the line spread function.
    """
    gain, shift, width = 1 + values[0], values[1], values[2]
    # Twice by shift is by width over sigma squared.
    series = [np.ones_like(shift), shift, width + 0.5 * (shift / sigma_pix) ** 2, shift * width, 0.5 * width**2]
    return derivatives.T @ (np.stack(series) * gain)


def fit_spaxels(
    flux: Floats, noise: Floats, derivatives: Floats, sigma_pix: float, prior: SpaxelTerms, p: SkyParameters
) -> SpaxelTerms:
    """Fit gain, shift and width of each spaxel beside a smooth continuum.

    Parameters
    ----------
    flux, noise : ndarray, shape (n_planes, n_spaxels)
        Spectra and 1 sigma; NaN in either is no data.
    derivatives : ndarray, shape (5, n_planes)
        Mean lines and their derivatives.
    sigma_pix : float
        Sigma of the line spread function in planes.
    prior : SpaxelTerms
        What is expected, and how well.
    p : SkyParameters
        Knots, rounds, rejection.
    """
    known = np.isfinite(flux) & np.isfinite(noise)
    inverse = np.zeros(flux.shape)
    np.divide(1.0, noise**2, out=inverse, where=known)
    typical = inverse.mean(axis=1)
    splines = spline_columns(len(flux), p.spaxel_knots)
    smooth, _ = np.linalg.qr(splines * np.sqrt(typical)[:, None])
    root = np.sqrt(typical)[:, None]
    inside = np.where(root > 0, 1 / np.where(root > 0, root, 1), 0) * smooth  # weighted by typical, orthonormal

    def without_continuum(spectra: Floats) -> Floats:
        return np.asarray(spectra - inside @ ((inside * root**2).T @ spectra))

    templates = without_continuum(derivatives[:3].T)
    products = (templates[:, :, None] * templates[:, None, :]).reshape(len(flux), 9)
    expected = np.linalg.inv(prior.covariance)
    values = prior.values.copy()
    covariance = prior.covariance
    for k in range(p.spaxel_rounds):
        left = np.where(known, flux - spaxel_lines(derivatives, values, sigma_pix), 0.0)
        clean = without_continuum(left)
        for _ in range(2 if k == 0 else 1):
            outlying = np.abs(clean) * np.sqrt(inverse) > p.voxel_clip
            filled = np.where(outlying | ~known, left - clean, left)
            clean = without_continuum(filled)
            inverse = np.where(outlying, 0.0, inverse)
        normal = (products.T @ inverse).T.reshape(-1, 3, 3) + expected
        gradient = templates.T @ (inverse * clean) - np.einsum("sij,js->is", expected, values - prior.values)
        covariance = np.linalg.inv(normal)
        values = values + np.einsum("sij,js->is", covariance, gradient)
    return SpaxelTerms(values, covariance)
