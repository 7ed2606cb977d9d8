"""What every method looks at first, and the result with its evidence."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.errors import SkyError
from napari_kmos.sky._apply import subtract_model
from napari_kmos.sky._images import sky_images
from napari_kmos.sky._lines import FactorFit, MeanSpectra, band_pieces, beside_lines, line_rms, mean_spectra
from napari_kmos.sky._spaxels import mean_spectrum, sky_spaxels
from napari_kmos.sky._starlight import star_features, without_stars
from napari_kmos.sky.result import BandFit, SkyResult
from napari_kmos.spectral.nan import divide, nan_mean, nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky._apply import SkyModel
    from napari_kmos.sky.parameters import SkyParameters


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What a fit goes by.

    Parameters
    ----------
    mask : ndarray of bool, shape (n_y, n_x)
        The spaxels taken as sky.
    spectra : MeanSpectra
        Mean spectra of object and sky over them.
    starlight : ndarray, shape (n_wavelength,)
        Object minus sky in the brighter half of the spaxels, less the same in the sky spaxels; NaN without data.
    star_features : ndarray, shape (n_wavelength, n)
        What the starlight of these spaxels is made of.
    """

    mask: NDArray[np.bool_]
    spectra: MeanSpectra
    starlight: NDArray[np.float64]
    star_features: NDArray[np.float64]


def find_evidence(cube: Cube, sky: Cube, p: SkyParameters) -> Evidence:
    """Choose the sky spaxels of the object and take the mean spectra of object and sky over the same spaxels."""
    flux, sky_flux = np.asarray(cube.flux, dtype=float), np.asarray(sky.flux, dtype=float)
    mask = sky_spaxels(flux, sky_flux, p)
    target, sky_mean = (mean_spectrum(values, mask, p.clip_sigma) for values in (flux, sky_flux))
    spectra = spectra_of_both(cube, target, sky_mean, p)
    difference = flux - sky_flux
    bright = _bright_spaxels(difference)
    starlight = nan_mean(difference[:, bright].T) - (target - sky_mean)
    level = functools.partial(beside_lines, lines=spectra.lines)
    return Evidence(mask, spectra, starlight, star_features(difference[:, bright & ~mask], spectra.continuum, level))


def spectra_of_both(cube: Cube, target: NDArray[np.float64], sky: NDArray[np.float64], p: SkyParameters) -> MeanSpectra:
    """Return mean spectra with their line pixels; refused without a wavelength at which both have data."""
    if not np.any(np.isfinite(target) & np.isfinite(sky)):
        msg = f"{cube.label}: object and sky have no wavelength with data in both; give a sky cube that has data there"
        raise SkyError(msg)
    return mean_spectra(cube.wavelength_um, target, sky, p)


def _bright_spaxels(light: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Brighter half of the spaxels that have data."""
    image = nan_median(light)
    return np.isfinite(image) & (image >= np.nanmedian(image))


def band_fits(
    spectra: MeanSpectra,
    model: NDArray[np.float64],
    fits: tuple[FactorFit, ...],
    scale: NDArray[np.float64],
    z: NDArray[np.float64],
) -> tuple[BandFit, ...]:
    """Report each band: what was fitted, what factor it has, and the residual without and with the model.

    ``z``, shape (n_wavelength,), is what is left beside lines and light of other origin, over its error.
    """
    bands = []
    for (name, planes, piece), fit in zip(band_pieces(spectra), fits, strict=True):
        bands.append(
            BandFit(
                name=name,
                start_um=float(piece.wavelength_um[0]),
                end_um=float(piece.wavelength_um[-1]),
                factor=float(np.mean(scale[planes])),
                n_line_pixels=fit.n_pixels,
                rms_before=line_rms(piece.target - piece.sky, piece),
                rms_after=line_rms(piece.target - model[planes], piece),
                fitted=bool(np.isfinite(fit.factor)),
                error=fit.error,
                residual_over_noise=over_noise(z[planes], piece.lines),
            )
        )
    return tuple(bands)


def over_noise(z: NDArray[np.float64], lines: NDArray[np.bool_]) -> float:
    """Return 1.4826 times the median of the absolute of what is left over its error on line pixels."""
    return float(1.4826 * nan_median(np.abs(z[lines])))


def build_result(
    cube: Cube,
    sky: Cube,
    evidence: Evidence,
    model: SkyModel,
    factors: tuple[tuple[FactorFit, ...], NDArray[np.float64]],
    **found: Any,
) -> SkyResult:
    """Subtract the model and put together the result.

    ``factors`` are the fits of the bands and the factor of the band at every wavelength; ``found`` holds what the
    method alone knows.
    """
    spectra = evidence.spectra
    clean, model_spectrum = subtract_model(cube, sky, model), model.flux(spectra.sky)
    error = _mean_error(clean, evidence.mask)
    left = _left_over(spectra.target - model_spectrum, error, evidence)
    return SkyResult(
        cube=clean,
        bands=band_fits(spectra, model_spectrum, *factors, left / error),
        wavelength_um=spectra.wavelength_um,
        object_spectrum=spectra.target,
        sky_spectrum=spectra.sky,
        model_spectrum=model_spectrum,
        left_spectrum=left,
        error_spectrum=error,
        scale=model.scale,
        line_mask=spectra.lines,
        sky_mask=evidence.mask,
        images=sky_images(cube, sky, clean, spectra.lines),
        subtraction=functools.partial(subtract_model, model=model),
        sky_source=sky.source,
        **found,
    )


def _mean_error(cube: Cube, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Error of the mean over some spaxels; NaN where it is not known."""
    if cube.noise is None:
        return np.full(cube.shape[0], np.nan)
    noise = np.asarray(cube.noise, dtype=float)[:, mask].T
    used = np.count_nonzero(np.isfinite(noise) & (noise > 0), axis=0)
    return divide(np.sqrt(nan_mean(noise**2)), np.sqrt(used))


def _left_over(residual: NDArray[np.float64], error: NDArray[np.float64], evidence: Evidence) -> NDArray[np.float64]:
    """Return what is neither smooth nor features of stars in a residual of the mean spectra."""
    spectra = evidence.spectra
    left = residual - beside_lines(residual, spectra.lines)
    return without_stars(left[:, None], evidence.star_features, error, spectra.continuum)[:, 0]
