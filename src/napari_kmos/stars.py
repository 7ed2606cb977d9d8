"""Stars in an image, as apertures."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.ndimage import convolve

from napari_kmos.aperture import Aperture
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import KmosError
from napari_kmos.spatial.apertures import bounding_box
from napari_kmos.spatial.wcs import pixel_to_sky
from napari_kmos.spectral.nan import nan_median, robust_sigma

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from photutils.detection import DAOStarFinder

    from napari_kmos.cube import Image

#: The kernel of the search needs two spaxels or so.
_LEAST_FWHM_PIX = 1.5
#: Share of the spaxels, the darkest, that are taken to be without stars.
_STAR_POOR = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class FindParameters:
    """How stars are found in white light.

    Parameters
    ----------
    threshold : float
        How far a star stands out, in sigma.
    fwhm_arcsec : float
        Width of the stars.
    separation_fwhm : float
        Two stars are no closer than this, in units of the width.
    edge_arcsec : float
        Stars closer than this to the edge of the data are left out.
    radius_arcsec : float
        Of the apertures.
    roughness : float
        Share of the light by which neighbouring spaxels may differ without a star: more than the noise on bright ones.
    most : int
        So many of the most significant of each cube are taken; 0 takes all.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    threshold: float = 10.0
    fwhm_arcsec: float = 0.7
    separation_fwhm: float = 0.7
    edge_arcsec: float = 0.2
    radius_arcsec: float = 0.4
    roughness: float = 0.02
    most: int = 0

    def __post_init__(self) -> None:
        for name in ("threshold", "fwhm_arcsec", "radius_arcsec"):
            if not 0 < getattr(self, name) < math.inf:
                msg = f"{name} is {getattr(self, name)}; expected a positive number"
                raise KmosError(msg)
        for name in ("separation_fwhm", "edge_arcsec", "roughness", "most"):
            if not 0 <= getattr(self, name) < math.inf:
                msg = f"{name} is {getattr(self, name)}; expected zero or more"
                raise KmosError(msg)


@dataclass(frozen=True, slots=True)
class FoundStar:
    """A star in an image: where it is on the sky, in degrees, and how far it stands out, in sigma."""

    ra: float
    dec: float
    sigma: float


def detect_stars(
    image: Image, parameters: FindParameters, *, correlation: NDArray[np.float64] | None = None
) -> tuple[FoundStar, ...]:
    """Find the stars of an image by how far they stand out of its noise.

    Parameters
    ----------
    image : Image
        White light, shape (n_y, n_x); NaN is no data. Without noise it is the scatter of the darkest spaxels, which in
        a crowd is too large: fainter stars are missed.
    parameters : FindParameters
        How.
    correlation : ndarray, shape (2k + 1, 2k + 1), optional
        Of the noise of neighbouring spaxels, as cubes have it.

    Returns
    -------
    tuple of FoundStar
        The most significant first; empty if there is none.

    Notes
    -----
    `photutils.detection.DAOStarFinder` (Stetson 1987, PASP 99, 191). Sigma is that of the image convolved with its
    kernel, whose sum is zero, so that background and gradients do not matter.
    """
    missing = ~np.isfinite(image.data)
    if missing.all():
        return ()
    scale = pixel_scale_arcsec(image.wcs)
    fwhm = max(parameters.fwhm_arcsec / scale, _LEAST_FWHM_PIX)
    kernel = _Search(1.0, fwhm, fwhm, scale_threshold=False).finder().kernel.data
    noise = _smoothed_noise(image, kernel, correlation)
    least = float(np.min(noise[~missing]))
    if not least > 0:
        return ()
    told = np.hypot(noise, parameters.roughness * _smoothed_light(image, kernel))
    search = _Search(parameters.threshold, fwhm, parameters.separation_fwhm * fwhm, scale_threshold=False)
    found = []
    for y, x, _, level in search.peaks(image.data / least, missing):
        if _is_inside(missing, y, x, parameters.edge_arcsec / scale):
            place = round(y), round(x)
            if level * least >= parameters.threshold * told[place]:
                found.append(FoundStar(*_on_sky(image, y, x), sigma=level * least / float(noise[place])))
    return tuple(sorted(found, key=lambda star: -star.sigma)[: parameters.most or None])


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
    missing = ~np.isfinite(image.data)
    sigma = robust_sigma(image.data) if image.noise is None else float(nan_median(image.noise.ravel()))
    if missing.all() or not sigma > 0:
        return ()
    scale = pixel_scale_arcsec(image.wcs)
    fwhm = max(fwhm_arcsec / scale, _LEAST_FWHM_PIX)
    found = sorted(_Search(threshold, fwhm, fwhm).peaks(image.data / sigma, missing), key=lambda one: -one[2])
    kept = [_on_sky(image, y, x) for y, x, _, _ in found if _is_inside(missing, y, x, radius_arcsec / scale)]
    return tuple(
        Aperture(id=str(number), ra=ra, dec=dec, radius_arcsec=radius_arcsec)
        for number, (ra, dec) in enumerate(kept[:most], start=1)
    )


class _Search(NamedTuple):
    """A search of photutils: its threshold is that of the smoothed image, or if scaled of the image itself."""

    threshold: float
    fwhm: float
    separation: float
    scale_threshold: bool = True

    def finder(self) -> DAOStarFinder:
        """Return the finder."""
        from photutils.detection import DAOStarFinder

        return DAOStarFinder(
            self.threshold, self.fwhm, min_separation=self.separation, scale_threshold=self.scale_threshold
        )

    def peaks(self, data: NDArray[Any], missing: NDArray[np.bool_]) -> list[tuple[float, float, float, float]]:
        """Return the places (y, x) of stars, their flux, and how far they stand out, in the unit of the threshold."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of photutils: there is no star
            table = self.finder()(_filled(data, missing), mask=missing)
        if table is None:
            return []
        x, y = (table[name] for name in table.colnames[1:3])
        levels = self.threshold * 10 ** (-0.4 * np.asarray(table["daofind_mag"]))
        return [
            (float(a), float(b), float(c), float(d)) for a, b, c, d in zip(y, x, table["flux"], levels, strict=True)
        ]


def _smoothed_noise(
    image: Image, kernel: NDArray[np.float64], correlation: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Noise of an image as smoothed by the kernel of the search, shape (n_y, n_x)."""
    if image.noise is None:
        smooth = convolve(_filled(image.data, ~np.isfinite(image.data)), kernel, mode="constant")
        return np.full(image.data.shape, robust_sigma(smooth[_dark(image)]))
    factor = 1.0
    if correlation is not None:
        factor = np.sum(kernel * convolve(kernel, correlation, mode="constant")) / np.sum(kernel**2)
    known = np.isfinite(image.noise)
    noise = np.where(known, image.noise, np.median(image.noise[known]) if known.any() else 0).astype(float)
    return np.asarray(np.sqrt(factor * convolve(noise**2, kernel**2, mode="nearest")))


def _smoothed_light(image: Image, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light above the darkest spaxels, added in quadrature under the kernel of the search, shape (n_y, n_x)."""
    light = np.maximum(image.data - np.median(image.data[_dark(image)]), 0).astype(float)
    return np.asarray(np.sqrt(convolve(np.nan_to_num(light) ** 2, kernel**2, mode="nearest")))


def _dark(image: Image) -> NDArray[np.bool_]:
    """Which spaxels are the darkest."""
    return np.asarray(image.data <= np.nanpercentile(image.data, 100 * _STAR_POOR))


def _filled(data: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Image about its median, zero where there are no data."""
    return np.where(missing, 0.0, data - np.nanmedian(data))


def _is_inside(missing: NDArray[np.bool_], y: float, x: float, reach: float) -> bool:
    """Whether there are data all around a place, so far."""
    n_y, n_x = missing.shape
    if min(y, x, n_y - 1 - y, n_x - 1 - x) < reach - 0.5:
        return False
    box = bounding_box(missing.shape, y, x, reach)
    rows, columns = np.ogrid[box]
    return not missing[box][np.hypot(rows - y, columns - x) < reach].any()


def _on_sky(image: Image, y: float, x: float) -> tuple[float, float]:
    """Right ascension and declination of a place."""
    ra, dec = pixel_to_sky(image.wcs, y, x)
    return float(ra) % 360, float(dec)
