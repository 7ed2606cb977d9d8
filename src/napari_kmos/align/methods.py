"""How offsets are found: from the headers, by correlating white-light images, by their stars, or by a catalogue."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.catalogue import measure_by_catalogue
from napari_kmos.align.images import white_light
from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.star_lists import measure_by_stars
from napari_kmos.align.together import measure_together
from napari_kmos.catalogue import Catalogue
from napari_kmos.cube import Image
from napari_kmos.errors import AlignmentError
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, part_of, silent

if TYPE_CHECKING:
    from napari_kmos.cube import Cube

    #: What is right: exposures, 0-based, an image beside them, or a catalogue.
    Reference = tuple[int, ...] | Image | Catalogue
    OffsetMethod = Callable[[Sequence[Cube], Reference, AlignParameters, Progress], tuple[Offset, ...]]


class NoReferenceError(AlignmentError):
    """The reference exposure has no data."""


def measure_offsets(
    cubes: Sequence[Cube],
    *,
    reference: int | Reference = 0,
    method: str = "correlation",
    parameters: AlignParameters | None = None,
    progress: Progress = silent,
) -> tuple[Offset, ...]:
    """Measure the corrections of the exposures of one IFU, or of IFUs whose fields overlap.

    Parameters
    ----------
    cubes : sequence of Cube
        Exposures of one target, or of several that overlap, in memory or lazy.
    reference : int or tuple of int or Image or Catalogue
        Exposure, 0-based, whose header is taken to be right, or those whose headers are right on average, where method
        correlation finds them to be tied to each other; or an image that is none of them, such as that of a mosaic
        or of another telescope; or a catalogue with the positions of the date of the exposures, for the methods
        catalogue (which needs one) and stars.
    method : str
        A key of `OFFSET_METHODS`.
    parameters : AlignParameters, optional
        The defaults if not given.
    progress : Progress
        Told after each exposure and, by correlation, each pair of them.

    Returns
    -------
    tuple of Offset
        One for each cube, ``exposure`` counting them. That of a reference among them is zero. What could not be
        measured with confidence is there, with ``accepted`` False and the reason in ``note``.

    Raises
    ------
    AlignmentError
        If there is no such method or exposure, the method needs another reference, or (`NoReferenceError`) the
        reference has no data.
    """
    if method not in OFFSET_METHODS:
        msg = f"offset method {method!r} does not exist; there are {', '.join(OFFSET_METHODS)}"
        raise AlignmentError(msg)
    reference = (reference,) if isinstance(reference, int) else reference
    if isinstance(reference, tuple) and (none := [one for one in reference if not 0 <= one < len(cubes)]):
        msg = f"reference exposure {none[0]} does not exist: there are {len(cubes)}, counted from 0"
        raise AlignmentError(msg)
    return OFFSET_METHODS[method](cubes, reference, parameters or AlignParameters(), progress)


def _from_headers(
    cubes: Sequence[Cube], reference: Reference, parameters: AlignParameters, progress: Progress
) -> tuple[Offset, ...]:
    """Take the headers to be right, as well as they are known to be."""
    return tuple(
        dataclasses.replace(_zero(cube, number), method="header", err_arcsec=parameters.pointing_error_arcsec)
        for number, cube in enumerate(cubes)
    )


def _by_correlation(
    cubes: Sequence[Cube], reference: Reference, parameters: AlignParameters, progress: Progress
) -> tuple[Offset, ...]:
    """Match all pairs of exposures, and solve them together."""
    if isinstance(reference, Catalogue):
        msg = "method correlation compares images, not an image with a catalogue; use method catalogue or stars"
        raise AlignmentError(msg)
    images = list(_collapsed(cubes, part_of(progress, 0, 2)))
    told = part_of(progress, 1, 2)
    if isinstance(reference, Image):
        found = measure_together([reference, *images], (0,), parameters, progress=told)[1:]
        return tuple(dataclasses.replace(one, exposure=number) for number, one in enumerate(found))
    return tuple(measure_together(images, _with_data(cubes, images, reference), parameters, progress=told))


def _by_stars(
    cubes: Sequence[Cube], reference: Reference, parameters: AlignParameters, progress: Progress
) -> tuple[Offset, ...]:
    """Match the stars of every exposure to those of the reference."""
    images = list(_collapsed(cubes, progress))
    if isinstance(reference, Catalogue | Image):
        found = [measure_by_stars(reference, image, parameters=parameters) for image in images]
        return tuple(dataclasses.replace(one, exposure=number) for number, one in enumerate(found))
    if len(reference) != 1:
        msg = f"method stars compares with one exposure, {len(reference)} are given; use method correlation"
        raise AlignmentError(msg)
    (right,) = _with_data(cubes, images, reference)
    zero = dataclasses.replace(_zero(cubes[right], right), method="stars", note="reference")
    return tuple(
        zero
        if number == right
        else dataclasses.replace(measure_by_stars(images[right], image, parameters=parameters), exposure=number)
        for number, image in enumerate(images)
    )


def _by_catalogue(
    cubes: Sequence[Cube], reference: Reference, parameters: AlignParameters, progress: Progress
) -> tuple[Offset, ...]:
    """Fit a model of the stars of a catalogue to every exposure."""
    if not isinstance(reference, Catalogue):
        msg = "method catalogue needs a catalogue as its reference; give one (--catalogue)"
        raise AlignmentError(msg)
    found = (measure_by_catalogue(image, reference, parameters=parameters) for image in _collapsed(cubes, progress))
    return tuple(dataclasses.replace(one, exposure=number) for number, one in enumerate(found))


#: The methods by name.
OFFSET_METHODS: Mapping[str, OffsetMethod] = MappingProxyType(
    {"header": _from_headers, "correlation": _by_correlation, "stars": _by_stars, "catalogue": _by_catalogue}
)


def _collapsed(cubes: Sequence[Cube], progress: Progress) -> Iterator[Image]:
    """Yield the white-light image of each cube."""
    for number, cube in enumerate(cubes):
        yield white_light(cube)
        progress(number + 1, len(cubes), f"collapsing {cube.label}")


def _with_data(cubes: Sequence[Cube], images: Sequence[Image], references: tuple[int, ...]) -> tuple[int, ...]:
    """Return the reference exposures that have data, and refuse them if none has."""
    found = tuple(one for one in references if np.isfinite(images[one].data).any())
    if not found:
        cube = cubes[references[0]]
        msg = f"{cube.source or cube.label}: the reference exposure has no data; take another"
        raise NoReferenceError(msg)
    return found


def _zero(cube: Cube, number: int) -> Offset:
    """Return the offset of an exposure whose header is right."""
    return Offset(
        exposure=number, file="", ifu=cube.ifu, dra_arcsec=0, ddec_arcsec=0, err_arcsec=0, method="correlation"
    )
