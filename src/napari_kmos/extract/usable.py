"""Which apertures a cube can take, and why it cannot take the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_kmos.extract.footprint import box_of
from napari_kmos.extract.placing import place_apertures, split_by_size
from napari_kmos.extract.reading import memory_problem

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube
    from napari_kmos.extract.parameters import ExtractParameters


def split_usable(
    cube: Cube, apertures: Iterable[Aperture], *, method: str, parameters: ExtractParameters
) -> tuple[tuple[Aperture, ...], tuple[tuple[Aperture, str], ...]]:
    """Return the apertures that can be extracted, and those inside a cube that cannot, with what to say of each.

    The latter are larger than the cube, or need, with their rings, more memory than is taken: but by method ``psf``,
    which reads fields and not apertures.
    """
    usable, refused = split_by_size(cube, apertures)
    if method == "psf":
        return usable, refused
    placed, _ = place_apertures(cube, usable)
    problems = [(one.aperture, memory_problem(cube, box_of(cube, one, parameters))) for one in placed]
    large = [(one, told) for one, told in problems if told]
    return tuple(one for one in usable if not any(one is other for other, _ in large)), (*refused, *large)
