"""What the spectra of the stars in a field have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage, sparse

from napari_kmos.sky._level_model import spline_columns
from napari_kmos.sky._resample import fill_gaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._level_spectra import SpaxelSpectra
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]

#: A single plane of a spectrum is wrong if it differs from the median of so many by more than noise and this share of
#: the star: lines of stars are broader.
_ABOUT, _SHARE = 5, 0.2


def star_templates(spaxels: SpaxelSpectra, sigma: Floats, p: SkyParameters) -> Floats:
    """Return the spectra that make up most of the light of some spaxels without sky, shape (n_planes, n_templates).

    Singular vectors of what is not smooth, each as bright as in these spaxels: rms. That tells how much of it to expect
    elsewhere, so that noise, or sky lines left because of a wrong gain, are hardly taken for starlight. The features of
    faint stars drown in the noise of single planes: the spectra are smoothed.

    Parameters
    ----------
    spaxels : SpaxelSpectra
        Spectra of the spaxels without sky.
    sigma : ndarray, shape (n_planes,)
        Noise at each plane up to a factor, infinite without data.
    p : SkyParameters
        Number of templates, smoothing, knots of the continuum.
    """
    known = np.isfinite(sigma)
    light = _smoothed(_without_wrong(spaxels, p)[known], sigma[known], p.star_smoothing)
    weighted = light / sigma[known, None]
    smooth, _ = np.linalg.qr(spline_columns(sigma.size, p.fit_knots)[known] / sigma[known, None])
    weighted -= smooth @ (smooth.T @ weighted)
    found = _components(weighted, p.star_templates)
    templates = np.zeros((sigma.size, found.shape[1]))
    templates[known] = found * sigma[known, None]
    return templates


def star_features(continuum: Floats, p: SkyParameters) -> sparse.csr_array:
    """Return narrow splines, each as large as features of starlight may be, shape (n_planes, n_features).

    Parameters
    ----------
    continuum : ndarray, shape (n_planes,)
        Starlight.
    p : SkyParameters
        Depth of features, and planes from one spline to the next.
    """
    n_knots = max(2, round(continuum.size / p.star_knot_planes))
    depth = p.star_features * abs(float(np.median(continuum)))
    return sparse.csr_array(spline_columns(continuum.size, n_knots) * depth)


def star_continua(flux: Floats, p: SkyParameters) -> Floats:
    """Return the same with what is smooth in it, shape (n_planes, n_continua), the brightest first.

    Parameters
    ----------
    flux : ndarray, shape (n_planes, n_spaxels)
        Spectra of spaxels without sky; NaN is no data.
    p : SkyParameters
        Number of spectra, smoothing.
    """
    light = ndimage.median_filter(fill_gaps(flux), (_ABOUT, 1), mode="nearest")
    return _components(ndimage.gaussian_filter1d(light, p.star_smoothing, axis=0), p.star_continua)


def _components(spectra: Floats, number: int) -> Floats:
    """Return the singular vectors that make up most of some spectra, each as bright as in these: rms."""
    vectors, values, _ = np.linalg.svd(spectra, full_matrices=False)
    return np.asarray(vectors[:, :number] * values[:number] / np.sqrt(spectra.shape[1]))


def _without_wrong(spaxels: SpaxelSpectra, p: SkyParameters) -> Floats:
    """Return spectra without gaps, with running medians in place of single planes that no star could have."""
    flux = fill_gaps(spaxels.flux)
    about = ndimage.median_filter(flux, (_ABOUT, 1), mode="nearest")
    noise = np.where(np.isfinite(spaxels.noise), spaxels.noise, 0.0)
    limit = p.voxel_clip * noise + _SHARE * np.abs(np.median(flux, axis=0))
    return np.where(np.abs(flux - about) > limit, about, flux)


def _smoothed(flux: Floats, sigma: Floats, width: float) -> Floats:
    """Return spectra after a running mean by a Gaussian of some planes, with weights by their noise."""
    weight = sigma[:, None] ** -2.0
    total, weights = (ndimage.gaussian_filter1d(each, width, axis=0) for each in (flux * weight, weight))
    return np.asarray(total / weights)
