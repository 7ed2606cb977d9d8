"""Aperture extraction: the sum over a circle of flux minus sky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.extract.footprint import lay_out
from napari_kmos.extract.sky import areas_sky, own_sky

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.extract.parameters import ExtractParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader, Surroundings
    from napari_kmos.extract.sky import SkyLevel
    from napari_kmos.spectrum import PsfFit


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
        Apertures of kind sky serve ``parameters.sky`` ``"areas"``; a ring may keep away from the stars among them.
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
    where it tells none, the variances alone: the true noise of a sum in a resampled cube is larger. The variance of a
    median of many values is pi/2 times that of their mean. The sky of areas is made of their means. Covariance of star
    and sky is left out.
    """
    areas = areas_sky(reader, others, parameters)
    laid_out = [lay_out(reader.cube, one, (*stars, *others), parameters) for one in stars]
    return [_star(around, areas, parameters) for around in reader.around(laid_out)]


def _star(around: Surroundings, areas: SkyLevel | None, parameters: ExtractParameters) -> Extraction:
    """Extract one star."""
    sky = areas or own_sky(around, parameters)
    area = around.footprint.placed.area_pix
    mean, variance, coverage = around.circle().mean(area, parameters.min_coverage)
    flux = area * (mean - sky.level)
    noise = area * np.sqrt(variance + sky.variance)
    noise[~np.isfinite(flux)] = np.nan
    note = _remark(mean, sky, coverage) or _of_sky(flux, sky, around.footprint.placed.aperture, parameters)
    return Extraction(flux, noise, area * sky.level, coverage, sky.n_sky, note)


def _remark(mean: NDArray[np.float64], sky: SkyLevel, coverage: NDArray[np.float64]) -> str:
    """Say what is missing of the aperture."""
    if not np.isfinite(mean).any():
        return f"no data: at most {100 * coverage.max():.0f} % of the aperture is covered"
    if not np.isfinite(mean - sky.level).any():
        return ""
    covered = float(np.median(coverage[np.isfinite(mean)]))
    return f"{100 * (1 - covered):.0f} % of the aperture has no data, scaled up" if covered < 0.99 else ""


def _of_sky(flux: NDArray[np.float64], sky: SkyLevel, aperture: Aperture, parameters: ExtractParameters) -> str:
    """Say what is missing of the sky."""
    if np.isfinite(flux).any():
        return ""
    if sky.n_sky:
        return "no sky: the ring around the star has no data"
    side = aperture.sky_side or parameters.side
    limits = [f"side {side}"] if side != "all" else []
    limits += [f"{parameters.avoid_arcsec:g} arcsec from other stars"] if parameters.avoid_arcsec else []
    return f"no sky: no spaxel of the ring is left in the field{''.join(f', {limit}' for limit in limits)}"
