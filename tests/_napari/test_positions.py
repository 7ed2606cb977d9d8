from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_kmos._napari.alignment import offset_row
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.line_maps import add_derived
from napari_kmos._napari.mover import REFUSED, Mover
from napari_kmos._napari.positions import is_only_moved, move_to, offset_of, show_layout
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.under import moved_cube
from napari_kmos.spatial.correction import place_wcs
from napari_kmos.spatial.wcs import pixel_to_pixel, shift_wcs
from napari_kmos.spectral import collapse_mean


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def test_a_moved_layer_stands_where_its_corrected_header_puts_it(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    wcs = factories.make_wcs(rotation_deg=25.0)
    moved, right = (
        add_file(viewer, exposure_file(name, ifus=(5,), wcs=one))[0]
        for name, one in (("moved.fits", wcs), ("right.fits", shift_wcs(wcs, 0.7, -0.3)))
    )
    move_to(moved, 0.7, -0.3)
    for corner in ((0, 0, 0), (0, 12, 14)):
        np.testing.assert_allclose(moved.data_to_world(corner), right.data_to_world(corner), atol=1e-5)
    assert offset_of(moved) == pytest.approx((0.7, -0.3), abs=1e-9)
    assert offset_of(right) == pytest.approx((0.0, 0.0), abs=1e-9)


def test_a_turned_layer_stands_where_its_corrected_header_puts_it(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    wcs = factories.make_wcs(rotation_deg=25.0)
    header, right = (
        add_file(viewer, exposure_file(name, ifus=(5,), wcs=one))[0]
        for name, one in (("moved.fits", wcs), ("right.fits", place_wcs((wcs, (13, 15)), 0.7, -0.3, 1.5)))
    )
    move_to(header, 0.7, -0.3, 1.5)
    for corner in ((0, 0, 0), (0, 12, 14)):
        np.testing.assert_allclose(header.data_to_world(corner), right.data_to_world(corner), atol=1e-5)
    assert offset_of(header) == pytest.approx((0.7, -0.3), abs=1e-9)
    assert is_only_moved(header)
    moved = moved_cube(header, kmos_of(header))
    corners = pixel_to_pixel(moved.wcs, kmos_of(right).cube.wcs, np.array([0.0, 12.0]), np.array([0.0, 14.0]))
    np.testing.assert_allclose(corners, [[0, 12], [0, 14]], atol=1e-5)
    show_layout(viewer, "sheet")
    move_to(header, 0.1, 0.2)  # as by hand: it stays turned
    assert kmos_of(header).rotation_deg == 1.5
    assert offset_row(viewer, header).rotation_deg == 1.5
    move_to(header, 0.1, 0.2, 0.0)
    assert kmos_of(header).turned is kmos_of(header).product


def test_an_offset_survives_the_contact_sheet(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    layer = add_file(viewer, exposure_file())[1]
    move_to(layer, -0.4, 0.9)
    show_layout(viewer, "sheet")
    assert offset_of(layer) == pytest.approx((-0.4, 0.9), abs=1e-9)


def test_layers_of_the_same_ifu_and_file_move_together(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    layer, other = add_file(viewer, exposure_file(ifus=(3, 5)))
    white = add_derived(viewer, layer, kmos_of(layer), collapse_mean(kmos_of(layer).cube), "mean")
    mover = Mover(viewer)
    mover.choose(layer)
    mover.move_to(0.5, 0.25)
    assert offset_of(white) == pytest.approx((0.5, 0.25), abs=1e-9)
    np.testing.assert_allclose(layer.data_to_world((0, 3, 4))[1:], white.data_to_world((3, 4)), atol=1e-9)
    assert offset_of(other) == pytest.approx((0, 0), abs=1e-9)


def test_both_ways_of_moving_are_seen(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    mover = Mover(viewer)
    mover.choose(layer)
    told = []
    mover.moved.connect(lambda east, north: told.append((east, north)))
    layer.translate = (0, 0.2, -0.6)  # along the rows and columns of the cube, whose y is north
    assert told[-1] == pytest.approx((0.6, 0.2), abs=1e-6)
    matrix = layer.affine.affine_matrix.copy()
    matrix[1:3, 3] += (-0.5, 0.1)
    layer.affine = matrix
    assert told[-1] == pytest.approx((0.5, 0.7), abs=1e-6)
    assert mover.offset() == pytest.approx((0.5, 0.7), abs=1e-6)


@pytest.mark.parametrize(("change", "value"), [("rotate", 5.0), ("scale", (1.0, 0.21, 0.21)), ("shear", (0, 0, 0.1))])
def test_a_turn_or_a_stretch_is_undone(
    viewer: ViewerModel, exposure_file: Callable[..., Path], change: str, value: object
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    mover = Mover(viewer)
    mover.choose(layer)
    mover.move_to(0.3, 0.2)
    said = []
    mover.refused.connect(said.append)
    if change == "rotate":
        matrix = layer.affine.affine_matrix.copy()
        matrix[1:3, 1:3] @= [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
        layer.affine = matrix
    else:
        setattr(layer, change, value)
    assert said == [REFUSED]
    assert is_only_moved(layer)
    assert offset_of(layer) == pytest.approx((0.3, 0.2), abs=1e-9)
