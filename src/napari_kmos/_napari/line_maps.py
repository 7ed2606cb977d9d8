"""Maps of a line on the screen: of which cube they are made, and the layers that show them over it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer, Shapes

from napari_kmos._napari.frames import frame_at
from napari_kmos._napari.layers import (
    KEY,
    active_layer,
    add_image,
    contrast_limits,
    kmos_layers,
    kmos_of,
    one_layer,
)
from napari_kmos._napari.positions import move_to, offset_of, warn_of_moved
from napari_kmos._napari.shown import KmosLayer
from napari_kmos._napari.under import frames_of
from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube, Image, pixel_scale_arcsec
from napari_kmos.errors import KmosError
from napari_kmos.extract import apertures_inside
from napari_kmos.spatial.crop import SkyBox
from napari_kmos.spatial.wcs import pixel_to_sky, shift_wcs
from napari_kmos.spectral import LineMaps
from napari_kmos.spectral.windows import Window

#: In the metadata of a layer: which map it is.
MAP = "kmos_map"
MIDDLE = "middle of the view"
_SPAXELS = 3.0
_FIRST = "LINE"
#: A window for a line of some 450 km/s to either side, and continuum beside it, as shares of the wavelength.
_LINE_SHARE, _BESIDE_SHARES = 0.0015, (0.0025, 0.0055)
_COLORMAPS = {"MOMENT1": "turbo"}


@dataclass(frozen=True, eq=False)
class Target:
    """The cube that is looked at.

    Parameters
    ----------
    layer : Layer
        Shows it, alone or among the IFUs of an exposure.
    shown : KmosLayer
        The cube with its file and its place.
    cube : Cube
        The same with the WCS that its layer was moved to.
    aperture : Aperture
        Whose spectrum stands for it.
    """

    layer: Layer
    shown: KmosLayer
    cube: Cube
    aperture: Aperture


def target_of(viewer: ViewerModel, selected: Sequence[Aperture] = ()) -> Target | None:
    """Return the cube looked at, and an aperture in it: a selected one, the middle of the view, or its own middle."""
    layer = active_layer(viewer)
    if layer is None:
        return None
    parts = kmos_of(layer).parts
    moved = [dataclasses.replace(one.cube, wcs=shift_wcs(one.turned.wcs, *offset_of(layer))) for one in parts]
    for aperture in (*selected, _middle_of_view(viewer, moved[0])):
        for shown, cube in zip(parts, moved, strict=True):
            if apertures_inside(cube, [aperture]):
                return Target(layer, shown, cube, aperture)
    centre = pixel_to_sky(moved[0].wcs, *((length - 1) / 2 for length in moved[0].shape[1:]))
    return Target(layer, parts[0], moved[0], _aperture(*centre, moved[0]))


def file_of(viewer: ViewerModel, target: Target) -> Path:
    """Return the file of a cube, and warn if it was moved on the screen, of which the file knows nothing.

    Raises
    ------
    KmosError
        If it was made in memory.
    """
    if target.shown.path is None:
        msg = f"{target.cube.label} is not from a file; save its layer first (File > Save Selected Layers)"
        raise KmosError(msg)
    warn_of_moved(viewer, (target.shown.path,))
    return target.shown.path


def windows_around(wavelength_um: float) -> tuple[Window, tuple[Window, Window]]:
    """Return windows to begin with: one for a line at a wavelength, and continuum on either side."""
    edges = [(1 + sign * share) * wavelength_um for share in (_LINE_SHARE, *_BESIDE_SHARES) for sign in (-1, 1)]
    return (edges[0], edges[1]), ((edges[4], edges[2]), (edges[3], edges[5]))


def show_maps(viewer: ViewerModel, target: Target, maps: LineMaps) -> None:
    """Show maps over their cube, those made before replaced; of new ones the line is seen, the others are hidden."""
    before = map_layers(viewer, target.shown)
    images = maps.by_name()
    active = viewer.layers.selection.active
    for name, image in images.items():
        if name in before:
            replace_image(before[name], image)
        else:
            layer = add_derived(viewer, target.layer, target.shown, image, f"{target.cube.label} {name}")
            layer.metadata = {**layer.metadata, MAP: name}
            layer.colormap = _COLORMAPS.get(name, layer.colormap)
            layer.visible = name == _FIRST
    for name in before.keys() - images.keys():
        viewer.layers.remove(before[name])
    viewer.layers.selection.active = active


def map_layers(viewer: ViewerModel, shown: KmosLayer) -> dict[str, Layer]:
    """Return the layers with the maps of a cube by the names of the maps."""
    maps = [layer for layer in kmos_layers(viewer) if MAP in layer.metadata]
    return {layer.metadata[MAP]: layer for layer in maps if kmos_of(layer).identity == shown.identity}


def add_derived(viewer: ViewerModel, source: Layer, shown: KmosLayer, image: Image, name: str) -> Layer:
    """Add an image made from a cube that a layer shows, drawn over it, wherever the user has moved it."""
    layer = Layer.create(*one_layer(dataclasses.replace(shown, product=image)))
    layer.name = name
    move_to(layer, *offset_of(source))
    add_image(viewer, layer)
    return layer


def replace_image(layer: Layer, image: Image) -> None:
    """Show another image in a layer of `add_derived`."""
    layer.metadata = {**layer.metadata, KEY: dataclasses.replace(kmos_of(layer), product=image)}
    layer.data = image.data
    layer.contrast_limits = contrast_limits(image.data)


def box_on_screen(viewer: ViewerModel, target: Target) -> SkyBox:
    """Return the part of the sky that is on the screen."""
    centre = np.array(viewer.scene.camera.center[-2:])
    half = np.array(viewer.canvas.size) / viewer.scene.camera.zoom / 2
    return _box(viewer, target, centre - half, centre + half)


def box_drawn(viewer: ViewerModel, target: Target) -> SkyBox:
    """Return the part of the sky in the shape drawn last: in the active layer of shapes, else in the topmost.

    Raises
    ------
    KmosError
        If there is none.
    """
    active = viewer.layers.selection.active
    drawn = [
        layer
        for layer in (active, *reversed(viewer.layers))
        if isinstance(layer, Shapes) and len(layer.data) and not any(str(key).startswith(KEY) for key in layer.metadata)
    ]
    if not drawn:
        msg = "no rectangle is drawn; add a shapes layer and draw one, or choose what is on the screen"
        raise KmosError(msg)
    corners = np.array([drawn[0].data_to_world(corner)[-2:] for corner in drawn[0].data[-1]])
    return _box(viewer, target, corners.min(axis=0), corners.max(axis=0))


def _box(viewer: ViewerModel, target: Target, low: np.ndarray, high: np.ndarray) -> SkyBox:
    """Box on the sky of two corners on the canvas, as the header of the cube has it and not as it was moved."""
    east, north = offset_of(target.layer)
    y, x = (low + high) / 2 + np.array([north, east])
    ra, dec = target.shown.frame.to_sky(y, x)
    height, width = high - low
    return SkyBox(ra=float(ra), dec=float(dec), width_arcsec=float(width), height_arcsec=float(height))


def _middle_of_view(viewer: ViewerModel, cube: Cube) -> Aperture:
    y, x = viewer.scene.camera.center[-2:]
    return _aperture(*frame_at(frames_of(viewer), y, x).to_sky(y, x), cube)


def _aperture(ra: float, dec: float, cube: Cube) -> Aperture:
    """Return some spaxels about a place, of kind sky: nothing is subtracted from their light."""
    radius = _SPAXELS * pixel_scale_arcsec(cube.wcs)
    return Aperture(id=MIDDLE, kind="sky", ra=float(ra), dec=float(dec), radius_arcsec=radius)
