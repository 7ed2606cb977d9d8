"""Two layers over each other in red and cyan: white where they agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.layers import kmos_layers

_FIELDS = ("visible", "blending", "colormap", "opacity")


class Overlay:
    """Shows two sets of layers in red and cyan, hides our other image layers, and puts all of it back."""

    def __init__(self) -> None:
        self._before: dict[Layer, dict[str, Any]] = {}

    def show(self, viewer: ViewerModel, reference: Sequence[Layer], moving: Sequence[Layer]) -> None:
        """Show the layers over each other."""
        self.restore()
        layers = kmos_layers(viewer)
        self._before = {layer: {name: getattr(layer, name) for name in _FIELDS} for layer in layers}
        for layer in layers:
            colour = "red" if layer in reference else "cyan" if layer in moving else None
            layer.visible = colour is not None and layer.visible
            if colour is not None:
                layer.blending = "additive"
                layer.colormap = colour

    def restore(self) -> None:
        """Show all layers as they were before."""
        for layer, fields in self._before.items():
            for name, value in fields.items():
                setattr(layer, name, value)
        self._before = {}
