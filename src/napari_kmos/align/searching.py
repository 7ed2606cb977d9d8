"""Which shifts bring two images onto each other, and how much speaks for each of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.correlation import best_shifts, correlate, stretch
from napari_kmos.align.images import cut_near
from napari_kmos.align.matching import Match, Pair
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.smoothing import diffuse
from napari_kmos.spatial.wcs import image_grid, offset_arcsec, pixel_to_pixel, pixel_to_sky, shift_wcs, window_wcs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.align.parameters import AlignParameters
    from napari_kmos.cube import Image

_MIN_PIXELS = 12
#: Pixels that one independent piece of an image has, about the area of a star.
_PIXELS_PER_PIECE = 12.0
_HIGHEST_CORRELATION = 0.999
#: Ratios of pixel sides beyond this are another sampling.
_SAME_SIDE = 1.2
#: What a match cannot be trusted below, for the PSFs of two exposures differ in more than width.
_FLOOR_PIX = 0.02
#: By how much errors from the curvature of the fit are too small, in simulations: PSFs differ alike in many pixels.
_MODEL_FACTOR = 1.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A shift, on the sky.

    Parameters
    ----------
    match : Match
        The fit, in pixels of the reference.
    offset : tuple of float
        Correction of the moving image, (dRA cos Dec, dDec) in arcsec.
    err_arcsec : float
        1 sigma of each.
    evidence : float
        Logarithm of the odds that two images show the same sky, against chance; see `find_candidates`.
    """

    match: Match
    offset: tuple[float, float]
    err_arcsec: float
    evidence: float


def find_candidates(reference: Image, moving: Image, parameters: AlignParameters) -> list[Candidate]:
    """Fit near the best whole-pixel shifts.

    Parameters
    ----------
    reference, moving : Image
        With noise, in one unit, of any rotation and spaxel size.
    parameters : AlignParameters
        How.

    Returns
    -------
    list of Candidate
        The one with most evidence first; empty if the two have no sky with data in common.

    Notes
    -----
    For n independent pairs of normal values the likelihoods with and without correlation r differ by the factor
    (1 - r^2)^(-n/2). Shift, gain and difference in seeing have normal priors; the variance of the shift is that of the
    pointing errors of two headers.
    """
    try:
        reference = _comparable(reference, moving, parameters)
    except AlignmentError:
        return []
    fits = _fits(reference, moving, _first_shifts(reference, moving, parameters), parameters)
    return sorted(fits, key=lambda one: -one.evidence)


def fit_near(
    reference: Image, moving: Image, offset: tuple[float, float], parameters: AlignParameters
) -> Candidate | None:
    """Fit near a correction (dRA cos Dec, dDec) in arcsec; None if too little sky is in common there."""
    reference = _comparable(reference, moving, parameters)
    n_y, n_x = moving.data.shape
    middle = (n_y - 1) / 2, (n_x - 1) / 2
    before, after = (
        pixel_to_pixel(wcs, reference.wcs, *middle) for wcs in (moving.wcs, shift_wcs(moving.wcs, *offset))
    )
    fits = _fits(reference, moving, [(before[0] - after[0], before[1] - after[1])], parameters)
    return fits[0] if fits else None


def chance_evidence(reference: Image, moving: Image, parameters: AlignParameters) -> float:
    """Return the most evidence with which the moving image matches when it is turned or mirrored.

    That is what fields as bright, crowded and sharp as these reach where nothing belongs together: a single star is
    found on a single star, and light that falls off to one side on light that does so too.
    """
    once = dataclasses.replace(parameters, candidates=1)
    found = [find_candidates(reference, turned, once) for turned in _turned(moving)]
    return max((candidates[0].evidence for candidates in found if candidates), default=0.0)


def _turned(image: Image) -> Iterator[Image]:
    """Yield an image in the seven other ways in which its pixels can be mirrored and turned, its centre kept."""
    n_y, n_x = image.data.shape
    across = window_wcs(image.wcs, (n_y - n_x) / 2, (n_x - n_y) / 2)
    for data, wcs in ((image.data, image.wcs), (image.data.T, across)):
        for turned in (data, data[::-1], data[:, ::-1], data[::-1, ::-1]):
            if turned is not image.data:
                yield dataclasses.replace(image, data=turned, noise=np.full(turned.shape, _level(image)), wcs=wcs)


def _comparable(reference: Image, moving: Image, parameters: AlignParameters) -> Image:
    """Return the part of the reference that is needed, sampled as the moving image."""
    return _sampled_alike(cut_near(reference, moving, reach_arcsec=parameters.max_shift_arcsec), moving)


def _fits(
    reference: Image,
    moving: Image,
    shifts: Sequence[tuple[float, float]],
    parameters: AlignParameters,
) -> list[Candidate]:
    """Fit near shifts (dy, dx) of the moving image, in pixels."""
    pair = Pair(reference, moving, model_error=parameters.model_error, gain_error=parameters.gain_error)
    needed = max(_MIN_PIXELS, int(parameters.min_overlap * np.isfinite(moving.data).sum()))
    found = (pair.match((-dy, -dx), min_pixels=needed) for dy, dx in shifts)
    return [_candidate(reference, moving, one, parameters) for one in found if one is not None]


def _first_shifts(reference: Image, moving: Image, parameters: AlignParameters) -> list[tuple[int, int]]:
    """Return the whole-pixel shifts (dy, dx) at which the images correlate best."""
    reach = int(np.ceil(parameters.max_shift_arcsec / pixel_scale_arcsec(reference.wcs)))
    here = np.pad(reference.data.astype(float), reach, constant_values=np.nan)
    there = _on_grid(moving, window_wcs(reference.wcs, -reach, -reach), (here.shape[0], here.shape[1]))
    if not np.isfinite(there).any():
        return []
    stretched = (stretch(here, np.asarray(reference.noise)), stretch(there, np.asarray(moving.noise)))
    correlation = correlate(*stretched, reach=reach, min_overlap=parameters.min_overlap)
    return best_shifts(correlation, parameters.candidates)


def _candidate(reference: Image, moving: Image, match: Match, parameters: AlignParameters) -> Candidate:
    """Return a fit as a correction at the centre of the moving image."""
    scale = pixel_scale_arcsec(reference.wcs)
    n_y, n_x = moving.data.shape
    y, x = pixel_to_pixel(moving.wcs, reference.wcs, (n_y - 1) / 2, (n_x - 1) / 2)
    before, after = (pixel_to_sky(reference.wcs, y + dy, x + dx) for dy, dx in ((0.0, 0.0), match.shift))
    pieces = match.n_pixels / _PIXELS_PER_PIECE
    correlation = float(np.clip(match.correlation, 0, _HIGHEST_CORRELATION))
    pointing = (float(np.hypot(*match.shift)) * scale / parameters.pointing_error_arcsec) ** 2 / 4
    evidence = match.odds - pieces / 2 * float(np.log(1 - correlation**2)) - pointing
    offset = offset_arcsec(*before, *after)
    err = float(np.hypot(_MODEL_FACTOR * match.err_pix, _FLOOR_PIX)) * scale
    return Candidate(match=match, offset=offset, err_arcsec=err, evidence=evidence)


def _sampled_alike(reference: Image, moving: Image) -> Image:
    """Return the reference with pixels about as large as those of the moving image."""
    own, wanted = pixel_scale_arcsec(reference.wcs), pixel_scale_arcsec(moving.wcs)
    if 1 / _SAME_SIDE < wanted / own < _SAME_SIDE:
        return reference
    shape = (reference.data.shape[0], reference.data.shape[1])
    wcs, wanted_shape = image_grid([(reference.wcs, shape)], scale_arcsec=wanted)
    # a pixel of the wanted size is as broad as a Gaussian of this variance
    missing = ~np.isfinite(reference.data)
    broadened = diffuse(
        np.where(missing, np.nanmedian(reference.data), reference.data), max(0, (wanted / own) ** 2 - 1) / 12
    )
    data = _on_grid(dataclasses.replace(reference, data=np.where(missing, np.nan, broadened)), wcs, wanted_shape)
    return dataclasses.replace(reference, data=data, noise=np.full(wanted_shape, _level(reference)), wcs=wcs)


def _on_grid(image: Image, wcs: WCS, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the values of an image on another grid, NaN where it does not reach."""
    result = np.full(shape, np.nan)
    resampler = make_resampler(image.wcs, (image.data.shape[0], image.data.shape[1]), wcs, shape, flux=False)
    if resampler is not None:
        result[resampler.window] = resampler.apply(image.data[None])[0][0]
    return result


def _level(image: Image) -> float:
    return float(np.nanmedian(np.asarray(image.noise, dtype=float)))
