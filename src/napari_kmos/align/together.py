"""The offsets of all exposures of one field, or of many that overlap, at once: by the images of all pairs of them."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.images import add_images
from napari_kmos.align.network import Network, Tie, solve_network
from napari_kmos.align.single import Aligned, measure_image, unmatched
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.spatial.correction import corrected_wcs
from napari_kmos.spatial.fields import field_of, near_pairs
from napari_kmos.threads import compute_ahead

if TYPE_CHECKING:
    from napari_kmos.align.parameters import AlignParameters
    from napari_kmos.cube import Image


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Pair:
    """Two images, by their numbers, and the offset of the second one against the first."""

    first: int
    second: int
    aligned: Aligned

    @property
    def ends(self) -> tuple[int, int]:
        return self.first, self.second

    @property
    def offset(self) -> Offset:
        return self.aligned.offset

    def seen_from(self, number: int) -> Offset:
        """Return the offset of either image, the other one standing at its header."""
        if number == self.second:
            return self.offset
        step = self.offset.runner_up
        return dataclasses.replace(
            self.offset,
            dra_arcsec=-self.offset.dra_arcsec,
            ddec_arcsec=-self.offset.ddec_arcsec,
            runner_up=None if step is None else (-step[0], -step[1]),
        )

    @property
    def tie(self) -> Tie:
        """What it says to the network."""
        return Tie(
            first=self.first,
            second=self.second,
            shift=(self.offset.dra_arcsec, self.offset.ddec_arcsec),
            err_arcsec=self.offset.err_arcsec,
            weight=self.offset.score or 0.0,
        )


def measure_together(
    images: Sequence[Image], references: Sequence[int], parameters: AlignParameters, *, progress: Progress = silent
) -> list[Offset]:
    """Measure the corrections of the images of one field, or of the overlapping fields of a mosaic.

    Parameters
    ----------
    images : sequence of Image
        With noise, of any rotation; one without data is not accepted.
    references : sequence of int
        Images, 0-based, whose headers are right. Where the fields of several are tied to each other, by those that lie
        over both, they are so on average: each then has a correction of its own. Parts that nothing ties to the largest
        one with a reference are not accepted: there would be a seam, as wide as headers are wrong.
    parameters : AlignParameters
        With one pass every image is matched to the references alone. With more all pairs are matched and solved
        together, and what then stays alone is matched to the sum of the others, in all passes but the first.
    progress : Progress
        Told after each pair; may raise `Cancelled`.

    Returns
    -------
    list of Offset
        One for each image, ``exposure`` counting them.
    """
    pairs = _match(images, references, parameters, progress)
    good = [pair for pair in pairs if pair.offset.accepted]
    solved = solve_network(
        len(images),
        [pair.tie for pair in good],
        references=references,
        agreement_arcsec=parameters.agreement_arcsec,
        header_arcsec=parameters.pointing_error_arcsec,
    )
    agrees = dict(zip(good, solved.is_used, strict=True))
    rows = []
    for number, image in enumerate(images):
        own = [pair for pair in pairs if number in pair.ends]
        is_right = number in references and solved.err_arcsec[number] == 0
        direct = own[0].seen_from(number) if own else unmatched(image, "no other field is near", parameters)
        row = dataclasses.replace(direct, exposure=number, ifu=image.ifu)
        rows.append(_reference_row(image, number) if is_right else _row(row, own, agrees, solved, parameters))
    scales = _flux_scales(good, references)
    for _ in range(parameters.passes - 1):
        rows = [row if row.accepted else _against_sum(images, rows, scales, row, parameters) for row in rows]
    return rows


def _match(
    images: Sequence[Image], references: Sequence[int], parameters: AlignParameters, progress: Progress
) -> list[_Pair]:
    """Match the images that lie near each other; those that are matched to a reference come first."""
    order = [*references, *(one for one in range(len(images)) if one not in references)]
    near = near_pairs([field_of(images[one]) for one in order], reach_arcsec=parameters.max_shift_arcsec)
    ends = [(order[first], order[second]) for first, second in near if parameters.passes > 1 or first < len(references)]
    pairs: list[_Pair] = []
    with contextlib.closing(
        compute_ahead(lambda pair: measure_image(images[pair[0]], images[pair[1]], parameters), ends)
    ) as matched:
        for (first, second), aligned in zip(ends, matched, strict=True):
            pairs.append(_Pair(first=first, second=second, aligned=aligned))
            progress(len(pairs), len(ends), f"matching {images[first].name}")
    return pairs


def _reference_row(image: Image, number: int) -> Offset:
    return Offset(
        exposure=number,
        file="",
        ifu=image.ifu,
        dra_arcsec=0,
        ddec_arcsec=0,
        err_arcsec=0,
        method="correlation",
        note="reference",
    )


def _row(
    direct: Offset, own: Sequence[_Pair], agrees: Mapping[_Pair, bool], solved: Network, parameters: AlignParameters
) -> Offset:
    """Return the offset of an image as solved, or, where nothing ties it to a reference, as its first pair says."""
    number = direct.exposure
    used = [pair for pair in own if agrees.get(pair, False)]
    against = [pair for pair in own if not agrees.get(pair, True)]
    if not used:
        note = "no match: it contradicts what the other pairs say" if direct.accepted else direct.note
        return dataclasses.replace(direct, accepted=False, note=note)
    best = max(used, key=lambda pair: pair.tie.weight)
    other = best.first if best.second == number else best.second
    dra, ddec = solved.offsets[number]
    step = best.seen_from(number).runner_up
    second = None if step is None else solved.offsets[other] + step
    lead = sum(pair.tie.weight for pair in used) - sum(pair.tie.weight for pair in against)
    why_not = _why_not(solved, number, parameters)
    is_clear = not why_not and lead >= parameters.margin
    text = f"{why_not}{len(used)} of {len(used) + len(against)} pairs agree: {best.offset.note}"
    return dataclasses.replace(
        best.offset,
        exposure=number,
        ifu=direct.ifu,
        dra_arcsec=float(dra),
        ddec_arcsec=float(ddec),
        err_arcsec=float(solved.err_arcsec[number]),
        accepted=is_clear,
        note=text if is_clear else f"no match: {text}",
        runner_up=None if second is None else (float(second[0]), float(second[1])),
    )


def _why_not(solved: Network, number: int, parameters: AlignParameters) -> str:
    """Say why a solved offset cannot be trusted; nothing if it can."""
    if not solved.is_tied[number]:
        return "nothing ties it to a reference; "
    if not solved.is_placed[number]:
        return "nothing but headers ties it to the largest part of the mosaic; "
    if solved.err_arcsec[number] > parameters.max_error_arcsec:
        return f"the shift is known to {solved.err_arcsec[number]:.3f} arcsec only; "
    return ""


def _flux_scales(good: Sequence[_Pair], references: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Return gain and background, over the references, of the images that pairs tie to them."""
    scales = dict.fromkeys(references, (1.0, 0.0))
    for _ in good:
        for pair in good:
            gain, background = pair.aligned.gain, pair.aligned.background
            if pair.first in scales and pair.second not in scales:
                known = scales[pair.first]
                scales[pair.second] = gain * known[0], gain * known[1] + background
            elif pair.second in scales and pair.first not in scales:
                known = scales[pair.second]
                scales[pair.first] = known[0] / gain, (known[1] - background) / gain
    return scales


def _against_sum(
    images: Sequence[Image],
    rows: Sequence[Offset],
    scales: Mapping[int, tuple[float, float]],
    row: Offset,
    parameters: AlignParameters,
) -> Offset:
    """Match an image to the sum of those that are aligned; the old row stays if that fails."""
    others = [one for one in rows if one.accepted and one.exposure in scales]
    if len(others) < 2:
        return row
    scaled = []
    for one in others:
        image, (gain, background) = images[one.exposure], scales[one.exposure]
        data, noise = (image.data - background) / gain, np.asarray(image.noise) / gain
        scaled.append(dataclasses.replace(image, data=data, noise=noise))
    wcs = [corrected_wcs(field_of(images[one.exposure]), one) for one in others]
    found = measure_image(add_images(scaled, wcs), images[row.exposure], parameters).offset
    # the sum is where those are that it is made of: their errors are alike, since all have that of the reference
    err = float(np.hypot(found.err_arcsec, np.mean([one.err_arcsec for one in others])))
    is_clear = found.accepted and err <= parameters.max_error_arcsec
    return dataclasses.replace(found, exposure=row.exposure, err_arcsec=err) if is_clear else row
