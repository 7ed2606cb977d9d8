"""The offset of one image against another, and whether it can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.correlation import best_shifts, correlate, stretch
from napari_kmos.align.images import with_noise
from napari_kmos.align.matching import Match, Pair
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.offset import Offset
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_pixel, pixel_to_sky, window_wcs

if TYPE_CHECKING:
    from napari_kmos.cube import Image

#: Shifts closer than this are the same, found twice.
_SAME_PIX = 0.8
#: What a match cannot be trusted below, for the PSFs of two exposures differ in more than width.
_FLOOR_PIX = 0.03
#: By how much errors from the curvature of the fit are too small, in simulations: PSFs differ alike in many pixels.
_MODEL_FACTOR = 1.25
_MIN_PIXELS = 12
#: Pixels that one independent piece of an image has, about the area of a star.
_PIXELS_PER_PIECE = 12.0
_HIGHEST_CORRELATION = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """An image with its offset and, where it was matched, its flux scale."""

    image: Image
    offset: Offset
    gain: float = 1.0
    background: float = 0.0


def measure_offset(reference: Image, moving: Image, *, parameters: AlignParameters | None = None) -> Offset:
    """Measure the correction of one image against another by correlation.

    Parameters
    ----------
    reference, moving : Image
        White-light images, shape (n_y, n_x), of any rotation and spaxel size; NaN is no data. Without noise, 1 % of the
        range of the image is taken.
    parameters : AlignParameters, optional
        The defaults if not given.

    Returns
    -------
    Offset
        Exposure 0 and no file, to be filled in by the caller. ``accepted`` is False, and ``note`` says why, where no
        shift stands out.

    Notes
    -----
    Masked normalised cross-correlation of the images, compressed by an asinh, over all whole-pixel shifts; the best few
    are refined by a robust fit of shift, gain, background and difference in seeing to the moving image. The shift
    for which there is most evidence, from the rank correlation of the two and from what headers are trusted to, is
    accepted if there is enough of it, and clearly more than for the next one.
    """
    return measure_image(reference, moving, parameters or AlignParameters()).offset


def measure_image(reference: Image, moving: Image, parameters: AlignParameters) -> Aligned:
    """Measure and judge the shift of one image against another, as `measure_offset`, and keep its flux scale."""
    reference, moving = with_noise(reference), with_noise(moving)
    matches = _matches(reference, moving, parameters)
    zero = Offset(exposure=0, file="", ifu=moving.ifu, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0, method="correlation")
    if not matches:
        err = parameters.pointing_error_arcsec
        note = "no common sky with light in it"
        return Aligned(image=moving, offset=dataclasses.replace(zero, err_arcsec=err, accepted=False, note=note))
    best, rest = matches[0], matches[1:]
    accepted, note = _judge(best, rest, pixel_scale_arcsec(reference.wcs), parameters)
    dra, ddec = _correction(reference, moving, best.shift)
    err = _MODEL_FACTOR * float(np.hypot(best.err_pix, _FLOOR_PIX)) * pixel_scale_arcsec(reference.wcs)
    offset = dataclasses.replace(zero, dra_arcsec=dra, ddec_arcsec=ddec, err_arcsec=err, accepted=accepted, note=note)
    return Aligned(image=moving, offset=offset, gain=best.gain, background=best.background)


def _correction(reference: Image, moving: Image, shift: tuple[float, float]) -> tuple[float, float]:
    """Return on the sky what a shift in pixels of the reference is at the centre of the moving image."""
    n_y, n_x = moving.data.shape
    y, x = pixel_to_pixel(moving.wcs, reference.wcs, (n_y - 1) / 2, (n_x - 1) / 2)
    before, after = pixel_to_sky(reference.wcs, y, x), pixel_to_sky(reference.wcs, y + shift[0], x + shift[1])
    return offset_arcsec(*before, *after)


def _matches(reference: Image, moving: Image, parameters: AlignParameters) -> list[Match]:
    """Fits near the best whole-pixel shifts, the one with most evidence first."""
    scale = pixel_scale_arcsec(reference.wcs)
    data = np.asarray(reference.data, dtype=float)
    reach = int(np.ceil(parameters.max_shift_arcsec / scale))
    shape = (data.shape[0] + 2 * reach, data.shape[1] + 2 * reach)
    grid = window_wcs(reference.wcs, -reach, -reach)
    n_y, n_x = moving.data.shape
    resampler = make_resampler(moving.wcs, (n_y, n_x), grid, shape, flux=False)
    if resampler is None or not np.isfinite(data).any() or not np.isfinite(moving.data).any():
        return []
    there = np.full(shape, np.nan)
    there[resampler.window] = resampler.apply(moving.data[None])[0][0]
    here = np.pad(data, reach, constant_values=np.nan)
    correlation = correlate(
        stretch(here, np.asarray(reference.noise)),
        stretch(there, np.asarray(moving.noise)),
        reach=reach,
        min_overlap=parameters.min_overlap,
    )
    pair = Pair(reference, moving, parameters.model_error)
    needed = max(_MIN_PIXELS, int(parameters.min_overlap * np.isfinite(moving.data).sum()))
    fits = [pair.match((-dy, -dx), min_pixels=needed) for dy, dx in best_shifts(correlation, parameters.candidates)]
    return sorted((fit for fit in fits if fit is not None), key=lambda fit: -_evidence(fit, scale, parameters))


def _judge(best: Match, rest: Sequence[Match], scale: float, parameters: AlignParameters) -> tuple[bool, str]:
    """Tell whether a match can be trusted, and why."""
    evidence = _evidence(best, scale, parameters)
    others = [one for one in rest if np.hypot(*np.subtract(one.shift, best.shift)) > _SAME_PIX]
    lead = min((evidence - _evidence(one, scale, parameters) for one in others), default=np.inf)
    runner_up = f"{lead:.1f} more than for the next best shift" if others else "no other shift comes near"
    numbers = f"evidence {evidence:.1f}, {runner_up}"
    if evidence < parameters.min_evidence:
        return False, f"no clear match: {numbers}"
    if lead < parameters.margin:
        return False, f"ambiguous: {numbers}"
    if best.at_limit:
        return False, f"fit ended at a limit of shift, seeing or gain {best.gain:.2f}: {numbers}"
    return True, numbers


def _evidence(match: Match, scale: float, parameters: AlignParameters) -> float:
    """Logarithm of the odds that two images show the same sky, against chance, the header's pointing included.

    For n independent pairs of normal values the likelihoods with and without correlation r differ by the factor
    (1 - r^2)^(-n/2); the shift has a normal prior, its variance that of the pointing errors of two headers.
    """
    pieces = match.n_pixels / _PIXELS_PER_PIECE
    correlation = float(np.clip(match.correlation, 0, _HIGHEST_CORRELATION))
    arcsec = float(np.hypot(*match.shift)) * scale
    return -pieces / 2 * float(np.log(1 - correlation**2)) - (arcsec / parameters.pointing_error_arcsec) ** 2 / 4
