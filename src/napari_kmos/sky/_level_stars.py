"""What the spectra of the stars in a field have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.sky._level_fit import spline_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]


def star_templates(light: Floats, lines: Floats, sigma: Floats, p: SkyParameters) -> Floats:
    """Return the spectra that make up most of the light of some spaxels without sky, shape (n_planes, n_templates).

    Singular vectors. Sky lines that were left because of a wrong gain, shift or width are taken out first: a template
    that looks like sky would take part in the fit of the sky.

    Parameters
    ----------
    light : ndarray, shape (n_planes, n_spaxels)
        Spectra of the spaxels without sky; NaN is no data.
    lines : ndarray, shape (3, n_planes)
        Lines of the sky, and their derivatives by shift and width.
    sigma : ndarray, shape (n_planes,)
        Noise at each plane up to a factor, infinite without data.
    p : SkyParameters
        Number of templates, knots of the continuum.
    """
    known = np.isfinite(sigma)
    weighted = np.where(np.isfinite(light), light, 0.0)[known] / sigma[known, None]
    nuisance = np.column_stack([lines.T, spline_columns(sigma.size, p.fit_knots)])[known] / sigma[known, None]
    found = np.linalg.lstsq(nuisance, weighted, rcond=None)[0]
    weighted -= nuisance[:, :3] @ found[:3]
    vectors = np.linalg.svd(weighted, full_matrices=False)[0][:, : p.star_templates]
    templates = np.zeros((sigma.size, vectors.shape[1]))
    templates[known] = vectors * sigma[known, None]
    return templates
