"""The offset of one image against a catalogue: a model of its stars, fitted to the image."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.correlation import best_shifts
from napari_kmos.align.images import with_noise
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.star_lists import catalogue_rows, relative_flux
from napari_kmos.align.star_model import ModelErrors, Profile, StarFit, StarModel
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError, KmosWarning
from napari_kmos.offset import Offset
from napari_kmos.spatial.fields import centre_of, is_inside, rows_near
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky, sky_to_pixel
from napari_kmos.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.catalogue import Catalogue
    from napari_kmos.cube import Image
    from napari_kmos.spatial.fields import Field

    Floats = NDArray[np.float64]

METHOD = "catalogue"
#: A fit of all stars of a larger field takes too long, and its many stars are found as a list as well.
_MOST_PIXELS = 64 * 64
_MIN_PIXELS = 12
#: Shifts closer than this are the same, found twice.
_SAME_PIX = 0.8
#: Pixels that one independent piece of an image has, about the area of a star.
_PIXELS_PER_PIECE = 12.0
_HIGHEST_CORRELATION = 0.999
#: What an offset cannot be trusted below, and by how much errors from the curvature of the fit are too small, in
#: simulations: stars are not round and alike, and there are those too faint for a catalogue.
_FLOOR_PIX, _MODEL_FACTOR = 0.03, 1.25
#: An image without structure above its noise shows no star.
_LEAST_STRUCTURE = 5.0
#: So many columns of a catalogue are told in a warning.
_MOST_COLUMNS = 12


@dataclasses.dataclass(frozen=True, slots=True)
class _Candidate:
    """A fit and how much speaks for it."""

    fit: StarFit
    evidence: float


def check_overlap(catalogue: Catalogue, fields: Sequence[Field]) -> None:
    """Refuse a catalogue none of whose sources lies in any of the fields.

    Raises
    ------
    AlignmentError
        If there is none.
    """
    rows = rows_near(fields, catalogue.ra, catalogue.dec)
    if any(is_inside(field, catalogue.ra[rows], catalogue.dec[rows]).any() for field in fields):
        return
    ra, dec = centre_of(fields[0])
    msg = (
        f"{catalogue.label}: none of its {len(catalogue)} sources lies in the fields (about RA {ra:.4f}, "
        f"Dec {dec:.4f}); choose another catalogue or other columns (--ra, --dec)"
    )
    raise AlignmentError(msg)


def check_magnitudes(catalogue: Catalogue, fields: Sequence[Field]) -> None:
    """Warn of a catalogue that does not tell which of its sources in some fields are bright.

    Warns
    -----
    KmosWarning
        If it has no column of magnitudes, or that has no numbers there, or one only for several sources.
    """
    known = catalogue.magnitude[rows_near(fields, catalogue.ra, catalogue.dec)]
    n_different = len(np.unique(known[np.isfinite(known)]))
    if n_different >= min(2, max(len(known), 1)):
        return
    why = "no column is known as a magnitude"
    if catalogue.magnitude_name:
        what = "is the same for all sources" if n_different else "has no numbers"
        why = f"its magnitude, {catalogue.magnitude_name}, {what} in the fields"
    columns = catalogue.table.colnames
    shown = ", ".join(columns[:_MOST_COLUMNS]) + (", ..." if columns[_MOST_COLUMNS:] else "")
    text = f"{catalogue.label}: {why}: all stars count as equally bright, and hardly any field will be matched; choose "
    warnings.warn(text + f"another column (--magnitude); it has {shown}", KmosWarning, stacklevel=3)


def measure_by_catalogue(image: Image, catalogue: Catalogue, *, parameters: AlignParameters | None = None) -> Offset:
    """Measure the correction of an image against a catalogue by a model of its stars.

    Parameters
    ----------
    image : Image
        White-light image of an IFU, shape (n_y, n_x); NaN is no data. Without noise, it is estimated.
    catalogue : Catalogue
        With the positions of the date of the image; magnitudes in a band near that of the image. Sources without
        magnitude are as bright as the median of the others.
    parameters : AlignParameters, optional
        The defaults if not given.

    Returns
    -------
    Offset
        Exposure 0 and no file, to be filled in by the caller. ``accepted`` is False, and ``note`` says why, where no
        shift stands out.

    Raises
    ------
    AlignmentError
        If the image is larger than 64 x 64 pixels.

    Notes
    -----
    The stars of the catalogue with a common gain, width and background are laid over the image at all whole-pixel
    shifts; each star's flux may differ at a price. Around the best few, shift and width are fitted, with the places
    of the stars free too, by as much as the catalogue's positions err; bright stars that are seen and not known are
    added then. The evidence for a shift is that the misfit is smaller than at others, and that the image and the model
    with the fluxes of the catalogue rank their pixels alike, and what the header is trusted to.
    """
    parameters = parameters or AlignParameters()
    n_y, n_x = image.data.shape
    if n_y * n_x > _MOST_PIXELS:
        msg = f"{image.name or 'the image'}: {n_y} x {n_x} pixels are too many for method catalogue; use method stars"
        raise AlignmentError(msg)
    image = with_noise(image)
    scale = pixel_scale_arcsec(image.wcs)
    stars = _stars_near(image, catalogue, parameters)
    reason = _why_hopeless(image, stars)
    if reason:
        return _refused(image, reason, parameters)
    noise = float(np.nanmedian(np.asarray(image.noise)))
    errors = ModelErrors(
        light=parameters.model_error, flux=parameters.flux_error, position_pix=parameters.position_error_arcsec / scale
    )
    model = StarModel(np.asarray(image.data, dtype=float), noise, stars, errors)
    candidates = _candidates(model, scale, parameters)
    if not candidates:
        return _refused(image, "no match: no shift puts stars of the catalogue where there is light", parameters)
    return _judged(image, model, candidates, parameters)


def _stars_near(image: Image, catalogue: Catalogue, parameters: AlignParameters) -> Floats:
    """Return y, x and flux of the sources that can lie in the image, shape (3, n)."""
    reach_arcsec = parameters.max_shift_arcsec + 2 * parameters.star_fwhm_arcsec
    reach = reach_arcsec / pixel_scale_arcsec(image.wcs)
    rows = catalogue_rows(catalogue, image, reach_arcsec, parameters.star_most)
    y, x = sky_to_pixel(image.wcs, catalogue.ra[rows], catalogue.dec[rows])
    stars = np.stack([y, x, relative_flux(catalogue, rows)])
    n_y, n_x = image.data.shape
    near = (np.abs(y - (n_y - 1) / 2) < n_y / 2 + reach) & (np.abs(x - (n_x - 1) / 2) < n_x / 2 + reach)
    return np.asarray(stars[:, near])


def _why_hopeless(image: Image, stars: Floats) -> str:
    """Say why nothing can be measured; empty if it can be tried."""
    data = image.data[np.isfinite(image.data)]
    if data.size < _MIN_PIXELS:
        return f"no match: {data.size} spaxels with data"
    if not stars.shape[1]:
        return "no match: no star of the catalogue lies in the field"
    noise = float(np.nanmedian(np.asarray(image.noise)))
    if np.percentile(data, 99) - np.median(data) < _LEAST_STRUCTURE * noise:
        return "no match: no star is seen"
    return ""


def _candidates(model: StarModel, scale: float, parameters: AlignParameters) -> list[_Candidate]:
    """Fits near the best whole-pixel shifts, that with most evidence first."""
    reach = int(np.ceil(parameters.max_shift_arcsec / scale))
    profile = Profile(parameters.star_fwhm_arcsec / scale, parameters.star_power)
    misfits = model.misfits(reach, profile)
    chance = model.chance(reach, profile)
    if not np.isfinite(chance):
        return []
    starts = best_shifts(-misfits, parameters.candidates)
    fits = [fit for fit in (model.fit(start, profile) for start in starts) if fit is not None and fit.gain > 0]
    found = [_Candidate(fit, _evidence(fit, chance, scale, parameters)) for fit in fits]
    return sorted(found, key=lambda one: -one.evidence)


def _evidence(fit: StarFit, chance: float, scale: float, parameters: AlignParameters) -> float:
    """Logarithm of the odds that the image shows the stars where the fit has them.

    The scale of the misfit is not known: of n independent pieces, the likelihood goes with its power -n/2, against that
    of any other shift. For pairs of normal values of correlation r it goes with (1 - r^2)^(-n/2), against chance. The
    shift has a normal prior, that of the pointing of a header.
    """
    pieces = fit.n_pixels / _PIXELS_PER_PIECE
    correlation = float(np.clip(fit.correlation, 0, _HIGHEST_CORRELATION))
    arcsec = float(np.hypot(*fit.shift)) * scale
    odds = np.log(chance / fit.cost) - np.log(1 - correlation**2)
    return pieces / 2 * float(odds) - (arcsec / parameters.pointing_error_arcsec) ** 2 / 4


def _judged(image: Image, model: StarModel, candidates: Sequence[_Candidate], parameters: AlignParameters) -> Offset:
    """Return the offset of the best candidate, accepted if there is enough evidence, and more than for the next."""
    best = candidates[0]
    others = [one for one in candidates[1:] if np.hypot(*np.subtract(one.fit.shift, best.fit.shift)) > _SAME_PIX]
    margin = best.evidence - others[0].evidence if others else None
    lead = "no other shift comes near" if margin is None else f"{margin:.1f} more than for the next best shift"
    if best.evidence < parameters.catalogue_evidence:
        note = f"no match: evidence {best.evidence:.1f}, {parameters.catalogue_evidence:g} is needed; {lead}"
        none = _refused(image, note, parameters)
        return dataclasses.replace(none, score=best.evidence, runner_up=_correction(image, best.fit.shift))
    fit = model.completed(best.fit, parameters.star_power)
    scale = pixel_scale_arcsec(image.wcs)
    dra, ddec = _correction(image, fit.shift)
    reason = ""
    if margin is not None and margin < parameters.margin:
        reason = "ambiguous: "
    elif fit.at_limit:
        reason = f"fit ended at a limit of shift or width ({fit.fwhm_pix * scale:.2f} arcsec): "
    return dataclasses.replace(
        _refused(image, f"{reason}evidence {best.evidence:.1f}, {lead}; {counted(fit.n_stars, 'star')}", parameters),
        dra_arcsec=dra,
        ddec_arcsec=ddec,
        err_arcsec=_MODEL_FACTOR * float(np.hypot(fit.err_pix, _FLOOR_PIX)) * scale,
        accepted=not reason,
        score=best.evidence,
        margin=margin,
        runner_up=_correction(image, others[0].fit.shift) if others else None,
    )


def _refused(image: Image, note: str, parameters: AlignParameters) -> Offset:
    """Return the offset of an image that cannot be measured."""
    err = parameters.pointing_error_arcsec
    zero = Offset(exposure=0, file="", ifu=image.ifu, dra_arcsec=0.0, ddec_arcsec=0.0, err_arcsec=err, method=METHOD)
    return dataclasses.replace(zero, accepted=False, note=note)


def _correction(image: Image, shift: tuple[float, float]) -> tuple[float, float]:
    """Return on the sky what has to be added where stars lie ``shift`` from where the header places them."""
    n_y, n_x = image.data.shape
    y, x = (n_y - 1) / 2, (n_x - 1) / 2
    seen, right = pixel_to_sky(image.wcs, y + shift[0], x + shift[1]), pixel_to_sky(image.wcs, y, x)
    return offset_arcsec(*seen, *right)
