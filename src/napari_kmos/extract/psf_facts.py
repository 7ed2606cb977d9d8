"""From the fit of a field to the spectrum of each of its stars, and what is told of the fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.extract.aperture import Extraction
from napari_kmos.extract.psf_model import BETA, DRIFT, EXPONENT, LN_FWHM, N_SHARED, SHIFT
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky
from napari_kmos.spectrum import PsfFit

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.extract.fields import FieldFit
    from napari_kmos.extract.parameters import PsfParameters
    from napari_kmos.extract.placing import Placed

#: A star with less of its light on data is remarked upon.
_LITTLE_LIGHT = 0.5
#: A shift of all stars is told if it is so many times its error.
_FAR_SIGMA = 3.0


def extraction_of(
    cube: Cube, fit: FieldFit | None, members: Sequence[Placed], place: int, parameters: PsfParameters
) -> Extraction:
    """Return the spectrum of one of the stars that were fitted together; all NaN without a fit."""
    nothing = np.full(cube.shape[0], np.nan)
    if fit is None:
        return Extraction(nothing, nothing, nothing, np.zeros(cube.shape[0]), 0, "no data where the star is")
    light = fit.planes.light[:, place]
    flux = np.where(light >= parameters.min_light, fit.planes.flux[:, place] * fit.scale, np.nan)
    noise = np.where(np.isfinite(flux), fit.sigma[:, place], np.nan)
    facts = psf_facts(cube, fit, members, place, parameters.blend_fwhm)
    return Extraction(
        flux=flux,
        noise=noise,
        sky=members[place].area_pix * _level(fit, place),
        coverage=light,
        n_sky=fit.background.shape[1] if len(fit.background) else 0,
        note=_remark(flux, light, facts, far_shift(cube, fit, parameters)),
        psf=facts,
    )


def far_shift(cube: Cube, fit: FieldFit, parameters: PsfParameters) -> str:
    """Say that all stars lie far from where they were given; empty if they do not, or were held."""
    scale, expected = pixel_scale_arcsec(cube.wcs), parameters.shift_error_arcsec
    moved = math.hypot(*fit.solution.theta[SHIFT]) * scale
    known = math.sqrt(max(float(np.trace(fit.solution.covariance[SHIFT, SHIFT])), 0.0)) * scale
    if not (expected > 0 and moved > _FAR_SIGMA * max(expected, known)):
        return ""
    times = f"{moved / expected:.1f} times shift_error_arcsec"
    return f"all stars lie {moved:.2f} arcsec from where they were given, {times}"


def psf_facts(cube: Cube, fit: FieldFit, members: Sequence[Placed], place: int, blend_fwhm: float) -> PsfFit:
    """Return what the fit tells of one star, on the sky."""
    theta, errors = fit.solution.theta, np.sqrt(np.maximum(np.diag(fit.solution.covariance), 0))
    scale = pixel_scale_arcsec(cube.wcs)
    fwhm = math.exp(theta[LN_FWHM]) * scale
    at = fit.model.positions(theta)[place] + [part.start for part in fit.field.box]
    ra, dec = (float(value) for value in pixel_to_sky(cube.wcs, *at))
    moved = pixel_to_sky(cube.wcs, *(at + theta[DRIFT]))
    own = slice(N_SHARED + 2 * place, N_SHARED + 2 * place + 2)
    between = np.diag(fit.solution.covariance[own, SHIFT])
    spread = errors[own] ** 2 + errors[SHIFT] ** 2 + 2 * between
    return PsfFit(
        ra=ra,
        dec=dec,
        error_arcsec=float(np.sqrt(max(spread.mean(), 0))) * scale,
        fwhm_arcsec=fwhm,
        fwhm_error_arcsec=fwhm * float(errors[LN_FWHM]),
        exponent=float(theta[EXPONENT]),
        beta=float(theta[BETA]),
        wave_um=fit.model.middle_um,
        drift_arcsec=tuple(float(part) for part in offset_arcsec(ra, dec, *map(float, moved))),  # type: ignore[arg-type]
        chi2=fit.planes.chi2,
        psf_chi2=fit.solution.chi2,
        misfit=fit.solution.misfit,
        noise_factor=float(np.sqrt(fit.inflation[place])),
        blended=_blended(fit, members, place, blend_fwhm * fwhm / scale),
    )


def _blended(fit: FieldFit, members: Sequence[Placed], place: int, closer_than: float) -> MappingProxyType[str, float]:
    """Ids of the stars nearby, and how the errors of their fluxes go with those of this one."""
    distance = np.hypot(*(fit.model.places - fit.model.places[place]).T)
    near: list[int] = np.flatnonzero(distance < closer_than).tolist()
    return MappingProxyType(
        {members[other].aperture.id: float(fit.planes.correlation[place, other]) for other in near if other != place}
    )


def _level(fit: FieldFit, place: int) -> np.ndarray:
    """Background per spaxel where a star is, shape (n_wavelength,)."""
    n_y, n_x = fit.model.shape
    y, x = (round(float(value)) for value in fit.model.places[place])
    pixel = min(max(y, 0), n_y - 1) * n_x + min(max(x, 0), n_x - 1)
    level = fit.planes.background @ fit.background[:, pixel]
    return np.asarray(level * fit.scale)


def _remark(flux: np.ndarray, light: np.ndarray, facts: PsfFit, far: str) -> str:
    """Say what is to be known of the spectrum."""
    if not np.isfinite(flux).any():
        return f"no data: at most {100 * light.max():.0f} % of the star's light falls on data"
    remarks = []
    if facts.blended:
        remarks.append(f"blended with {', '.join(facts.blended)}")
    share = float(np.median(light[np.isfinite(flux)]))
    if share < _LITTLE_LIGHT:
        remarks.append(f"only {100 * share:.0f} % of the star's light falls on data")
    return "; ".join([*remarks, far] if far else remarks)
