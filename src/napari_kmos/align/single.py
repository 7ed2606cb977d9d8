"""The offset of one image against another, and whether it can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.images import as_seen_by, cut_near, in_unit_of, with_noise
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.searching import Candidate, chance_evidence, find_candidates, fit_near
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.offset import Offset

if TYPE_CHECKING:
    from napari_kmos.cube import Image

#: Shifts closer than this are the same, found twice.
_SAME_PIX = 0.8
#: The ratio of star light is known to so much where units differ, in its logarithm.
_UNIT_ERROR = 0.5


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
        White-light images, shape (n_y, n_x), of any rotation and spaxel size; NaN is no data. Without noise, it is
        estimated where the image is dark.
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
    accepted if there is enough of it, and clearly more than for the next one and than where the moving image is turned
    or mirrored, so that it cannot belong there.
    """
    return measure_image(reference, moving, parameters or AlignParameters()).offset


def measure_image(reference: Image, moving: Image, parameters: AlignParameters) -> Aligned:
    """Measure and judge the shift of one image against another, as `measure_offset`, and keep its flux scale."""
    try:
        near = cut_near(reference, moving, reach_arcsec=parameters.max_shift_arcsec)
    except AlignmentError as err:
        return Aligned(image=moving, offset=unmatched(moving, str(err), parameters))
    scaled, unit = in_unit_of(moving, as_seen_by(moving, near))
    if unit != 1:
        parameters = dataclasses.replace(parameters, gain_error=_UNIT_ERROR)
    reference, moving = with_noise(scaled), with_noise(moving)
    candidates = find_candidates(reference, moving, parameters)
    if not candidates:
        return Aligned(image=moving, offset=unmatched(moving, "too little sky in common", parameters))
    gain, background = candidates[0].match.gain * unit, candidates[0].match.background
    offset = _judged(reference, moving, candidates, parameters)
    return Aligned(image=moving, offset=offset, gain=gain, background=background)


def unmatched(moving: Image, why: str, parameters: AlignParameters) -> Offset:
    """Return the offset of an image that nothing can be said of."""
    return Offset(
        exposure=0,
        file="",
        ifu=moving.ifu,
        dra_arcsec=0,
        ddec_arcsec=0,
        err_arcsec=parameters.pointing_error_arcsec,
        method="correlation",
        accepted=False,
        note=f"no match: {why}",
    )


def _judged(reference: Image, moving: Image, candidates: Sequence[Candidate], parameters: AlignParameters) -> Offset:
    """Return the offset of the best candidate, and whether it can be trusted."""
    best, second = candidates[0], _runner_up(candidates, pixel_scale_arcsec(reference.wcs))
    if best.match.seeing_pix2 < 0:
        best = _swapped(reference, moving, best, parameters)
    margin = None if second is None else best.evidence - second.evidence
    why_not = _why_not(best, margin, parameters) or _why_by_chance(reference, moving, best, parameters)
    return Offset(
        exposure=0,
        file="",
        ifu=moving.ifu,
        dra_arcsec=best.offset[0],
        ddec_arcsec=best.offset[1],
        err_arcsec=best.err_arcsec,
        method="correlation",
        accepted=not why_not,
        note=_note(best, margin, why_not),
        score=best.evidence,
        margin=margin,
        runner_up=None if second is None else second.offset,
    )


def _swapped(reference: Image, moving: Image, best: Candidate, parameters: AlignParameters) -> Candidate:
    """Return a match with the place that is found when the sharper image is the one that is shifted and smoothed.

    Smoothed data and a smooth model say less of each other; the evidence stays that by which it was chosen.
    """
    again = fit_near(moving, reference, (-best.offset[0], -best.offset[1]), parameters)
    if again is None or again.match.at_limit:
        return best
    return dataclasses.replace(best, offset=(-again.offset[0], -again.offset[1]), err_arcsec=again.err_arcsec)


def _runner_up(candidates: Sequence[Candidate], scale: float) -> Candidate | None:
    """Return the next best candidate that is another shift than the best."""
    best, *rest = candidates
    apart = (one for one in rest if np.hypot(*np.subtract(one.offset, best.offset)) > _SAME_PIX * scale)
    return next(apart, None)


def _why_not(best: Candidate, margin: float | None, parameters: AlignParameters) -> str:
    """Say why a match cannot be trusted; nothing if it can."""
    if best.evidence < parameters.min_evidence:
        return "nothing stands out"
    if margin is not None and margin < parameters.margin:
        return "two shifts are alike"
    if best.match.at_limit:
        return f"the fit ended at a limit of shift, seeing or gain {best.match.gain:.2f}"
    if best.err_arcsec > parameters.max_error_arcsec:
        return f"the shift is known to {best.err_arcsec:.3f} arcsec only"
    return ""


def _why_by_chance(reference: Image, moving: Image, best: Candidate, parameters: AlignParameters) -> str:
    """Say whether a match can be chance, for the moving image matches as well where it cannot belong."""
    chance = chance_evidence(reference, moving, parameters)
    if best.evidence - chance >= parameters.turned_margin:
        return ""
    return f"turned or mirrored, it matches as well, with evidence {chance:.1f}"


def _note(best: Candidate, margin: float | None, why_not: str) -> str:
    """Return the numbers of a match, and why there is none."""
    runner_up = "no other shift comes near" if margin is None else f"{margin:.1f} more than for the next best shift"
    numbers = f"evidence {best.evidence:.1f}, {runner_up}"
    return f"no match: {why_not} ({numbers})" if why_not else numbers
