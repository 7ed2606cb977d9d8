"""How a viewer looks for a while: some of our layers alone, perhaps otherwise than before; and then as it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.layers import kmos_layers

_FIELDS = ("visible", "opacity", "blending", "colormap")


class Looks:
    """Shows layers alone, and puts layers and camera back.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the layers.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._layers: dict[Layer, dict[str, Any]] = {}
        self._camera: tuple[tuple[float, ...], float] | None = None

    @property
    def is_changed(self) -> bool:
        """True until it is put back."""
        return self._camera is not None

    def show_alone(self, layers: Sequence[Layer]) -> None:
        """Show some of our layers, as they were at first, and hide the others."""
        camera = self._viewer.scene.camera
        if self._camera is None:
            self._camera = tuple(camera.center), camera.zoom
        for layer in kmos_layers(self._viewer):
            self._layers.setdefault(layer, {name: getattr(layer, name) for name in _FIELDS})
        self.change({layer: {**was, "visible": layer in layers} for layer, was in self._layers.items()})

    def change(self, looks: Mapping[Layer, Mapping[str, Any]]) -> None:
        """Give layers other looks, those that are still there; napari ends the drag of a layer that is shown again."""
        for layer, fields in looks.items():
            for name, value in fields.items() if layer in self._viewer.layers else ():
                if getattr(layer, name) != value:
                    setattr(layer, name, value)

    def restore(self) -> None:
        """Put layers and camera back."""
        if self._camera is not None:
            self.change(self._layers)
            camera = self._viewer.scene.camera
            camera.center, camera.zoom = self._camera
            self._layers, self._camera = {}, None
