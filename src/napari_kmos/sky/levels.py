"""A factor for each upper level of the airglow, lines moved as a comb, and terms of every spaxel."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosWarning, SkyError
from napari_kmos.sky._comb import make_comb, measure_fwhm
from napari_kmos.sky._evidence import spectra_of_both
from napari_kmos.sky._level_doubt import doubtful_light
from napari_kmos.sky._level_fit import MeanTarget, fit_levels
from napari_kmos.sky._level_groups import find_groups
from napari_kmos.sky._level_lines import measure_lines
from napari_kmos.sky._level_model import LevelModel
from napari_kmos.sky._level_result import Lines, build_levels_result
from napari_kmos.sky._level_spaxels import SpaxelTerms, fit_spaxels
from napari_kmos.sky._level_spectra import (
    SpaxelSpectra,
    dark_spaxels,
    gather_spectra,
    low_continuum,
    robust_mean,
    spaxels_with_data,
)
from napari_kmos.sky._level_stars import star_features, star_templates
from napari_kmos.sky._resample import fill_gaps
from napari_kmos.sky.davies import subtract_davies
from napari_kmos.spectral.lines import vacuum_um
from napari_kmos.spectral.nan import nan_median

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.sky._lines import MeanSpectra
    from napari_kmos.sky.parameters import SkyParameters
    from napari_kmos.sky.result import SkyResult

    Floats = NDArray[np.float64]


def subtract_levels(cube: Cube, sky: Cube, parameters: SkyParameters) -> SkyResult:
    """Subtract a model of the sky lines that has a factor for each upper level, and a background of its own.

    Notes
    -----
    (1) Mean spectrum of the sky cube, and of the darkest spaxels of the object without stars. (2) The lines of the sky
    as a comb of cells finer than a plane, which can be moved without error. (3) Each cell belongs to the upper levels
    whose lines lie there: all lines from one level keep their ratios, the populations of the levels change. (4) Robust
    fit of the object's mean spectrum: a factor a level, shift, stretch, line width and a smooth continuum; the levels
    are expected to vary together by vibration, rotation and spin. (5) Gain, shift and width of each spaxel from the
    sky cube, corrected by the object's own lines where no star outshines them. (6) The lines of the model are
    subtracted, and below them a background that has no factor in common with them.

    The noise is that of the object, the error of the fit, that of the mean sky and that of the terms of the spaxel, in
    quadrature. Where the sky has hardly any lines `davies` does it, and where the fit is doubtful it is tried as well;
    if it leaves less, its result is returned with a note and a warning.
    """
    p = parameters
    target, dark_sky = _gather(cube, sky)
    dark = dark_spaxels(nan_median(target.flux), p.dark_share, p)
    seen, errors = _means(cube, target, dark_sky, dark, p)
    n_bright = _count_bright(seen, errors[1], p)
    if n_bright < p.min_pixels:
        return _fall_back(cube, sky, p, f"the sky has {n_bright} line pixels")
    lines, fitted = _fit(seen, errors, cube, p)
    in_sky = _sky_terms(lines, dark_sky, p)
    expected = in_sky.relative_to(dark)
    lines = _fit_again(lines, fitted, (target, dark, expected), p)
    terms = _object_terms(lines, target, dark, expected, p)
    result = build_levels_result(cube, sky, (target, dark, in_sky, terms), seen, lines, p)
    return _checked(result, cube, sky, p)


def _gather(cube: Cube, sky: Cube) -> tuple[SpaxelSpectra, SpaxelSpectra]:
    """Return the spaxels of the object that have data, and the same of the sky, which may be without."""
    used = spaxels_with_data(cube)
    if not (used & spaxels_with_data(sky)).any():
        msg = f"{cube.label}: no spaxel has data in both the object and the sky; give a sky that covers the field"
        raise SkyError(msg)
    return gather_spectra(cube, used), gather_spectra(sky, used)


def _means(
    cube: Cube, target: SpaxelSpectra, sky: SpaxelSpectra, dark: NDArray[np.bool_], p: SkyParameters
) -> tuple[MeanSpectra, tuple[Floats, Floats]]:
    """Return mean spectra of the dark spaxels of the object and of those of the sky without stars, and their errors."""
    found, error = robust_mean(target.flux[:, dark], target.noise[:, dark], p.voxel_clip)
    free = _without_stars(nan_median(sky.flux), p)
    sky_found, sky_error = robust_mean(sky.flux[:, free], sky.noise[:, free], p.voxel_clip)
    return spectra_of_both(cube, found, sky_found, p), (error, sky_error)


def _without_stars(white: Floats, p: SkyParameters) -> NDArray[np.bool_]:
    """Return the spaxels of the sky that show sky: all but stars, or the dark ones if the stars are so many or bright.

    The wings of those would be in all that do not stand out.
    """
    free = dark_spaxels(white, 1.0, p)
    return free if free.mean() > 1 - p.sky_crowded else dark_spaxels(white, p.dark_share, p)


def _count_bright(seen: MeanSpectra, sky_error: Floats, p: SkyParameters) -> int:
    """Return the number of line pixels that stand out of the noise of the mean sky."""
    above = seen.sky - low_continuum(fill_gaps(seen.sky[:, None])[:, 0], p)
    return int(np.count_nonzero(seen.lines & (above > p.bright_sigma * sky_error)))


def _fit(seen: MeanSpectra, errors: tuple[Floats, Floats], cube: Cube, p: SkyParameters) -> tuple[Lines, MeanTarget]:
    """Make the comb of the sky and fit it to the object."""
    filled = [fill_gaps(spectrum[:, None])[:, 0] for spectrum in (seen.sky, *errors)]
    continuum = low_continuum(filled[0], p)
    wave = vacuum_um(cube.wavelength, cube.medium)
    above, listed = filled[0] - continuum, find_groups(wave, p.comb_reach, p.faintest)
    fwhm = measure_fwhm(above, p)
    groups = measure_lines(listed, above, filled[2], fwhm, p)
    comb = make_comb(above, filled[2], groups, fwhm, p)
    model = LevelModel(comb, groups.shares(comb.spread, p.label_sigma, p), float(np.median(filled[2])))
    known = np.isfinite(seen.target) & np.isfinite(seen.sky)
    sigma = np.where(known, np.hypot(filled[1], filled[2]), np.inf)
    fitted = MeanTarget(seen.target - continuum, sigma, groups.prior(p))
    return Lines(groups, model, fit_levels(model, fitted, p), continuum, filled[2], sigma), fitted


def _fit_again(
    lines: Lines, fitted: MeanTarget, spaxels: tuple[SpaxelSpectra, NDArray[np.bool_], SpaxelTerms], p: SkyParameters
) -> Lines:
    """Fit again with what the first fit tells: light whose level is in doubt, and starlight.

    Features of the stars whose faint light is in the dark spaxels would be taken for lines of the sky. Their spectra
    are those of the spaxels that are not dark less that of the dark; features of stars that are bright nowhere are
    broader than lines.
    """
    doubtful = doubtful_light(lines.groups, lines.model, lines.fit, fitted.sigma, p)
    starlight = None if spaxels[1].all() else _starlight(lines, fitted, spaxels, p)
    features = star_features(lines.fit.continuum, p)
    fitted = dataclasses.replace(fitted, starlight=starlight, doubtful=doubtful, features=features)
    fit = fit_levels(lines.model, fitted, p, start=lines.fit)
    return dataclasses.replace(lines, fit=fit, starlight=starlight)


def _starlight(
    lines: Lines, fitted: MeanTarget, spaxels: tuple[SpaxelSpectra, NDArray[np.bool_], SpaxelTerms], p: SkyParameters
) -> Floats:
    """Return the spectra of the stars in the field."""
    target, dark, terms = spaxels
    left = target.flux - lines.in_object().of_spaxels(terms.values)
    level = robust_mean(left[:, dark], target.noise[:, dark], p.voxel_clip)[0]
    light = SpaxelSpectra(left[:, ~dark] - level[:, None], target.noise[:, ~dark], target.used)
    return star_templates(light, fitted.sigma, p)


def _sky_terms(lines: Lines, sky: SpaxelSpectra, p: SkyParameters) -> SpaxelTerms:
    """Return gain, shift and width of each spaxel of the sky cube, and how much those of the object may differ."""
    n = sky.flux.shape[1]
    expected = np.diag(np.square([p.spaxel_gain, p.spaxel_shift, p.spaxel_width]))
    free = SpaxelTerms(np.zeros((3, n)), np.broadcast_to(p.spaxel_free**2 * expected, (n, 3, 3)))
    found = fit_spaxels(sky.flux, sky.noise, lines.in_sky(), free, p).values
    return SpaxelTerms(found, np.broadcast_to(expected, (n, 3, 3)))


def _object_terms(
    lines: Lines, target: SpaxelSpectra, dark: NDArray[np.bool_], expected: SpaxelTerms, p: SkyParameters
) -> SpaxelTerms:
    """Correct the terms of the spaxels by the object's own lines, which count for less where there is starlight."""
    white = nan_median(target.flux)
    starlight = np.maximum(white - np.median(white[dark]), 0.0)
    noise = np.hypot(target.noise, p.star_features * starlight)
    return fit_spaxels(target.flux, noise, lines.in_object(), expected, p)


def _checked(result: SkyResult, cube: Cube, sky: Cube, p: SkyParameters) -> SkyResult:
    """Return the result, or that of `davies` where the fit is doubtful and `davies` leaves less."""
    left = [band.residual_over_noise for band in result.bands if np.isfinite(band.residual_over_noise)]
    if abs(result.shift_pix) < p.max_shift and np.all(np.array(left) <= p.doubt):
        return result
    most = max(left, default=float("nan"))
    why = f"the fit leaves up to {most:.1f} times its error, at a shift of {result.shift_pix:.2f}"
    other = _fall_back(cube, sky, p, why, warn=False)
    if other.rms_after < result.rms_after:
        _warn(cube, why)
        return other
    return result


def _fall_back(cube: Cube, sky: Cube, p: SkyParameters, why: str, *, warn: bool = True) -> SkyResult:
    """Return what `davies` makes of it, with the reason."""
    if warn:
        _warn(cube, why)
    return dataclasses.replace(subtract_davies(cube, sky, p), note=f"davies instead of levels: {why}")


def _warn(cube: Cube, why: str) -> None:
    msg = f"{cube.label}: levels is doubtful ({why}); davies is used instead"
    warnings.warn(msg, KmosWarning, stacklevel=4)
