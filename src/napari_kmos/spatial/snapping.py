"""From a place that was pointed at to the star that was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.centroid import fit_centroid

if TYPE_CHECKING:
    from numpy.typing import NDArray

CENTROID, BRIGHTEST, OFF = "centroid", "brightest pixel", "off"
SNAPPING = (CENTROID, BRIGHTEST, OFF)

#: A fit needs some pixels around the peak.
_LEAST_FIT_PIX = 2.5


def snap(
    image: NDArray[Any], place: tuple[float, float], *, reach_pix: float, how: str = CENTROID
) -> tuple[float, float]:
    """Return where the star at a place of an image is.

    Parameters
    ----------
    image : ndarray, shape (n_y, n_x)
        NaN is no data.
    place : tuple of float
        (y, x) in 0-based pixels that was pointed at.
    reach_pix : float
        The brightest pixel is looked for this close to the place.
    how : str
        ``"brightest pixel"``; ``"centroid"``, a Gaussian fitted to what lies around that, or that itself where none
        fits, as on a faint star or where another is brighter; ``"off"``.

    Returns
    -------
    tuple of float
        (y, x); the place itself if no pixel within reach has data.
    """
    rows, columns = np.indices(image.shape)
    near = (np.hypot(rows - place[0], columns - place[1]) <= max(reach_pix, 0.75)) & np.isfinite(image)
    if how == OFF or not near.any():
        return place
    y, x = np.unravel_index(int(np.argmax(np.where(near, image, -np.inf))), image.shape)
    peak = float(y), float(x)
    if how == BRIGHTEST:
        return peak
    try:
        found = fit_centroid(image, start=peak, radius_pix=max(reach_pix, _LEAST_FIT_PIX))
    except AlignmentError:
        return peak
    is_same = np.hypot(found.y - peak[0], found.x - peak[1]) <= max(reach_pix, 1.0)
    return (found.y, found.x) if is_same else peak
