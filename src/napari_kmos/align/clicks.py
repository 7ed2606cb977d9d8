"""The offset from stars that were pointed at in two images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky

if TYPE_CHECKING:
    from napari_kmos.cube import Image

#: What a centroid cannot be trusted below, in pixels: neighbours and the PSF's wings draw it.
_FLOOR_PIX = 0.05
_MIN_RADIUS_PIX = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyPlace:
    """Where a star is by the WCS of its image.

    Parameters
    ----------
    ra, dec : float
        Degrees.
    err_arcsec : float
        1 sigma of each coordinate.
    y, x : float
        The same in 0-based pixels of the image.
    """

    ra: float
    dec: float
    err_arcsec: float
    y: float
    x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StarShift:
    """The correction that brings stars of one image to where they are in another.

    Parameters
    ----------
    dra_arcsec, ddec_arcsec : float
        To be added to the WCS of the first.
    err_arcsec : float
        1 sigma of each: from the errors of the centroids, or from the scatter of the stars where that is larger.
    n_pairs : int
        Stars.
    rms_arcsec : float
        Root mean square distance that is left, in both coordinates together; NaN for one star.
    """

    dra_arcsec: float
    ddec_arcsec: float
    err_arcsec: float
    n_pairs: int
    rms_arcsec: float


def locate_star(image: Image, y: float, x: float, *, radius_arcsec: float = 0.5) -> SkyPlace:
    """Find the star that was pointed at.

    Parameters
    ----------
    image : Image
        Shape (n_y, n_x); NaN is no data.
    y, x : float
        0-based pixels, good to about a star's width.
    radius_arcsec : float
        What is fitted about it; two pixels at least.

    Raises
    ------
    AlignmentError
        If no star is there.

    Notes
    -----
    An elliptical Gaussian is fitted, from the brightest pixel within the radius on.
    """
    radius = max(radius_arcsec / pixel_scale_arcsec(image.wcs), _MIN_RADIUS_PIX)
    rows, columns = np.indices(image.data.shape)
    data = np.asarray(image.data, dtype=float)
    near = np.where((np.hypot(rows - y, columns - x) <= radius) & np.isfinite(data), data, -np.inf)
    if not np.isfinite(near).any():
        msg = f"no star at y {y:.1f}, x {x:.1f}: the image has no data there; point at a star in it"
        raise AlignmentError(msg)
    start = np.unravel_index(int(np.argmax(near)), near.shape)
    found = fit_centroid(data, start=(float(start[0]), float(start[1])), radius_pix=radius)
    ra, dec = pixel_to_sky(image.wcs, found.y, found.x)
    err = float(np.hypot(found.err_pix, _FLOOR_PIX)) * pixel_scale_arcsec(image.wcs)
    return SkyPlace(ra=float(ra), dec=float(dec), err_arcsec=err, y=found.y, x=found.x)


def measure_star_shift(moving: Sequence[SkyPlace], reference: Sequence[SkyPlace]) -> StarShift:
    """Measure the correction of one image from stars that were located in it and in a reference.

    Parameters
    ----------
    moving, reference : sequence of SkyPlace
        The same stars in the same order.

    Returns
    -------
    StarShift
        The mean of the stars, weighted with their errors.

    Raises
    ------
    AlignmentError
        If there is none, or a star lacks its counterpart.
    """
    if not moving or len(moving) != len(reference):
        msg = f"{len(moving)} stars and {len(reference)} counterparts; expected one of each or more, in pairs"
        raise AlignmentError(msg)
    pairs = list(zip(moving, reference, strict=True))
    shifts = np.array([offset_arcsec(one.ra, one.dec, other.ra, other.dec) for one, other in pairs])
    weights = 1 / np.array([one.err_arcsec**2 + other.err_arcsec**2 for one, other in pairs])
    mean = (weights @ shifts) / weights.sum()
    left = shifts - mean
    err = float(weights.sum() ** -0.5)
    if len(pairs) > 1:
        err *= max(1.0, float(np.sqrt((weights @ left**2).sum() / (2 * len(pairs) - 2))))
    rms = float(np.sqrt(np.mean(np.sum(left**2, axis=1)))) if len(pairs) > 1 else float("nan")
    return StarShift(
        dra_arcsec=float(mean[0]), ddec_arcsec=float(mean[1]), err_arcsec=err, n_pairs=len(pairs), rms_arcsec=rms
    )
