"""The sky beneath a star: of a ring around it, or of areas picked in the same cube."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import ExtractionError
from napari_kmos.extract.footprint import lay_out
from napari_kmos.spectral.nan import divide, nan_mean, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.extract.parameters import ExtractParameters, Statistic
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader, Spaxels, Surroundings

#: Variance of a median over that of a mean of many Gaussian values.
_MEDIAN_VARIANCE = math.pi / 2
#: Robust scatter of Gaussian values over their median absolute deviation.
_SCATTER = 1.4826


@dataclass(frozen=True, slots=True)
class SkyLevel:
    """Sky per spaxel, its variance, and how many spaxels or areas it was taken from."""

    level: NDArray[np.float64]
    variance: NDArray[np.float64]
    n_sky: int


def areas_sky(reader: CubeReader, others: Sequence[Placed], parameters: ExtractParameters) -> SkyLevel | None:
    """Return the sky of the areas among some apertures if it is to come from there, else None."""
    if parameters.sky != "areas":
        return None
    return sky_of_areas(reader, [one for one in others if one.aperture.kind == "sky"], parameters)


def own_sky(around: Surroundings, parameters: ExtractParameters) -> SkyLevel:
    """Return the sky of a star by its ring, or zero."""
    if parameters.sky == "annulus":
        return sky_of_ring(around.ring(), parameters)
    nothing = np.zeros(len(around.flux))
    return SkyLevel(nothing, nothing, 0)


def sky_of_areas(reader: CubeReader, skies: Sequence[Placed], parameters: ExtractParameters) -> SkyLevel:
    """Return the middle, over sky apertures, of their mean flux per spaxel.

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
    laid_out = [lay_out(reader.cube, one, (), parameters) for one in skies]
    means = [
        around.circle().mean(around.footprint.placed.area_pix, parameters.min_coverage)
        for around in reader.around(laid_out)
    ]
    values = np.array([mean for mean, _, _ in means])
    if not np.isfinite(values).any():
        msg = f"{reader.cube.label}: none of the {len(skies)} sky apertures has data; move them onto the field"
        raise ExtractionError(msg)
    level, used, factor = _middle(values, parameters.areas_statistic, parameters.sky_clip)
    variances = np.array([variance for _, variance, _ in means])
    mean_variance = nan_mean(np.where(used, variances, np.nan))
    return SkyLevel(level, divide(factor * mean_variance, np.count_nonzero(used, axis=0)), len(skies))


def sky_of_ring(spaxels: Spaxels, parameters: ExtractParameters) -> SkyLevel:
    """Return the middle of the spaxels of a ring, at each wavelength."""
    level, used, factor = _middle(spaxels.flux, parameters.ring_statistic, parameters.sky_clip)
    known = used & np.isfinite(spaxels.noise)
    variance = divide(spaxels.variance(known, spaxels.weights), np.count_nonzero(known, axis=0))
    return SkyLevel(level, divide(factor * variance, np.count_nonzero(used, axis=0)), len(spaxels.weights))


def _middle(
    values: NDArray[Any], statistic: Statistic, clip: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Return the statistic over the first axis, the values it is of, and its variance over that of their mean."""
    used = np.isfinite(values)
    if statistic == "mean":
        return nan_mean(values), used, np.ones(values.shape[1:])
    median = nan_median(values)
    if statistic == "median":
        n_used = np.count_nonzero(used, axis=0)
        # Of one or two values both are the same; of an odd number of them this is right to 2 %.
        factor = _MEDIAN_VARIANCE * n_used / (n_used + _MEDIAN_VARIANCE - 1)
        return median, used, np.where(n_used > 2, factor, 1.0)
    distance = np.abs(values - median)
    used &= distance <= clip * _SCATTER * nan_median(distance)
    return nan_mean(np.where(used, values, np.nan)), used, np.ones(values.shape[1:])
