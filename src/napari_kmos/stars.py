"""Stars in an image, as apertures."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.aperture import Aperture
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.spatial.wcs import pixel_to_sky
from napari_kmos.spectral.nan import nan_median, robust_sigma

if TYPE_CHECKING:
    from napari_kmos.cube import Image

#: The kernel of the search needs two spaxels or so.
_LEAST_FWHM_PIX = 1.5


def find_stars(
    image: Image, *, fwhm_arcsec: float, threshold: float, radius_arcsec: float, most: int
) -> tuple[Aperture, ...]:
    """Find the stars of an image.

    Parameters
    ----------
    image : Image
        White light, shape (n_y, n_x), with or without noise; NaN is no data.
    fwhm_arcsec : float
        Width of a star.
    threshold : float
        How far a star stands out, in units of the noise; of the robust scatter of an image without noise.
    radius_arcsec : float
        Of the apertures.
    most : int
        The brightest of so many are taken.

    Returns
    -------
    tuple of Aperture
        The brightest first, with the ids ``1``, ``2``, ...; empty if there is none. Stars whose aperture reaches over
        the edge of the data are left out.

    Notes
    -----
    `photutils.detection.DAOStarFinder` (Stetson 1987, PASP 99, 191), on the image minus its median.
    """
    from photutils.detection import DAOStarFinder

    missing = ~np.isfinite(image.data)
    sigma = robust_sigma(image.data) if image.noise is None else float(nan_median(image.noise.ravel()))
    if missing.all() or not sigma > 0:
        return ()
    scale = pixel_scale_arcsec(image.wcs)
    data = np.where(missing, 0.0, image.data - np.nanmedian(image.data)) / sigma
    fwhm = max(fwhm_arcsec / scale, _LEAST_FWHM_PIX)
    finder = DAOStarFinder(threshold=threshold, fwhm=fwhm, min_separation=fwhm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of photutils: there is no star
        table = finder(data, mask=missing)
    if table is None:
        return ()
    table.sort("flux", reverse=True)
    rows, columns = np.indices(data.shape)
    reach = radius_arcsec / scale
    kept = []
    for x, y in zip(table[table.colnames[1]], table[table.colnames[2]], strict=True):
        near = np.hypot(rows - y, columns - x) < reach
        inside = min(y, x, data.shape[0] - 1 - y, data.shape[1] - 1 - x) >= reach - 0.5
        if inside and not missing[near].any():
            kept.append(pixel_to_sky(image.wcs, y, x))
    return tuple(
        Aperture(id=str(number), ra=float(ra) % 360, dec=float(dec), radius_arcsec=radius_arcsec)
        for number, (ra, dec) in enumerate(kept[:most], start=1)
    )
