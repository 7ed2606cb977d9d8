"""How offsets are found: from the headers, or by correlating white-light images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.images import add_images, white_light
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.single import Aligned, measure_image
from napari_kmos.errors import AlignmentError
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.spatial.wcs import shift_wcs

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

    OffsetMethod = Callable[[Sequence[Cube], int, AlignParameters, Progress], tuple[Offset, ...]]


class NoReferenceError(AlignmentError):
    """The reference exposure has no data."""


def measure_offsets(
    cubes: Sequence[Cube],
    *,
    reference: int = 0,
    method: str = "correlation",
    parameters: AlignParameters | None = None,
    progress: Progress = silent,
) -> tuple[Offset, ...]:
    """Measure the corrections of the exposures of one IFU.

    Parameters
    ----------
    cubes : sequence of Cube
        Exposures of one target, in memory or lazy.
    reference : int
        Exposure, 0-based, whose header is taken to be right.
    method : str
        A key of `OFFSET_METHODS`.
    parameters : AlignParameters, optional
        The defaults if not given.
    progress : Progress
        Told after each exposure.

    Returns
    -------
    tuple of Offset
        One for each cube, ``exposure`` counting them. That of the reference is zero. What could not be measured with
        confidence is there, with ``accepted`` False and the reason in ``note``.

    Raises
    ------
    AlignmentError
        If there is no such method or exposure, or (`NoReferenceError`) the reference has no data.
    """
    if method not in OFFSET_METHODS:
        msg = f"offset method {method!r} does not exist; there are {', '.join(OFFSET_METHODS)}"
        raise AlignmentError(msg)
    if not 0 <= reference < len(cubes):
        msg = f"reference exposure {reference} does not exist: there are {len(cubes)}, counted from 0"
        raise AlignmentError(msg)
    return OFFSET_METHODS[method](cubes, reference, parameters or AlignParameters(), progress)


def _from_headers(
    cubes: Sequence[Cube], reference: int, parameters: AlignParameters, progress: Progress
) -> tuple[Offset, ...]:
    """Take the headers to be right, as well as they are known to be."""
    return tuple(
        dataclasses.replace(_zero(cube, number), method="header", err_arcsec=parameters.pointing_error_arcsec)
        for number, cube in enumerate(cubes)
    )


def _by_correlation(
    cubes: Sequence[Cube], reference: int, parameters: AlignParameters, progress: Progress
) -> tuple[Offset, ...]:
    """Match every exposure to the reference exposure, then to the sum of the others."""
    images = []
    for number, cube in enumerate(cubes):
        images.append(white_light(cube))
        progress(number + 1, len(cubes), f"collapsing {cube.label}")
    if not np.isfinite(images[reference].data).any():
        msg = f"{cubes[reference].source or cubes[reference].label}: the reference exposure has no data; take another"
        raise NoReferenceError(msg)
    zero = dataclasses.replace(_zero(cubes[reference], reference), note="reference")
    aligned = [
        Aligned(image=image, offset=zero)
        if number == reference
        else measure_image(images[reference], image, parameters)
        for number, image in enumerate(images)
    ]
    for _ in range(parameters.passes - 1):
        aligned = [
            one if number == reference else _improved(aligned, number, reference, parameters)
            for number, one in enumerate(aligned)
        ]
    return tuple(dataclasses.replace(one.offset, exposure=number) for number, one in enumerate(aligned))


#: The methods by name.
OFFSET_METHODS: Mapping[str, OffsetMethod] = MappingProxyType({"header": _from_headers, "correlation": _by_correlation})


def _zero(cube: Cube, number: int) -> Offset:
    """Return the offset of an exposure whose header is right."""
    return Offset(
        exposure=number, file="", ifu=cube.ifu, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0, method="correlation"
    )


def _improved(aligned: Sequence[Aligned], number: int, reference: int, parameters: AlignParameters) -> Aligned:
    """Match an exposure to the sum of the reference and the other accepted ones; the old match stays if that fails."""
    others = [aligned[reference]]
    others += [one for index, one in enumerate(aligned) if index not in (number, reference) and one.offset.accepted]
    if len(others) < 2:
        return aligned[number]
    scaled = [
        dataclasses.replace(
            one.image,
            data=(one.image.data - one.background) / one.gain,
            noise=np.asarray(one.image.noise) / one.gain,
        )
        for one in others
    ]
    wcs = [shift_wcs(one.image.wcs, one.offset.dra_arcsec, one.offset.ddec_arcsec) for one in others]
    again = measure_image(add_images(scaled, wcs), aligned[number].image, parameters)
    return again if again.offset.accepted or not aligned[number].offset.accepted else aligned[number]
