from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.labels import are_shown, hide_names, show_names
from napari_kmos._napari.reader import add_file


def test_each_target_is_named_once_above_its_field_in_either_layout(exposure_file: Callable[..., Path]):
    viewer = ViewerModel()
    first = add_file(viewer, exposure_file("a.fits", ifus=(3, 5)))
    add_file(viewer, exposure_file("b.fits", ifus=(3, 5), seed=2))
    show_names(viewer)
    names = viewer.layers["IFU names"]
    assert list(names.features["name"]) == ["IFU 3 star3", "IFU 5 star5"]
    switch_layout(viewer)
    show_names(viewer)
    for layer, (y, x) in zip(first, names.data, strict=True):
        (top, left), (_, right) = layer.extent.world[:, 1:]
        assert (y, x) == pytest.approx((top, (left + right) / 2))
    assert not np.any(names.editable)
    hide_names(viewer)
    assert not are_shown(viewer)
