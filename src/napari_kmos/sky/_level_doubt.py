"""Light of the comb whose level the list of lines does not tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.sky._level_fit import LevelFit
    from napari_kmos.sky._level_groups import LevelGroups
    from napari_kmos.sky._level_model import LevelModel
    from napari_kmos.sky.parameters import SkyParameters

    Floats = NDArray[np.float64]


def doubtful_light(
    groups: LevelGroups, model: LevelModel, fit: LevelFit, error: Floats, p: SkyParameters
) -> sparse.csr_array:
    """Return by how much the light of blended lines may be other than the factors of their levels tell.

    Where lines of levels with different factors lie together, an error of the list in their ratio, or in their places,
    is an error of the light: the list's error times the scatter of the factors of the lines about there. Where it does
    not matter beside the noise it is left out.

    Parameters
    ----------
    groups : LevelGroups
        The lines, where they lie in the sky.
    model : LevelModel
        Comb of the sky by level.
    fit : LevelFit
        Factors found without this.
    error : ndarray, shape (n_planes,)
        Of the mean spectrum, infinite without data.
    p : SkyParameters
        How much the list may be off.

    Returns
    -------
    csr_array, shape (n_cells, n)
        The light of a plane each, 1 sigma.
    """
    spread = model.comb.spread
    shares, factors = groups.shares(spread, p.doubt_sigma, p), np.exp(fit.factors)
    mean = shares @ factors
    scatter = np.sqrt(np.maximum(shares @ factors**2 - mean**2, 0.0))
    light = p.doubt_share * scatter * model.comb.light
    plane = np.arange(light.size) // spread.n_sub
    seen = np.clip(plane[:: spread.n_sub] - spread.reach, 0, error.size - 1)
    chosen = np.bincount(plane, weights=light) > p.doubt_least * error[seen]
    number = np.cumsum(chosen) - 1
    inside = np.flatnonzero(chosen[plane])
    places = (inside, number[plane[inside]])
    return sparse.coo_array((light[inside], places), shape=(light.size, int(chosen.sum()))).tocsr()
