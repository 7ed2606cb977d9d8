"""What napari's own window tells, without any dock."""

import threading
from collections.abc import Callable
from pathlib import Path

import factories
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.commands import set_thickness, stretch_to_screen, thickness
from napari_kmos._napari.layers import add_layers, kmos_of, layer_data
from napari_kmos._napari.points import show_points
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.watch import watch
from napari_kmos.aperture import Aperture
from napari_kmos.io import read_exposure
from napari_kmos.spatial.wcs import pixel_to_sky, shift_wcs

SHOWN = [1, 2]


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def told(viewer: ViewerModel, layer: Layer, place: tuple[float, float], asked: Layer | None = None) -> str:
    """Return the line of the status bar over a spaxel of a layer, where another layer is the active one."""
    position = (viewer.dims.current_step[0], *layer.data_to_world((0, *place))[1:])
    return (asked or layer).get_status(position, view_direction=None, dims_displayed=SHOWN, world=True)["coordinates"]


def test_the_status_bar_says_what_is_under_the_mouse(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    cube = kmos_of(layer).cube
    viewer.dims.set_current_step(0, 7)
    ra, dec = pixel_to_sky(cube.wcs, 4, 6)
    line = told(viewer, layer, (4.2, 5.9))
    assert line.startswith("IFU 5 star5 [y=4 x=6]  ")
    assert f"  {cube.wavelength_um[7]:.5f} µm  {cube.flux[7, 4, 6].compute():.5g} adu" in line
    ra, dec = pixel_to_sky(cube.wcs, 4.2, 5.9)
    assert f"({ra:.5f}, {dec:.5f})" in line


def test_a_moved_layer_tells_where_it_is_drawn(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    ra, dec = pixel_to_sky(kmos_of(layer).cube.wcs, 4, 6)
    move_to(layer, 0.0, 3.6)
    assert f"({ra:.5f}, {dec + 0.001:.5f})" in told(viewer, layer, (4, 6))


def test_the_line_is_that_of_the_cube_under_the_mouse_whatever_is_active(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    first, second = add_file(viewer, exposure_file(ifus=(3, 5)))
    ra, dec = pixel_to_sky(kmos_of(first).cube.wcs, 3, 3)
    show_points(viewer, [Aperture(id="A", kind="star", ra=ra, dec=dec, radius_arcsec=0.4)])
    second.visible = False  # it lies over the first one
    for asked in (first, second, viewer.layers[-1]):
        assert told(viewer, first, (4, 6), asked).startswith("IFU 3 star3 [y=4 x=6]")
    outside = told(viewer, first, (-40, -40))
    assert outside.count(":") == 4
    assert "IFU" not in outside


def test_the_status_can_be_asked_for_in_another_thread(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(told(viewer, layer, (4, 6))))
    thread.start()
    thread.join()
    assert found == [told(viewer, layer, (4, 6))]


def test_the_wavelength_stands_beside_the_slider(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    grid = kmos_of(layer).cube.wavelength_um
    for plane in (0, 31):
        viewer.dims.set_current_step(0, plane)
        assert viewer.dims.axis_labels == (f"{grid[plane]:.5f} µm", "south", "west")
    add_file(viewer, exposure_file("other.fits", ifus=(3,)))
    assert viewer.dims.axis_labels[0] == f"{grid[31]:.5f} µm"
    assert layer.axis_labels == ("wavelength", "south", "west")
    viewer.add_image(np.zeros((3, 4, 5)), axis_labels=("time", "south", "west"))
    del viewer.layers[:2]
    assert viewer.dims.axis_labels[0] == "time"
    viewer.layers.clear()


def test_planes_about_the_slider_are_shown_together_and_alone_again(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    flux = kmos_of(layer).cube.flux.compute()
    viewer.dims.set_current_step(0, 20)
    for n_planes, planes in ((1, slice(20, 21)), (4, slice(18, 22)), (11, slice(15, 26))):
        set_thickness(viewer, n_planes)
        assert thickness(viewer) == n_planes
        np.testing.assert_allclose(layer._slice.image.raw, np.nanmean(flux[planes], axis=0), rtol=1e-6)  # float32
    set_thickness(viewer, 4)
    assert "µm (4 planes)" in told(viewer, layer, (4, 6))
    (later,) = add_file(viewer, exposure_file("other.fits", ifus=(5,)))
    np.testing.assert_allclose(later._slice.image.raw, np.nanmean(flux[18:22], axis=0), rtol=1e-6)
    layer.projection_mode = "max"
    np.testing.assert_array_equal(layer._slice.image.raw, np.nanmax(flux[18:22], axis=0))
    set_thickness(viewer, 1)
    np.testing.assert_array_equal(layer._slice.image.raw, flux[20])
    assert layer.projection_mode == "max"


def test_contrast_can_be_taken_from_the_screen(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    (layer,) = add_file(viewer, exposure_file(ifus=(5,)))
    viewer.dims.set_current_step(0, 20)
    layer.corner_pixels = np.array([[0, 1, 2], [0, 4, 6]])
    stretch_to_screen(viewer)
    seen = kmos_of(layer).cube.flux[20, 1:5, 2:7].compute()
    np.testing.assert_allclose(layer.contrast_limits, np.nanpercentile(seen, (2, 99.5)), rtol=1e-6)


def test_a_composite_tells_the_ifu_under_the_mouse(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    east = shift_wcs(factories.make_wcs(), 5.0, 0.0)
    cubes = read_exposure(exposure_file(ifus=(3, 5), elsewhere={5: east})).cubes
    watch(viewer)
    (layer,) = add_layers(viewer, layer_data(cubes, path=None, joined=True))
    for cube, (y, x) in zip(cubes, kmos_of(layer).grid.origins, strict=True):
        line = told(viewer, layer, (y + 4, x + 6))
        assert line.startswith(f"{cube.label} [y=4 x=6]")
        assert f"  {cube.flux[viewer.dims.current_step[0], 4, 6].compute():.5g} adu" in line
