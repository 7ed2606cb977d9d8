"""How a viewer looks for a while: some of our layers alone, on black, perhaps otherwise; and then as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.layers import kmos_layers, kmos_of

#: Added to white, everything is white.
_GROUND = "black"
_FIELDS = ("visible", "opacity", "blending", "colormap")


class Looks:
    """Shows layers alone on black, and puts layers, ground and camera back.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[Layer, dict[str, Any]] = {}
        self._camera: tuple[tuple[float, ...], float] | None = None
        self._ground: Any = None

    @property
    def is_changed(self) -> bool:
        """True until it is put back."""
        return self._camera is not None

    def show_alone(self, layers: Sequence[Layer], *, without: Sequence[Layer] = ()) -> None:
        """Show some of our layers, as they were at first, and hide the others; and some of what is drawn over them."""
        camera, canvas = self._viewer.scene.camera, self._viewer.canvas
        if self._camera is None:
            self._camera, self._ground = (tuple(camera.center), camera.zoom), canvas.background_color_override
            canvas.background_color_override = _GROUND
        for layer in kmos_layers(self._viewer):
            self._note(layer)
        for layer in without:
            self._layers.setdefault(layer, {"visible": layer.visible})
        for layer, was in self._layers.items():
            is_seen = layer in layers if kmos_of(layer) is not None else was["visible"] and layer not in without
            self.change({layer: {**was, "visible": is_seen}})

    def hide(self, layer: Layer) -> None:
        """Hide one of our layers that came meanwhile."""
        self._note(layer)
        layer.visible = False

    def change(self, looks: Mapping[Layer, Mapping[str, Any]]) -> None:
        """Give layers other looks, those that are still there; napari ends the drag of a layer that is shown again."""
        for layer, fields in looks.items():
            for name, value in fields.items() if layer in self._viewer.layers else ():
                if getattr(layer, name) != value:
                    setattr(layer, name, value)

    def restore(self) -> None:
        """Put layers, ground and camera back."""
        if self._camera is not None:
            self.change(self._layers)
            camera = self._viewer.scene.camera
            camera.center, camera.zoom = self._camera
            self._viewer.canvas.background_color_override = self._ground
            self._layers, self._camera = {}, None

    def _note(self, layer: Layer) -> None:
        self._layers.setdefault(layer, {name: getattr(layer, name) for name in _FIELDS})
