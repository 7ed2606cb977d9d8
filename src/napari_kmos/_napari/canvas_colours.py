"""Colours that are seen on the canvas, whose ground is that of the theme, and on the images, which are dark in any."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.components import ViewerModel
from napari.layers import Points
from napari.utils.theme import get_theme

#: In the metadata of a layer of points: its colours on a dark canvas, and on a light one with dark images.
KEY = "kmos_colours"
#: Of a canvas darker than this, of 255, the mean of red, green and blue.
_DARK = 128


def is_dark(viewer: ViewerModel) -> bool:
    """Tell whether the canvas of a viewer is dark in the theme there is."""
    return bool(np.mean(get_theme(viewer.theme).canvas.as_rgb_tuple(alpha=False)) < _DARK)


def follow_theme(viewer: ViewerModel) -> None:
    """Give circles and names of points the colour of theirs that is seen, now and whenever the theme changes."""
    viewer.events.theme.connect(_on_theme)
    _dress(viewer)


def _on_theme(event: Any) -> None:
    _dress(event.source)


def _dress(viewer: ViewerModel) -> None:
    """Colour the points there are, and those to come."""
    for layer in viewer.layers:
        if isinstance(layer, Points) and KEY in layer.metadata:
            on_dark, on_light = layer.metadata[KEY]
            layer.border_color = layer.current_border_color = layer.text.color = (
                on_dark if is_dark(viewer) else on_light
            )
