"""Aperture extraction: the sum over a circle of flux minus sky."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import ExtractionError
from napari_kmos.spectral.nan import divide, nan_mean, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.extract.parameters import ExtractParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader, Spaxels, Surroundings
    from napari_kmos.spectrum import PsfFit

#: Variance of a median over that of a mean of many Gaussian values; of one or two values they are the same.
_MEDIAN_VARIANCE = math.pi / 2


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a method finds for one star; arrays of shape (n_wavelength,), NaN is no data."""

    flux: NDArray[np.float64]
    noise: NDArray[np.float64]
    sky: NDArray[np.float64]
    coverage: NDArray[np.float64]
    n_sky: int
    note: str = ""
    psf: PsfFit | None = None


@dataclass(frozen=True, slots=True)
class SkyLevel:
    """Sky per spaxel, its variance, and how many spaxels or areas it was taken from."""

    level: NDArray[np.float64]
    variance: NDArray[np.float64]
    n_sky: int


def extract_aperture(
    reader: CubeReader, stars: Sequence[Placed], others: Sequence[Placed], parameters: ExtractParameters
) -> list[Extraction]:
    """Sum the flux above the sky over the aperture of each star.

    Parameters
    ----------
    reader : CubeReader
        Reads the cube, of shape (n_wavelength, n_y, n_x).
    stars : sequence of Placed
        Apertures on its pixels.
    others : sequence of Placed
        Apertures of kind sky serve ``parameters.sky`` ``"areas"``; others are not used.
    parameters : ExtractParameters
        Sky and limits.

    Returns
    -------
    list of Extraction
        One a star, in the cube's unit: flux per spaxel summed with exact weights. A wavelength at which more than
        ``1 - min_coverage`` of the circle has no data, because of NaN or because it lies off the cube, is NaN; a
        smaller gap is filled by scaling with the area, that is, with the mean of the rest of the circle.

    Raises
    ------
    ExtractionError
        If the sky is to come from areas and there is none.

    Notes
    -----
    With weights a, area A = pi r^2: flux = A sum(a (d - s)) / sum(a), variance = (A / sum(a))^2 a^T C a + A^2 var(s).
    C is the covariance of the spaxels: the products of their noise times the correlation that the cube tells, or
    where it tells none, the variances alone: the true noise of a sum in a resampled cube is larger. The ring's sky is
    a median, its variance pi/2 times that of the mean; stars in the ring are not left out. The sky of areas is the
    mean of their means. Covariance of star and sky is left out.
    """
    areas = areas_sky(reader, others, parameters)
    reach = max(parameters.outer, 1.0) if parameters.sky == "annulus" else 1.0
    return [_star(around, areas, parameters) for around in reader.around(stars, reach)]


def areas_sky(reader: CubeReader, others: Sequence[Placed], parameters: ExtractParameters) -> SkyLevel | None:
    """Return the sky of the areas among some apertures if it is to come from there, else None."""
    if parameters.sky != "areas":
        return None
    return sky_of_areas(reader, [one for one in others if one.aperture.kind == "sky"], parameters)


def sky_of_areas(reader: CubeReader, skies: Sequence[Placed], parameters: ExtractParameters) -> SkyLevel:
    """Mean over sky apertures of their mean flux per spaxel.

    Raises
    ------
    ExtractionError
        If there is no area, or none has data.
    """
    if not skies:
        msg = (
            f"{reader.cube.label}: no aperture of kind sky in this cube; pick some (five, say) on dark sky in it, "
            "or take the sky from an annulus"
        )
        raise ExtractionError(msg)
    means = [
        _mean(around.circle(), around.placed.area_pix, parameters.min_coverage) for around in reader.around(skies, 1)
    ]
    level = nan_mean(np.array([mean for mean, _, _ in means]))
    variances = np.array([np.where(np.isfinite(mean), variance, np.nan) for mean, variance, _ in means])
    n_used = np.count_nonzero(np.isfinite([mean for mean, _, _ in means]), axis=0)
    if not np.isfinite(level).any():
        msg = f"{reader.cube.label}: none of the {len(skies)} sky apertures has data; move them onto the field"
        raise ExtractionError(msg)
    return SkyLevel(level, divide(nan_mean(variances), n_used), len(skies))


def sky_of_ring(spaxels: Spaxels) -> SkyLevel:
    """Median of the spaxels of a ring, at each wavelength."""
    used = np.isfinite(spaxels.flux)
    n_used = np.count_nonzero(used, axis=0)
    known = used & np.isfinite(spaxels.noise)
    variance = divide(spaxels.variance(known, spaxels.weights), np.count_nonzero(known, axis=0))
    factor = np.where(n_used > 2, _MEDIAN_VARIANCE, 1.0)
    return SkyLevel(nan_median(spaxels.flux), factor * divide(variance, n_used), len(spaxels.weights))


def _star(around: Surroundings, areas: SkyLevel | None, parameters: ExtractParameters) -> Extraction:
    """Extract one star."""
    sky = areas or own_sky(around, parameters)
    area = around.placed.area_pix
    mean, variance, coverage = _mean(around.circle(), area, parameters.min_coverage)
    flux = area * (mean - sky.level)
    noise = area * np.sqrt(variance + sky.variance)
    noise[~np.isfinite(flux)] = np.nan
    return Extraction(flux, noise, area * sky.level, coverage, sky.n_sky, _remark(mean, sky, coverage))


def own_sky(around: Surroundings, parameters: ExtractParameters) -> SkyLevel:
    """Sky of a star by its ring, or zero."""
    if parameters.sky == "annulus":
        return sky_of_ring(around.ring(parameters.inner, parameters.outer))
    nothing = np.zeros(len(around.flux))
    return SkyLevel(nothing, nothing, 0)


def _mean(
    spaxels: Spaxels, area_pix: float, min_coverage: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weighted mean over an aperture, its variance, and the share of the area with data."""
    weights, squares = spaxels.weights, spaxels.weights**2
    used = np.isfinite(spaxels.flux)
    total = weights @ used.astype(float)
    coverage = total / area_pix
    mean = divide(weights @ np.where(used, spaxels.flux, 0), total)
    mean[coverage < min_coverage] = np.nan
    known = used & np.isfinite(spaxels.noise)
    # A spaxel with flux but without noise is taken to be as noisy as the others.
    unknown_share = divide(squares @ used.astype(float), squares @ known.astype(float))
    variance = divide(spaxels.variance(known, weights) * unknown_share, total**2)
    return mean, variance, coverage


def _remark(mean: NDArray[np.float64], sky: SkyLevel, coverage: NDArray[np.float64]) -> str:
    """Say what is missing."""
    if not np.isfinite(mean).any():
        return f"no data: at most {100 * coverage.max():.0f} % of the aperture is covered"
    if not np.isfinite(mean - sky.level).any():
        return "no sky: the ring around the star has no data"
    covered = float(np.median(coverage[np.isfinite(mean)]))
    return f"{100 * (1 - covered):.0f} % of the aperture has no data, scaled up" if covered < 0.99 else ""
