"""The offsets of all exposures of one field at once, by the images of all pairs of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.images import add_images
from napari_kmos.align.network import Network, Tie, solve_network
from napari_kmos.align.single import Aligned, measure_image
from napari_kmos.offset import Offset
from napari_kmos.spatial.wcs import shift_wcs

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


def measure_together(images: Sequence[Image], reference: int, parameters: AlignParameters) -> list[Offset]:
    """Measure the corrections of the images of one field.

    Parameters
    ----------
    images : sequence of Image
        With noise, of any rotation; one without data is not accepted.
    reference : int
        Image, 0-based, whose header is right.
    parameters : AlignParameters
        With one pass every image is matched to the reference alone. With more all pairs are matched and solved
        together, and what then stays alone is matched to the sum of the others, in all passes but the first.

    Returns
    -------
    list of Offset
        One for each image, ``exposure`` counting them.
    """
    pairs = [
        _Pair(first=first, second=second, aligned=measure_image(images[first], images[second], parameters))
        for first, second in _ends(len(images), reference, everyone=parameters.passes > 1)
    ]
    good = [pair for pair in pairs if pair.offset.accepted]
    solved = solve_network(
        len(images), [pair.tie for pair in good], references=[reference], agreement_arcsec=parameters.agreement_arcsec
    )
    agrees = dict(zip(good, solved.is_used, strict=True))
    rows = [
        _reference_row(images[number], number)
        if number == reference
        else _row(number, [pair for pair in pairs if number in pair.ends], agrees, solved, parameters)
        for number in range(len(images))
    ]
    scales = _flux_scales(good, reference)
    for _ in range(parameters.passes - 1):
        rows = [row if row.accepted else _against_sum(images, rows, scales, row, parameters) for row in rows]
    return rows


def _ends(number: int, reference: int, *, everyone: bool) -> list[tuple[int, int]]:
    """Pairs of images to match; the reference comes first in those that it is in, and these come first."""
    order = [reference, *(one for one in range(number) if one != reference)]
    return [pair for pair in combinations(order, 2) if everyone or reference in pair]


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
    number: int, own: Sequence[_Pair], agrees: Mapping[_Pair, bool], solved: Network, parameters: AlignParameters
) -> Offset:
    """Return the offset of an image as solved, or, where nothing ties it to the reference, as these two say."""
    direct = dataclasses.replace(own[0].offset, exposure=number)
    used = [pair for pair in own if agrees.get(pair, False)]
    against = [pair for pair in own if not agrees.get(pair, True)]
    if not used or not np.isfinite(solved.err_arcsec[number]):
        note = "no match: it contradicts what the other pairs say" if direct.accepted else direct.note
        return dataclasses.replace(direct, accepted=False, note=note)
    best = max(used, key=lambda pair: pair.tie.weight)
    other, sign = (best.first, 1) if best.second == number else (best.second, -1)
    dra, ddec = solved.offsets[number]
    step = best.offset.runner_up
    second = None if step is None else solved.offsets[other] + sign * np.array(step)
    lead = sum(pair.tie.weight for pair in used) - sum(pair.tie.weight for pair in against)
    is_clear = lead >= parameters.margin
    text = f"{len(used)} of {len(used) + len(against)} pairs agree: {best.offset.note}"
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


def _flux_scales(good: Sequence[_Pair], reference: int) -> dict[int, tuple[float, float]]:
    """Return gain and background, over the reference, of the images that pairs tie to it."""
    scales = {reference: (1.0, 0.0)}
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
    wcs = [shift_wcs(images[one.exposure].wcs, one.dra_arcsec, one.ddec_arcsec) for one in others]
    found = measure_image(add_images(scaled, wcs), images[row.exposure], parameters).offset
    return dataclasses.replace(found, exposure=row.exposure) if found.accepted else row
