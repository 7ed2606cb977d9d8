"""Which spaxels of a cube serve a star: those of its aperture, and those of the sky around it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.extract.parameters import ExtractParameters
from napari_kmos.extract.placing import Placed, neighbours_of, place_apertures
from napari_kmos.spatial.apertures import annulus_mask, aperture_weights, bounding_box
from napari_kmos.spatial.wcs import sky_to_pixel, tangent_offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube
    from napari_kmos.io.source import Box

_DEFAULTS = ExtractParameters()
#: Middle of each side as (east, north).
_TOWARDS = MappingProxyType({"left": (1, 0), "right": (-1, 0), "up": (0, 1), "down": (0, -1)})
#: A spaxel whose centre lies on the edge of a side belongs to it, whatever the rounding.
_ON_EDGE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Footprint:
    """The spaxels of a cube that serve a star, or a sky area.

    Parameters
    ----------
    placed : Placed
        The aperture on the pixels of the cube.
    box : (rows, columns)
        Slices: the part of the cube that holds them all.
    weights : ndarray of float, shape (n_rows, n_columns)
        Share of each spaxel that lies in the aperture; 0 for those excluded.
    sky : ndarray of bool, same shape
        Spaxels of the ring from which the sky comes; none where it comes from elsewhere. Of a sky area, those it
        touches.
    """

    placed: Placed
    box: Box
    weights: NDArray[np.float64]
    sky: NDArray[np.bool_]


def footprints(
    cube: Cube, apertures: Iterable[Aperture], *, parameters: ExtractParameters = _DEFAULTS
) -> tuple[Footprint, ...]:
    """Return the spaxels from which the methods ``aperture`` and ``optimal`` make the spectra of the stars in a cube.

    Parameters
    ----------
    cube : Cube
        Its WCS and shape; no data are read.
    apertures : iterable of Aperture
        Stars and sky areas, as in `extract_spectra`.
    parameters : ExtractParameters
        Sky.

    Returns
    -------
    tuple of Footprint
        One for each star whose centre lies in the cube, in their order; where the sky comes from areas one for each of
        those, too. See `draw_footprints`.

    Raises
    ------
    ExtractionError
        If an aperture is larger than the cube.
    """
    rows = tuple(apertures)
    inside, outside = place_apertures(cube, rows)
    others = (*inside, *neighbours_of(cube, outside, parameters.avoid_arcsec))
    kinds = ("star", "sky") if parameters.sky == "areas" else ("star",)
    return tuple(
        lay_out(cube, one, others, parameters) for kind in kinds for one in inside if one.aperture.kind == kind
    )


def draw_footprints(
    found: Iterable[Footprint], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return footprints as two images of the field, shape (n_y, n_x): the largest weight, and which spaxels are sky."""
    weights, sky = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool)
    for one in found:
        if one.placed.aperture.kind == "star":
            np.maximum(weights[one.box], one.weights, out=weights[one.box])
        sky[one.box] |= one.sky
    return weights, sky


def lay_out(cube: Cube, one: Placed, others: Sequence[Placed], parameters: ExtractParameters) -> Footprint:
    """Return the footprint of an aperture; among the others are the stars that its ring shall avoid, perhaps itself."""
    box, has_ring = box_of(cube, one, parameters), _has_ring(one, parameters)
    shape = box[0].stop - box[0].start, box[1].stop - box[1].start
    y, x = one.y - box[0].start, one.x - box[1].start
    weights = aperture_weights(shape, y, x, one.radius_pix)
    sky = weights > 0 if one.aperture.kind == "sky" else np.zeros(shape, dtype=bool)
    if has_ring:
        sky = annulus_mask(shape, y, x, parameters.inner * one.radius_pix, parameters.outer * one.radius_pix)
        sky &= _on_side(cube, one, box, parameters) & _away(cube, one, others, box, parameters)
    excluded = excluded_spaxels(cube, [one.aperture])[box]
    weights[excluded] = 0
    return Footprint(one, box, weights, sky & ~excluded)


def box_of(cube: Cube, one: Placed, parameters: ExtractParameters) -> Box:
    """Return the rows and columns of a cube that an aperture needs, with its ring."""
    n_y, n_x = cube.shape[1:]
    reach = max(parameters.outer, 1.0) if _has_ring(one, parameters) else 1.0
    return bounding_box((n_y, n_x), one.y, one.x, reach * one.radius_pix)


def _has_ring(one: Placed, parameters: ExtractParameters) -> bool:
    return one.aperture.kind == "star" and parameters.sky == "annulus"


def excluded_spaxels(cube: Cube, apertures: Iterable[Aperture]) -> NDArray[np.bool_]:
    """Return which spaxels of a cube some apertures exclude, shape (n_y, n_x)."""
    n_y, n_x = cube.shape[1:]
    excluded = np.zeros((n_y, n_x), dtype=bool)
    for ra, dec in (place for one in apertures for place in one.excluded_spaxels):
        y, x = sky_to_pixel(cube.wcs, ra, dec)
        if -0.5 <= y < n_y - 0.5 and -0.5 <= x < n_x - 0.5:
            excluded[round(y), round(x)] = True
    return excluded


def _on_side(cube: Cube, one: Placed, box: Box, parameters: ExtractParameters) -> NDArray[np.bool_]:
    """Which spaxels of a box lie on the side of the star from which its sky shall come."""
    dy, dx = _distances(one, box)
    side = one.aperture.sky_side or parameters.side
    if side not in _TOWARDS:
        return np.ones(np.broadcast_shapes(dy.shape, dx.shape), dtype=bool)
    east, north = tangent_offsets(cube.wcs, dy, dx)
    along = (_TOWARDS[side][0] * east + _TOWARDS[side][1] * north) / np.maximum(np.hypot(east, north), _ON_EDGE)
    return np.asarray(along >= math.cos(math.radians(parameters.side_deg / 2)) - _ON_EDGE)


def _away(
    cube: Cube, one: Placed, others: Sequence[Placed], box: Box, parameters: ExtractParameters
) -> NDArray[np.bool_]:
    """Which spaxels of a box are far enough from other stars."""
    away = np.ones(tuple(part.stop - part.start for part in box), dtype=bool)
    least = parameters.avoid_arcsec / pixel_scale_arcsec(cube.wcs)
    reach = least + parameters.outer * one.radius_pix
    for other in others if least > 0 else ():
        is_near = math.hypot(other.y - one.y, other.x - one.x) < reach
        if is_near and other.aperture.kind == "star" and other.aperture.id != one.aperture.id:
            dy, dx = _distances(other, box)
            away &= np.hypot(dy, dx) >= least
    return away


def _distances(one: Placed, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns of a box as counted from a star."""
    rows, columns = np.ogrid[box]
    return rows - one.y, columns - one.x
