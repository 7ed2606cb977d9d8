"""Layers are shown alone for a while, and everything comes back."""

from __future__ import annotations

from napari.components import ViewerModel

from napari_kmos._napari.looks import Looks
from napari_kmos._napari.reader import add_file


def test_layers_and_camera_come_back_as_they_were_at_first(exposure_file):
    viewer = ViewerModel()
    first, second = (add_file(viewer, exposure_file(f"{name}.fits", ifus=(5,)))[0] for name in "ab")
    first.opacity, second.visible, viewer.scene.camera.zoom = 0.6, False, 7.0
    looks = Looks(viewer)
    looks.show_alone([second])
    assert looks.is_changed
    assert (first.visible, second.visible) == (False, True)
    looks.change({first: {"colormap": "red", "opacity": 0.0}})
    looks.show_alone([first])
    assert (first.visible, second.visible, first.opacity, first.colormap.name) == (True, False, 0.6, "inferno")
    viewer.scene.camera.zoom = 30.0
    viewer.layers.remove(second)
    looks.restore()
    assert (first.visible, first.opacity, viewer.scene.camera.zoom, looks.is_changed) == (True, 0.6, 7.0, False)
    looks.restore()
    assert viewer.scene.camera.zoom == 7.0
