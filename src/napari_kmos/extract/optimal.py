"""Optimal extraction of stars that stand alone: spaxels weighted by the point spread function and their noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.extract.aperture import Extraction
from napari_kmos.extract.crowded import fit_crowded
from napari_kmos.extract.footprint import lay_out
from napari_kmos.extract.psf_model import N_SHARED, BandImages, PsfModel
from napari_kmos.extract.sky import areas_sky, own_sky
from napari_kmos.spectral.nan import divide, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.extract.fields import FieldFit
    from napari_kmos.extract.parameters import ExtractParameters
    from napari_kmos.extract.placing import Placed
    from napari_kmos.extract.reading import CubeReader, Surroundings
    from napari_kmos.extract.sky import SkyLevel

    Floats = NDArray[np.float64]

#: A spaxel of which less lies in the circle is left out.
_LEAST_INSIDE = 0.5


def extract_optimal(
    reader: CubeReader, stars: Sequence[Placed], others: Sequence[Placed], parameters: ExtractParameters
) -> list[Extraction]:
    """Weight the spaxels of each star's aperture by its profile and their noise.

    Parameters
    ----------
    reader, stars, others
        As in `extract_psf`, whose fit gives the profile; apertures of kind sky serve ``parameters.sky`` ``"areas"``.
    parameters : ExtractParameters
        Sky, and what is known of the profile.

    Returns
    -------
    list of Extraction
        One a star, in the cube's unit: all its light. A wavelength at which less than ``min_light`` of it falls on
        spaxels with data within the aperture is NaN.

    Raises
    ------
    ExtractionError
        If the sky is to come from areas and there is none.

    Notes
    -----
    Horne (1986, PASP 98, 609): flux = sum(P (d - s) / V) / sum(P^2 / V) with the profile P and the variance V; of P the
    light in the sky's ring is taken off, as it is of the data. Light of neighbours stays in: that is for stars alone.
    The error is that by the noise of spaxels and sky, with the correlation that the cube tells.
    """
    areas = areas_sky(reader, others, parameters)
    crowd, fitted = fit_crowded(reader, stars, others, parameters)
    homes = {
        number: (fit, place)
        for fit in crowd.fits
        if fit is not None
        for place, number in enumerate(fit.field.members[: fit.field.n_own])
    }
    laid_out = [lay_out(reader.cube, one, (*stars, *others), parameters) for one in stars]
    found = []
    for number, around in enumerate(reader.around(laid_out)):
        if number not in homes:
            found.append(fitted[number])
            continue
        images = _images(*homes[number], around, reader.cube.wavelength_um)
        sky = areas or own_sky(around, parameters)
        found.append(_star(around, images, sky, fitted[number], parameters))
    return found


def _images(fit: FieldFit, place: int, around: Surroundings, wave_um: Floats) -> NDArray[np.float32]:
    """Profile of one star on the spaxels around it, shape (n_wavelength, n_y, n_x)."""
    theta = fit.solution.theta
    own = np.append(theta[:N_SHARED], theta[N_SHARED + 2 * place :][:2])
    corners = [np.array([part.start for part in box]) for box in (fit.field.box, around.footprint.box)]
    n_y, n_x = around.flux.shape[1:]
    at = fit.model.places[place] + corners[0] - corners[1]
    model = PsfModel(at[None], (n_y, n_x), fit.model.wave_range_um)
    return BandImages(model, own).at(wave_um).reshape(-1, n_y, n_x)


def _star(
    around: Surroundings,
    images: NDArray[np.float32],
    sky: SkyLevel,
    fitted: Extraction,
    parameters: ExtractParameters,
) -> Extraction:
    """Extract one star."""
    spaxels = around.circle()
    profile = images[:, *spaxels.places].T.astype(float)
    inside = (spaxels.weights >= _LEAST_INSIDE)[:, None]
    known = np.isfinite(spaxels.flux) & (spaxels.noise > 0) & inside
    light = np.sum(profile * known, axis=0)
    if parameters.sky == "annulus":
        ring = around.ring()
        profile = profile - nan_median(images[:, *ring.places].T)
    scale = np.nanmedian(np.where(known, spaxels.noise, np.nan)) if known.any() else 1.0
    weights = profile * np.where(known, divide(np.full(known.shape, scale), spaxels.noise), 0) ** 2
    weights = np.where(known, divide(weights, np.sum(profile * weights, axis=0)), 0)
    flux = np.sum(weights * np.where(known, spaxels.flux - sky.level, 0), axis=0)
    variance = spaxels.variance(known, weights) + weights.sum(axis=0) ** 2 * sky.variance
    is_told = (light >= parameters.min_light) & np.isfinite(flux)
    flux = np.where(is_told, flux, np.nan)
    note = fitted.note if is_told.any() else f"no data: at most {100 * light.max():.0f} % of the light in the aperture"
    return Extraction(
        flux=flux,
        noise=np.where(is_told, np.sqrt(variance), np.nan),
        sky=around.footprint.placed.area_pix * sky.level,
        coverage=light,
        n_sky=sky.n_sky,
        note=note,
        psf=fitted.psf,
    )
