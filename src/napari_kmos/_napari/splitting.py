"""From one layer an exposure to a layer an IFU, and back; each stays where it was moved and looks as it did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from napari.viewer import Viewer

from napari_kmos._napari.composite import Composite
from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import (
    activated_once,
    active_layer,
    composite_of,
    ifu_layers,
    kmos_layers,
    kmos_of,
    one_layer,
    planes_of,
)
from napari_kmos._napari.positions import layout_of, move_to, offset_of
from napari_kmos._napari.shown import CompositeLayer, KmosLayer
from napari_kmos.errors import KmosError

_SAME_ARCSEC = 1e-4
#: What the new layers have of the old one.
_LOOKS = ("colormap", "visible", "opacity", "blending", "gamma", "interpolation2d", "projection_mode")


def split_layer(viewer: ViewerModel, layer: Layer | None = None) -> list[Layer]:
    """Replace the layer of an exposure by one layer an IFU.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layer.
    layer : Layer, optional
        The layer the user looks at if not given.

    Raises
    ------
    KmosError
        If the layer shows no exposure as a whole.
    """
    layer = active_layer(viewer) if layer is None else layer
    shown = kmos_of(layer)
    if not isinstance(shown, CompositeLayer):
        what = "there is no cube" if layer is None else f"{layer.name} shows one cube"
        msg = f"{what}; choose a layer that shows all IFUs of an exposure to split it"
        raise KmosError(msg)
    taken = [part for other in kmos_layers(viewer) if other is not layer for part in kmos_of(other).parts]
    made = [_like(layer, part, taken, data=planes) for part, planes in planes_of(layer)]
    for one in made:
        one.contrast_limits = layer.contrast_limits
    _replace(viewer, [layer], made)
    return made


def join_exposure(viewer: ViewerModel, layer: Layer | None = None) -> Layer:
    """Replace the layers of the IFUs of an exposure by one layer.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.
    layer : Layer, optional
        One of them; the one the user looks at if not given.

    Raises
    ------
    KmosError
        If the exposure has one layer only, its layers were moved by different offsets, or have no common grid.
    """
    layer = active_layer(viewer) if layer is None else layer
    mine = [] if layer is None else [one for one in ifu_layers(viewer) if kmos_of(one).path == kmos_of(layer).path]
    if len(mine) < 2:
        msg = "there are no IFUs of one exposure to join; choose a layer of an exposure that has several"
        raise KmosError(msg)
    offsets = np.array([offset_of(one) for one in mine])
    apart = int(np.argmax(np.hypot(*(offsets - offsets[0]).T)))
    if not np.allclose(offsets, offsets[0], rtol=0, atol=_SAME_ARCSEC):
        first, other = ("{:+.3f} {:+.3f}".format(*offsets[index]) for index in (0, apart))
        msg = (
            f"{mine[0].name} is moved by {first} arcsec (east, north) and {mine[apart].name} by {other}: one layer has "
            "one offset; move them alike, or leave them split"
        )
        raise KmosError(msg)
    shown = composite_of([kmos_of(one) for one in mine])
    if shown is None or shown.layout != layout_of(viewer):
        way = "turned against each other" if shown is None else "too far apart on the sky: show the contact sheet first"
        msg = f"the IFUs of {mine[0].name} cannot be one layer: they are {way}"
        raise KmosError(msg)
    made = _like(
        mine[0], shown, (), data=Composite([planes for one in mine for _, planes in planes_of(one)], shown.grid)
    )
    _replace(viewer, mine, [made])
    return made


def split_layer_here(viewer: Viewer) -> None:
    """Menu command of `split_layer`."""
    with notified():
        split_layer(viewer)


def join_exposure_here(viewer: Viewer) -> None:
    """Menu command of `join_exposure`."""
    with notified():
        join_exposure(viewer)


def _like(layer: Layer, shown: KmosLayer, taken: Sequence[KmosLayer], *, data: object) -> Layer:
    """Make a layer that stands where another does and looks like it."""
    made = Layer.create(*one_layer(shown, taken, data=data))
    for name in _LOOKS:
        setattr(made, name, getattr(layer, name))
    move_to(made, *offset_of(layer))
    return made


def _replace(viewer: ViewerModel, gone: Sequence[Layer], made: Sequence[Layer]) -> None:
    """Put layers in the place of others in the list; the last one is the one looked at."""
    place = viewer.layers.index(gone[0])
    with activated_once(viewer):
        for layer in reversed(made):
            viewer.layers.insert(place, layer)
    for layer in gone:
        viewer.layers.remove(layer)
    viewer.layers.selection.active = made[-1]
