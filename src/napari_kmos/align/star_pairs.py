"""Stars of two images, and which of them are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import KmosError
from napari_kmos.spatial.wcs import offset_arcsec
from napari_kmos.stars import find_stars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class StarSearch:
    """How stars are found in an image, and which of two images are taken for the same.

    Parameters
    ----------
    fwhm_arcsec : float
        Width of a star.
    threshold : float
        How far a star stands out, in units of the noise.
    most : int
        The brightest of so many are taken.
    match_arcsec : float
        Stars closer than this can be the same.
    """

    fwhm_arcsec: float = 0.6
    threshold: float = 5.0
    most: int = 40
    match_arcsec: float = 0.3

    def __post_init__(self) -> None:
        for name in ("fwhm_arcsec", "threshold", "most", "match_arcsec"):
            if not getattr(self, name) > 0:
                msg = f"{name} is {getattr(self, name)}, expected a positive number"
                raise KmosError(msg)


def star_places(image: Image, origin: tuple[float, float], search: StarSearch) -> Floats:
    """Return where the stars of an image are, (east, north) in arcsec from a sky position (ra, dec); shape (n, 2)."""
    stars = find_stars(
        image,
        fwhm_arcsec=search.fwhm_arcsec,
        threshold=search.threshold,
        radius_arcsec=pixel_scale_arcsec(image.wcs),
        most=search.most,
    )
    places = [offset_arcsec(*origin, star.ra, star.dec) for star in stars]
    return np.array(places, dtype=float).reshape(-1, 2)


def pair_stars(first: Floats, second: Floats, *, radius: float) -> NDArray[np.intp]:
    """Pair places that are each other's nearest.

    Parameters
    ----------
    first, second : ndarray, shapes (n, 2) and (m, 2)
        In one unit.
    radius : float
        No two further apart are a pair.

    Returns
    -------
    ndarray of int, shape (n_pairs, 2)
        Rows of the first and of the second.
    """
    if not (len(first) and len(second)):
        return np.empty((0, 2), dtype=np.intp)
    distance = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1))
    rows, nearest = np.arange(len(first)), np.argmin(distance, axis=1)
    is_pair = (np.argmin(distance, axis=0)[nearest] == rows) & (distance[rows, nearest] <= radius)
    return np.stack([rows[is_pair], nearest[is_pair]], axis=1)
