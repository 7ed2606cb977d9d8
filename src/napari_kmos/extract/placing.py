"""Which apertures lie in a cube, and where on its pixels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import ExtractionError
from napari_kmos.spatial.wcs import sky_to_pixel

if TYPE_CHECKING:
    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube


@dataclass(frozen=True, slots=True)
class Placed:
    """An aperture on the pixels of a cube: 0-based centre and radius."""

    aperture: Aperture
    y: float
    x: float
    radius_pix: float

    @property
    def area_pix(self) -> float:
        """Area in spaxels."""
        return math.pi * self.radius_pix**2


def place_apertures(cube: Cube, apertures: Iterable[Aperture]) -> tuple[tuple[Placed, ...], tuple[Aperture, ...]]:
    """Return the apertures whose centre lies on a spaxel of the cube, on its pixels, and those that lie outside.

    Raises
    ------
    ExtractionError
        If an aperture inside is larger than the cube.
    """
    rows = tuple(apertures)
    for aperture, problem in split_by_size(cube, rows)[1]:
        msg = f"aperture {aperture.id!r}: {problem}"
        raise ExtractionError(msg)
    inside, outside = _split(cube, rows)
    scale = pixel_scale_arcsec(cube.wcs)
    return tuple(Placed(one, y, x, one.radius_arcsec / scale) for one, y, x in inside), outside


def split_by_size(
    cube: Cube, apertures: Iterable[Aperture]
) -> tuple[tuple[Aperture, ...], tuple[tuple[Aperture, str], ...]]:
    """Return the apertures that a cube can take, and those inside it that are larger than it, with what to say of each.

    The radius of the latter is most likely in another unit.
    """
    rows = tuple(apertures)
    largest = pixel_scale_arcsec(cube.wcs) * max(cube.shape[1:])
    what = f"larger than {cube.label} ({largest:.1f} arcsec)"
    how = 'give arcsec, in a region file with its sign, as in 0.5"'
    large = [one for one, _, _ in _split(cube, (one for one in rows if one.radius_arcsec > largest))[0]]
    usable = tuple(one for one in rows if not any(one is other for other in large))
    return usable, tuple((one, f"radius {one.radius_arcsec:g} arcsec is {what}; {how}") for one in large)


def _split(
    cube: Cube, apertures: Iterable[Aperture]
) -> tuple[list[tuple[Aperture, float, float]], tuple[Aperture, ...]]:
    """Return the apertures whose centre lies on a spaxel, with its row and column, and those outside."""
    inside, outside = [], []
    for aperture in apertures:
        y, x = sky_to_pixel(cube.wcs, aperture.ra, aperture.dec)
        if -0.5 <= y < cube.shape[1] - 0.5 and -0.5 <= x < cube.shape[2] - 0.5:
            inside.append((aperture, y, x))
        else:
            outside.append(aperture)
    return inside, tuple(outside)


def apertures_inside(cube: Cube, apertures: Iterable[Aperture]) -> tuple[Aperture, ...]:
    """Return the apertures that belong to a cube: those whose centre lies on one of its spaxels."""
    return tuple(placed.aperture for placed in place_apertures(cube, apertures)[0])


def overlapping(one: Placed, others: Iterable[Placed]) -> tuple[str, ...]:
    """Return the ids of the stars whose apertures overlap that of one."""
    return tuple(
        other.aperture.id
        for other in others
        if other.aperture.kind == "star"
        and other.aperture.id != one.aperture.id
        and math.hypot(other.y - one.y, other.x - one.x) < other.radius_pix + one.radius_pix
    )


def overlapping_apertures(cube: Cube, apertures: Iterable[Aperture]) -> tuple[str, ...]:
    """Return the ids of the stars in a cube whose apertures overlap another's."""
    placed, _ = place_apertures(cube, (row for row in apertures if row.kind == "star"))
    return tuple(one.aperture.id for one in placed if overlapping(one, placed))


def neighbours_of(cube: Cube, apertures: Iterable[Aperture], margin_arcsec: float) -> tuple[Placed, ...]:
    """Return the stars whose centre lies outside a cube but no further from its edge than this, on its pixels."""
    scale = pixel_scale_arcsec(cube.wcs)
    margin = 0.5 + margin_arcsec / scale
    n_y, n_x = cube.shape[1:]
    found = []
    for aperture in place_apertures(cube, (row for row in apertures if row.kind == "star"))[1]:
        y, x = sky_to_pixel(cube.wcs, aperture.ra, aperture.dec)
        if -margin <= y < n_y - 1 + margin and -margin <= x < n_x - 1 + margin:
            found.append(Placed(aperture, y, x, aperture.radius_arcsec / scale))
    return tuple(found)


def apertures_around(cube: Cube, apertures: Iterable[Aperture], margin_arcsec: float) -> tuple[Aperture, ...]:
    """Return the stars outside a cube but no further from its edge than this."""
    return tuple(placed.aperture for placed in neighbours_of(cube, apertures, margin_arcsec))
