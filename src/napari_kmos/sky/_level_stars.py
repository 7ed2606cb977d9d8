"""What the spectra of the stars in a field have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._level_model import spline_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]


def star_templates(light: Floats, sigma: Floats, p: SkyParameters) -> Floats:
    """Return the spectra that make up most of the light of some spaxels without sky, shape (n_planes, n_templates).

    Singular vectors of what is not smooth, each as bright as in these spaxels: rms. That tells how much of it to expect
    elsewhere, so that noise, or sky lines left because of a wrong gain, are hardly taken for starlight.

    Parameters
    ----------
    light : ndarray, shape (n_planes, n_spaxels)
        Spectra of the spaxels without sky; NaN is no data.
    sigma : ndarray, shape (n_planes,)
        Noise at each plane up to a factor, infinite without data.
    p : SkyParameters
        Number of templates, knots of the continuum.
    """
    known = np.isfinite(sigma)
    weighted = np.where(np.isfinite(light), light, 0.0)[known] / sigma[known, None]
    smooth, _ = np.linalg.qr(spline_columns(sigma.size, p.fit_knots)[known] / sigma[known, None])
    weighted -= smooth @ (smooth.T @ weighted)
    vectors, values, _ = np.linalg.svd(weighted, full_matrices=False)
    typical = values[: p.star_templates] / np.sqrt(light.shape[1])
    templates = np.zeros((sigma.size, typical.size))
    templates[known] = vectors[:, : typical.size] * typical * sigma[known, None]
    return templates
