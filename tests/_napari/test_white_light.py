"""White light as a way of showing: what is drawn, when, and with which contrast."""

from collections.abc import Callable
from copy import deepcopy as copy_of
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from pytestqt.qtbot import QtBot

from napari_kmos._napari import white_light
from napari_kmos._napari.layers import add_layers, kmos_of, layer_data
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.white_light import toggle_white_light, white_light_of
from napari_kmos.errors import NotKmosError
from napari_kmos.io import read_exposure
from napari_kmos.spatial.wcs import shift_wcs
from napari_kmos.spectral import collapse_median

pytestmark = pytest.mark.viewer  # Qt's signals

WAIT_MS = 20_000


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def drawn(layer) -> np.ndarray:
    return layer._slice.image.raw


def median(layer) -> np.ndarray:
    return collapse_median(kmos_of(layer).cube).data


def test_small_cubes_are_exact_at_once_and_their_layers_stay(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    layers = add_file(viewer, exposure_file(ifus=(3, 5)))
    layers[0].visible = False
    first = viewer.dims.current_step[0]
    before = drawn(layers[1]).copy()
    toggle_white_light(viewer)
    assert list(viewer.layers) == layers
    np.testing.assert_array_equal(drawn(layers[1]), median(layers[1]))
    assert viewer.dims.axis_labels[0] == "white light"
    assert not np.array_equal(layers[0].data[3], median(layers[0]))
    viewer.dims.set_current_step(0, 4)
    np.testing.assert_array_equal(drawn(layers[1]), median(layers[1]))
    (later,) = add_file(viewer, exposure_file("later.fits", ifus=(5,), seed=3))
    np.testing.assert_array_equal(drawn(later), median(later))
    viewer.dims.set_current_step(0, first)
    toggle_white_light(viewer)
    np.testing.assert_array_equal(drawn(layers[1]), before)
    assert viewer.dims.axis_labels[0].endswith("µm")


def test_contrast_is_remembered_for_planes_and_for_white_light(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    layer.contrast_limits = (1.0, 77.0)
    toggle_white_light(viewer)
    np.testing.assert_allclose(layer.contrast_limits, np.nanpercentile(median(layer), (2, 99.5)), rtol=1e-6)
    layer.contrast_limits = (2.0, 33.0)
    toggle_white_light(viewer)
    assert layer.contrast_limits == [1.0, 77.0]
    toggle_white_light(viewer)
    assert layer.contrast_limits == [2.0, 33.0]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cube counts as one that is computed in a thread; its preview is told from the exact image."""
    monkeypatch.setattr(white_light, "_AT_ONCE_BYTES", 0)
    preview = white_light.preview_white_light

    def dimmed(cube):
        image = preview(cube)
        image.data[...] = image.data - 1
        return image

    monkeypatch.setattr(white_light, "preview_white_light", dimmed)


@pytest.mark.usefixtures("large")
def test_of_a_large_cube_a_preview_comes_first(viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot):
    layers = add_file(viewer, exposure_file(ifus=(3, 5)))
    shown = white_light_of(viewer)
    images: list[list[np.ndarray]] = [[], []]
    for layer, found in zip(layers, images, strict=True):
        layer.events.set_data.connect(lambda _event, layer=layer, found=found: found.append(drawn(layer).copy()))
    toggle_white_light(viewer)
    assert shown.is_running
    qtbot.waitUntil(lambda: not shown.is_running, timeout=WAIT_MS)
    for layer, found in zip(layers, images, strict=True):
        assert np.nanmedian(found[0] - median(layer)) == pytest.approx(-1, abs=1e-5)
        np.testing.assert_array_equal(found[-1], median(layer))
        np.testing.assert_allclose(layer.contrast_limits, np.nanpercentile(median(layer), (2, 99.5)), rtol=1e-6)


@pytest.mark.usefixtures("large")
def test_white_light_asked_for_again_while_the_first_is_given_up_still_comes(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    for _ in range(3):
        toggle_white_light(viewer)
    qtbot.waitUntil(lambda: not white_light_of(viewer).is_running, timeout=WAIT_MS)
    np.testing.assert_array_equal(drawn(layer), median(layer))


def test_a_copy_of_a_layer_in_white_light_has_planes_and_their_contrast(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    limits = layer.contrast_limits
    toggle_white_light(viewer)
    copy = viewer.add_layer(Layer.create(*copy_of(layer.as_layer_data_tuple())))
    np.testing.assert_array_equal(drawn(copy), median(layer))
    toggle_white_light(viewer)
    assert copy.contrast_limits == pytest.approx(limits)
    np.testing.assert_array_equal(drawn(copy), drawn(layer))


@pytest.mark.usefixtures("large")
def test_planes_are_back_at_once_while_the_image_is_computed(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    plane = drawn(layer).copy()
    toggle_white_light(viewer)
    toggle_white_light(viewer)
    np.testing.assert_array_equal(drawn(layer), plane)
    qtbot.waitUntil(lambda: not white_light_of(viewer).is_running, timeout=WAIT_MS)
    np.testing.assert_array_equal(drawn(layer), plane)


@pytest.mark.usefixtures("large")
def test_a_file_that_vanished_is_told_once(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    path = exposure_file(ifus=(3, 5))
    layers = add_file(viewer, path)
    path.unlink()
    told: list[BaseException] = []
    monkeypatch.setattr(white_light, "notify", told.append)
    toggle_white_light(viewer)
    qtbot.waitUntil(lambda: not white_light_of(viewer).is_running, timeout=WAIT_MS)
    assert [type(problem) for problem in told] == [NotKmosError]
    assert list(viewer.layers) == layers


@pytest.mark.usefixtures("large")
def test_a_layer_may_go_while_its_image_is_computed(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
):
    made = []
    exact = white_light.white_light
    monkeypatch.setattr(white_light, "white_light", lambda cube, **how: made.append(cube) or exact(cube, **how))
    add_file(viewer, exposure_file(ifus=(3, 5)))
    toggle_white_light(viewer)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not white_light_of(viewer).is_running, timeout=WAIT_MS)
    assert not made
    toggle_white_light(viewer)


def test_the_ifus_of_a_composite_are_all_in_white_light(
    viewer: ViewerModel, exposure_file: Callable[..., Path], qtbot: QtBot
):
    east = shift_wcs(factories.make_wcs(), 5.0, 0.0)
    cubes = read_exposure(exposure_file(ifus=(3, 5), elsewhere={5: east})).cubes
    (layer,) = add_layers(viewer, layer_data(cubes, path=None, joined=True))
    toggle_white_light(viewer)
    for cube, (y, x) in zip(cubes, kmos_of(layer).grid.origins, strict=True):
        n_y, n_x = cube.shape[1:]
        np.testing.assert_array_equal(drawn(layer)[y : y + n_y, x : x + n_x], collapse_median(cube).data)
