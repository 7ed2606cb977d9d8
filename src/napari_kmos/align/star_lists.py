"""The offset of one image against another, or a catalogue, by lists of their stars."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.images import with_noise
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.star_pairs import StarSearch, star_places
from napari_kmos.align.voting import Vote, vote
from napari_kmos.catalogue import Catalogue
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.offset import Offset
from napari_kmos.spatial.fields import centre_of, field_of, rows_near
from napari_kmos.spatial.wcs import offset_arcsec
from napari_kmos.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.align.star_parameters import StarListParameters
    from napari_kmos.cube import Image

    Floats = NDArray[np.float64]

METHOD = "stars"
_LEAST_PAIRS = 3
#: What an offset cannot be trusted below.
_FLOOR_PIX = 0.03


def measure_by_stars(
    reference: Image | Catalogue, moving: Image, *, parameters: AlignParameters | None = None
) -> Offset:
    """Measure the correction of an image by the stars found in it and in another one, or those of a catalogue.

    Parameters
    ----------
    reference : Image or Catalogue
        What is right; an image of any rotation and pixel size.
    moving : Image
        White-light image, shape (n_y, n_x); NaN is no data. It needs several stars that stand apart: combined cubes
        and mosaics have them, the IFU of an exposure of a crowded field has not.
    parameters : AlignParameters, optional
        The defaults if not given.

    Returns
    -------
    Offset
        Exposure 0 and no file, to be filled in by the caller. ``accepted`` is False, and ``note`` says why, where no
        shift stands out.

    Notes
    -----
    Every pair of a star of one list with one of the other votes for the shift between them. The mean of the pairs that
    agree is the offset; the evidence for it is that so many would not agree by chance.
    """
    parameters = parameters or AlignParameters()
    moving = with_noise(moving)
    origin = centre_of(field_of(moving))
    places = star_places(moving, origin, search_of(parameters))
    others = _reference_places(reference, moving, origin, parameters)
    radius = parameters.star_match_arcsec
    if min(len(places), len(others)) < _LEAST_PAIRS:
        found = f"{counted(len(places), 'star')} in the image and {len(others)} in the reference"
        return _refused(moving, f"no match: {found}; {_LEAST_PAIRS} are needed", parameters)
    reach = parameters.max_shift_arcsec
    votes = vote(places, others, reach=reach, radius=radius, number=2 * parameters.candidates)
    if not votes:
        return _refused(moving, "no match: no star is within reach of another", parameters)
    return _judged(moving, votes, (len(places), len(others)), parameters)


def search_of(parameters: StarListParameters) -> StarSearch:
    """Return how stars are found and matched."""
    return StarSearch(
        fwhm_arcsec=parameters.star_fwhm_arcsec,
        threshold=parameters.star_threshold,
        most=parameters.star_most,
        match_arcsec=parameters.star_match_arcsec,
    )


def _reference_places(
    reference: Image | Catalogue, moving: Image, origin: tuple[float, float], parameters: AlignParameters
) -> Floats:
    """Return the places of the reference's stars, (east, north) in arcsec from a sky position; shape (n, 2)."""
    if not isinstance(reference, Catalogue):
        return star_places(with_noise(reference), origin, search_of(parameters))
    rows = catalogue_rows(reference, moving, parameters.max_shift_arcsec, parameters.star_most)
    return np.stack(offset_arcsec(*origin, reference.ra[rows], reference.dec[rows]), axis=1)


def catalogue_rows(catalogue: Catalogue, image: Image, reach_arcsec: float, most: int) -> NDArray[np.intp]:
    """Return the rows of the brightest sources in or near an image, the brightest first."""
    rows = rows_near([field_of(image)], catalogue.ra, catalogue.dec, reach_arcsec=reach_arcsec)
    return rows[np.argsort(catalogue.magnitude[rows], kind="stable")[:most]]


def relative_flux(catalogue: Catalogue, rows: NDArray[np.intp]) -> Floats:
    """Return the fluxes of some sources over that of their median magnitude; 1 where the magnitude is not known."""
    magnitude = catalogue.magnitude[rows]
    middle = float(np.nanmedian(magnitude)) if np.isfinite(magnitude).any() else 0.0
    return np.asarray(10 ** (-0.4 * np.nan_to_num(magnitude - middle)))


def _judged(moving: Image, votes: list[Vote], numbers: tuple[int, int], parameters: AlignParameters) -> Offset:
    """Return the offset of the best vote, accepted if there is enough evidence, and more than for the next."""
    best, n_pairs = votes[0], len(votes[0].pairs)
    apart = 2 * parameters.star_match_arcsec
    others = [one for one in votes[1:] if np.hypot(*np.subtract(one.shift, best.shift)) > apart]
    margin = best.evidence - others[0].evidence if others else None
    lead = "no other shift comes near" if margin is None else f"{margin:.1f} more than for the next best shift"
    pairs = f"{n_pairs} pair{'' if n_pairs == 1 else 's'}"
    told = f"{pairs} of {numbers[0]} and {counted(numbers[1], 'star')}, evidence {best.evidence:.1f}, {lead}"
    runner_up = others[0].shift if others else None
    if n_pairs < _LEAST_PAIRS or best.evidence < parameters.star_evidence:
        refused = _refused(moving, f"no match: {told}", parameters)
        return dataclasses.replace(refused, score=best.evidence, margin=margin, runner_up=best.shift)
    floor = _FLOOR_PIX * pixel_scale_arcsec(moving.wcs)
    is_clear = margin is None or margin >= parameters.margin
    return dataclasses.replace(
        _refused(moving, told if is_clear else f"ambiguous: {told}", parameters),
        dra_arcsec=best.shift[0],
        ddec_arcsec=best.shift[1],
        err_arcsec=float(np.hypot(best.rms / np.sqrt(2 * max(n_pairs - 1, 1)), floor)),
        accepted=is_clear,
        score=best.evidence,
        margin=margin,
        runner_up=runner_up,
    )


def _refused(moving: Image, note: str, parameters: AlignParameters) -> Offset:
    """Return the offset of an image that cannot be measured."""
    err = parameters.pointing_error_arcsec
    zero = Offset(exposure=0, file="", ifu=moving.ifu, dra_arcsec=0.0, ddec_arcsec=0.0, err_arcsec=err, method=METHOD)
    return dataclasses.replace(zero, accepted=False, note=note)
