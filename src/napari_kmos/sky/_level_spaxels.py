"""Gain, wavelength shift and line width of every spaxel, relative to a mean spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._level_model import spline_columns

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


@dataclass(frozen=True, slots=True, eq=False)
class MeanLines:
    """Lines of which those of the spaxels are variants.

    Parameters
    ----------
    derivatives : ndarray, shape (5, n_planes)
        Of `LineSpread.spectra`.
    sigma_pix : float
        Sigma of the line spread function in planes.
    starlight : ndarray, shape (n_planes, n), optional
        Spectra of stars that a spaxel may have, each about once.
    """

    derivatives: Floats
    sigma_pix: float
    starlight: Floats | None = None

    def of_spaxels(self, values: Floats) -> Floats:
        """Return the lines of each spaxel, shape (n_planes, n_spaxels): a series to second order in shift and width."""
        gain, shift, width = 1 + values[0], values[1], values[2]
        # Twice by shift is by width over sigma squared.
        second = width + 0.5 * (shift / self.sigma_pix) ** 2
        series = [np.ones_like(shift), shift, second, shift * width, 0.5 * width**2]
        return np.asarray(self.derivatives.T @ (np.stack(series) * gain))


class _Smooth:
    """What lies beside the lines in a spaxel, by typical weights of the planes: a smooth continuum and starlight."""

    def __init__(self, weight: Floats, starlight: Floats | None, n_knots: int) -> None:
        columns = spline_columns(weight.size, n_knots)
        expected = np.zeros(columns.shape[1])
        if starlight is not None:
            columns = np.column_stack([columns, starlight])
            expected = np.concatenate([expected, np.ones(starlight.shape[1])])
        root = np.sqrt(weight)[:, None]
        both = np.vstack([columns * root, np.diag(expected)])
        inside = np.linalg.qr(both)[0][: weight.size]
        self._analysis = inside * root
        self._synthesis = np.where(root > 0, inside / np.where(root > 0, root, 1.0), 0.0)

    def without(self, spectra: Floats) -> Floats:
        """Return spectra, shape (n_planes, n), without it."""
        return np.asarray(spectra - self._synthesis @ (self._analysis.T @ spectra))


def fit_spaxels(flux: Floats, noise: Floats, lines: MeanLines, prior: SpaxelTerms, p: SkyParameters) -> SpaxelTerms:
    """Fit gain, shift and width of each spaxel beside a smooth continuum and starlight.

    Parameters
    ----------
    flux, noise : ndarray, shape (n_planes, n_spaxels)
        Spectra and 1 sigma; NaN in either is no data.
    lines : MeanLines
        Mean lines.
    prior : SpaxelTerms
        What is expected, and how well.
    p : SkyParameters
        Knots, rounds, rejection.
    """
    known = np.isfinite(flux) & np.isfinite(noise)
    weight = np.zeros(flux.shape)
    np.divide(1.0, noise**2, out=weight, where=known & (noise > 0))
    smooth = _Smooth(weight.mean(axis=1), lines.starlight, p.spaxel_knots)
    slopes = smooth.without(lines.derivatives[:3].T)
    products = (slopes[:, :, None] * slopes[:, None, :]).reshape(len(flux), 9)
    expected = np.linalg.inv(prior.covariance)
    values, covariance = prior.values, prior.covariance
    for _ in range(p.spaxel_rounds):
        left = np.where(known, flux - lines.of_spaxels(values), 0.0)
        left, weight = _without_outliers(left, weight, smooth, p.voxel_clip)
        covariance = np.linalg.inv((products.T @ weight).T.reshape(-1, 3, 3) + expected)
        gradient = slopes.T @ (weight * left) - np.einsum("sij,js->is", expected, values - prior.values)
        values = values + np.einsum("sij,js->is", covariance, gradient)
    return SpaxelTerms(values, covariance)


def _without_outliers(left: Floats, weight: Floats, smooth: _Smooth, clip: float) -> tuple[Floats, Floats]:
    """Return spectra without what is smooth in them, and weights that are zero where they are far off."""
    clean = smooth.without(left)
    outlying = np.abs(clean) * np.sqrt(weight) > clip
    if not outlying.any():
        return clean, weight
    clean = smooth.without(np.where(outlying, left - clean, left))
    return clean, np.where(outlying, 0.0, weight)
