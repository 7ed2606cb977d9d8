"""Which cubes lie where: beneath a place on the canvas, and in which frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import NDArray

from napari_kmos._napari.frames import Frame, frame_at
from napari_kmos._napari.layers import active_layer, cube_layers, kmos_layers, kmos_of, planes_of
from napari_kmos._napari.planes import Planes
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.shown import KmosLayer
from napari_kmos.cube import Cube
from napari_kmos.spatial.fields import Field
from napari_kmos.spatial.wcs import pixel_to_sky, shift_wcs, sky_to_pixel


@dataclass(frozen=True, eq=False, kw_only=True)
class Under:
    """A place on the canvas that lies on a cube.

    Parameters
    ----------
    shown : KmosLayer
        The cube with its file and its frame.
    planes : Planes
        What napari draws of it.
    cube : Cube
        The cube with the WCS that its layer was moved to.
    y, x : float
        The place in its spaxels.
    """

    shown: KmosLayer
    planes: Planes
    cube: Cube
    y: float
    x: float

    @property
    def spaxel(self) -> tuple[int, int]:
        """Row and column, at the edge the last one."""
        n_y, n_x = self.cube.shape[1:]
        return min(max(round(self.y), 0), n_y - 1), min(max(round(self.x), 0), n_x - 1)

    def image(self, plane: int, n_planes: int, reach: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
        """Return what is drawn so near to the place, and the row and column of its first pixel."""
        rows, columns = (
            slice(max(round(middle - reach), 0), min(round(middle + reach) + 1, length))
            for middle, length in zip((self.y, self.x), self.cube.shape[1:], strict=True)
        )
        together = slice(max(plane - n_planes // 2, 0), plane + (n_planes - 1) // 2 + 1)
        drawn = self.planes[together if n_planes > 1 else plane, rows, columns]
        return np.asarray(drawn, dtype=float).reshape(drawn.shape[-2:]), (rows.start, columns.start)

    @property
    def spaxel_sky(self) -> tuple[float, float]:
        """Right ascension and declination of the middle of the spaxel, in degrees."""
        ra, dec = pixel_to_sky(self.cube.wcs, *self.spaxel)
        return float(ra) % 360, float(dec)


def sky_at(viewer: ViewerModel, place: Sequence[float]) -> tuple[float, float] | None:
    """Return right ascension and declination of a place (y, x) on the canvas; None where there is no sky."""
    drawn = frames_of(viewer)
    if not drawn:
        return None
    ra, dec = frame_at(drawn, *place).to_sky(*place)
    return float(ra) % 360, float(dec)


def cube_under(viewer: ViewerModel, place: Sequence[float]) -> Under | None:
    """Return the visible cube at a place (y, x) on the canvas: the one looked at if it is there, else the topmost."""
    sky, first = sky_at(viewer, place), active_layer(viewer)
    others = [layer for layer in reversed(cube_layers(viewer)) if layer.visible and layer is not first]
    for layer in [first, *others] if first is not None and first.visible else others:
        y, x = (int(index) for index in np.round(layer.world_to_data(place)[-2:]))
        found = kmos_of(layer).part_at(y, x)
        if found is not None and sky is not None:
            planes = dict(planes_of(layer))[found[0]]
            cube = moved_cube(layer, found[0])
            row, column = sky_to_pixel(cube.wcs, *sky)
            return Under(shown=found[0], planes=planes, cube=cube, y=float(row), x=float(column))
    return None


def cube_holding(viewer: ViewerModel, ra: float, dec: float) -> Under | None:
    """Return the visible cube that holds a position in degrees: where it is drawn in several frames, by the cursor."""
    cursor = np.array(viewer.cursor.position[-2:])
    places = [frame.to_canvas(ra, dec) for frame in frames_of(viewer)]
    for place in sorted(places, key=lambda one: float(np.hypot(*(np.array(one) - cursor)))):
        if found := cube_under(viewer, place):
            return found
    return None


def moved_cube(layer: Layer, part: KmosLayer) -> Cube:
    """Return a cube of a layer with the WCS that the layer was moved to."""
    return dataclasses.replace(part.cube, wcs=shift_wcs(part.turned.wcs, *offset_of(layer)))


def frames_of(viewer: ViewerModel) -> list[Frame]:
    """Return the frames in use, each once."""
    return list(dict.fromkeys(part.frame for layer in kmos_layers(viewer) for part in kmos_of(layer).parts))


def fields_seen(viewer: ViewerModel) -> list[tuple[Frame, Field]]:
    """Return the frame of each cube and image seen, of all if none is, and its WCS, as moved, with its shape."""
    layers = kmos_layers(viewer)
    return [
        (part.frame, (shift_wcs(part.turned.wcs, *offset), part.shape))
        for layer in [one for one in layers if one.visible] or layers
        for offset in [offset_of(layer)]
        for part in kmos_of(layer).parts
    ]
