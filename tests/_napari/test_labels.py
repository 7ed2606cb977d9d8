from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_kmos._napari.commands import set_north_up, switch_layout
from napari_kmos._napari.labels import are_shown, hide_names, show_names
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file


@pytest.fixture
def viewer(qtbot: QtBot) -> ViewerModel:
    return ViewerModel()


def _corners(layer) -> np.ndarray:
    """The corners of a layer of 13 x 15 spaxels on the canvas."""
    return np.array([layer.data_to_world((0, y - 0.5, x - 0.5))[1:] for y, x in ((0, 0), (0, 15), (13, 15), (13, 0))])


def test_each_ifu_has_its_outline_and_each_target_its_name_once(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    layers = add_file(viewer, exposure_file("a.fits", ifus=(3, 5)))
    layers += add_file(viewer, exposure_file("b.fits", ifus=(3, 5), seed=2))
    viewer.layers.selection.active = layers[1]
    show_names(viewer)
    outlines = viewer.layers["IFU outlines"]
    assert list(outlines.features["name"]) == ["3 star3", "5 star5", "", ""]
    for layer, corners in zip(layers, outlines.data, strict=True):
        np.testing.assert_allclose(corners, _corners(layer), atol=1e-9)
    assert viewer.layers.selection.active is layers[1]
    assert not outlines.editable
    hide_names(viewer)
    assert not are_shown(viewer)


def test_outlines_and_names_are_seen_on_the_canvas_of_each_theme(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    add_file(viewer, exposure_file(ifus=(3, 5)))
    viewer.theme = "light"
    show_names(viewer)
    outlines = viewer.layers["IFU outlines"]

    def lightness() -> list[float]:
        return [np.mean(colour[:3]) for colour in (*outlines.edge_color, outlines.text.color.constant)]

    assert max(lightness()) < 0.3
    viewer.theme = "dark"
    qtbot.waitUntil(lambda: min(lightness()) > 0.7, timeout=2000)
    assert list(outlines.features["name"]) == ["3 star3", "5 star5"]


def test_outlines_follow_the_layout_and_what_is_moved_hidden_or_removed(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    layers = add_file(viewer, exposure_file(ifus=(3, 5, 22)))
    show_names(viewer)
    outlines = viewer.layers["IFU outlines"]

    def are_at(expected: list) -> bool:
        drawn = [_corners(layer) for layer in expected]
        return len(outlines.data) == len(drawn) and np.allclose(outlines.data, drawn)

    switch_layout(viewer)
    qtbot.waitUntil(lambda: are_at(layers), timeout=2000)
    move_to(layers[1], 0.4, -0.7)
    qtbot.waitUntil(lambda: are_at(layers), timeout=2000)
    layers[2].visible = False
    qtbot.waitUntil(lambda: are_at(layers[:2]), timeout=2000)
    viewer.layers.remove(layers[0])
    qtbot.waitUntil(lambda: are_at(layers[1:2]), timeout=2000)
    viewer.layers.remove(layers[1])
    qtbot.waitUntil(lambda: are_at([]), timeout=2000)  # one that is hidden may be shown again
    viewer.layers.remove(layers[2])
    qtbot.waitUntil(lambda: not are_shown(viewer), timeout=2000)


def test_outlines_that_have_not_followed_yet_do_not_decide_what_is_in_view(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    elsewhere = {ifu: factories.make_wcs(ra=factories.RA + 0.02 * ifu) for ifu in (3, 5, 22)}
    add_file(viewer, exposure_file(ifus=(3, 5, 22), elsewhere=elsewhere))
    set_north_up(viewer)
    of_sheet = viewer.scene.camera.zoom
    show_names(viewer)
    switch_layout(viewer)
    assert viewer.scene.camera.zoom < of_sheet / 2  # the sky is many times as wide
    show_names(viewer)
    switch_layout(viewer)
    assert viewer.scene.camera.zoom == pytest.approx(of_sheet)
