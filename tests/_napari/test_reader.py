from collections.abc import Callable
from pathlib import Path

import factories
import fits_files
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_kmos._napari.commands import sheet_if_scattered
from napari_kmos._napari.layers import add_layers, kmos_of
from napari_kmos._napari.planes import Planes
from napari_kmos._napari.points import ensure_points_layer
from napari_kmos._napari.positions import layout_of, offset_of, show_layout
from napari_kmos._napari.reader import add_file, napari_get_reader, read
from napari_kmos.errors import NotKmosError
from napari_kmos.io import write_exposure
from napari_kmos.spatial.wcs import sky_to_pixel


@pytest.fixture
def viewer() -> ViewerModel:
    return ViewerModel()


def test_each_active_ifu_is_a_layer_named_by_ifu_and_target(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    path = str(exposure_file())
    layers = add_layers(viewer, napari_get_reader(path)(path))
    assert [layer.name for layer in layers] == ["IFU 3 star3", "IFU 5 star5", "IFU 22 star22"]
    assert {layer.axis_labels for layer in layers} == {("wavelength", "south", "west")}
    assert [str(unit) for unit in layers[0].units] == ["pixel", "arcsecond", "arcsecond"]
    assert [str(unit) for unit in viewer.layers.units] == ["pixel", "arcsecond", "arcsecond"]


def test_one_slider_has_a_step_for_every_plane(viewer: ViewerModel, exposure_file: Callable[..., Path]):
    add_file(viewer, exposure_file(shape=(2048, 13, 15)))
    assert viewer.dims.nsteps[0] == 2048
    viewer.dims.set_current_step(0, 2047)
    assert viewer.dims.current_step[0] == 2047


@pytest.mark.parametrize("rotation_deg", [0.0, 40.0])
def test_layers_lie_on_the_sky_with_north_up_and_east_left(
    viewer: ViewerModel, exposure_file: Callable[..., Path], rotation_deg: float
):
    wcs = factories.make_wcs(rotation_deg=rotation_deg)
    (layer,) = add_file(viewer, exposure_file(ifus=(5,), wcs=wcs))
    here = sky_to_pixel(wcs, factories.RA, factories.DEC)
    north = sky_to_pixel(wcs, factories.RA, factories.DEC + 1 / 3600)
    east = sky_to_pixel(wcs, factories.RA + 1 / 3600 / np.cos(np.deg2rad(factories.DEC)), factories.DEC)
    origin = np.array(layer.data_to_world((0, *here)))
    # napari draws the second axis downwards and the third to the right, unless its camera is turned.
    assert tuple(str(way) for way in viewer.scene.camera.orientation2d) == ("down", "right")
    np.testing.assert_allclose(np.array(layer.data_to_world((0, *north))) - origin, (0, -1, 0), atol=1e-5)
    np.testing.assert_allclose(np.array(layer.data_to_world((0, *east))) - origin, (0, 0, -1), atol=1e-5)
    assert layer.scale[0] == 1.0


def test_scattered_arms_come_as_a_contact_sheet_that_can_be_switched_to_the_sky(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    places = {ifu: factories.make_wcs(ra=factories.RA + 0.02 * ifu, rotation_deg=15.0) for ifu in (3, 5, 22)}
    layers = add_file(viewer, exposure_file(elsewhere=places))
    assert layout_of(viewer) == "sheet"
    centres = np.array([layer.data_to_world((0, 6, 7))[1:] for layer in layers])
    assert np.ptp(centres, axis=0).max() < 10
    show_layout(viewer, "sky")
    centres = np.array([layer.data_to_world((0, 6, 7))[1:] for layer in layers])
    expected = 0.02 * 3600 * np.cos(np.deg2rad(factories.DEC)) * np.array([2, 17])
    np.testing.assert_allclose(-np.diff(centres[:, 1]), expected, rtol=1e-3)
    show_layout(viewer, "sheet")
    assert all(np.allclose(offset_of(layer), 0, atol=1e-9) for layer in layers)


def test_a_further_file_is_drawn_over_the_first(viewer: ViewerModel, pair_of_files: tuple[Path, Path]):
    first, second = (add_file(viewer, path)[0] for path in pair_of_files)
    moved = np.array(second.data_to_world((0, 6, 7))) - np.array(first.data_to_world((0, 6, 7)))
    # The header of the second says 0.4 arcsec further east (left) and 0.2 further south (down).
    np.testing.assert_allclose(moved, (0, 0.2, -0.4), atol=1e-5)


def test_a_further_file_is_drawn_below_apertures_and_becomes_the_active_layer(
    viewer: ViewerModel, pair_of_files: tuple[Path, Path]
):
    first, second = pair_of_files
    layers = add_file(viewer, first)
    stars = ensure_points_layer(viewer, "star")
    layers += add_file(viewer, second)
    assert list(viewer.layers) == [*layers, stars]
    assert viewer.layers.selection.active is layers[-1]


def test_mosaics_are_told_from_each_other_by_their_files(viewer: ViewerModel, tmp_path: Path):
    names = []
    for name in ("one", "two"):
        path = fits_files.write_combined(tmp_path / f"{name}.fits", fits_files.values(shape=(4, 70, 80)), name="mosaic")
        names += [layer.name for layer in add_file(viewer, path)]
    assert names == ["mosaic", "mosaic two"]


def test_files_of_far_targets_are_put_on_a_contact_sheet_unless_they_were_scattered_before(
    viewer: ViewerModel, exposure_file: Callable[..., Path]
):
    near, far, farther = (
        exposure_file(f"{number}.fits", ifus=(5,), wcs=factories.make_wcs(ra=factories.RA + 0.05 * number))
        for number in range(3)
    )
    add_file(viewer, near)
    sheet_if_scattered(viewer, add_file(viewer, far))
    assert layout_of(viewer) == "sheet"
    centres = np.array([layer.data_to_world((0, 6, 7))[1:] for layer in viewer.layers])
    assert np.ptp(centres, axis=0).max() < 10
    show_layout(viewer, "sky")  # as the user wants it
    sheet_if_scattered(viewer, add_file(viewer, farther))
    assert layout_of(viewer) == "sky"


def test_several_files_are_read_together(exposure_file: Callable[..., Path]):
    paths = [str(exposure_file(name, ifus=(5,))) for name in ("a.fits", "b.fits")]
    data = napari_get_reader(paths)(paths)
    assert [options["metadata"]["kmos"].path.name for _, options, _ in data] == ["a.fits", "b.fits"]


def test_the_flux_is_lazy_and_the_noise_is_not_loaded(exposure_file: Callable[..., Path]):
    ((data, options, kind),) = read(str(exposure_file(ifus=(5,))))
    assert isinstance(data, Planes)
    assert kind == "image"
    assert options["metadata"]["kmos"].cube.is_lazy
    assert not isinstance(options["metadata"]["kmos"].cube.noise, np.ndarray)


def test_a_sky_line_in_one_plane_does_not_set_the_contrast(viewer: ViewerModel, tmp_path: Path):
    exposure = factories.make_exposure(ifus=(5,))
    exposure.cube(5).flux[6] = 1e5  # one of the planes that are looked at
    (layer,) = add_file(viewer, write_exposure(exposure, tmp_path / "line.fits"))
    low, high = layer.contrast_limits
    assert 5 < low < 15  # background 10, noise 1
    assert 20 < high < 60  # the brighter star peaks at 59


def test_a_combined_cube_is_one_layer_and_an_image_too(viewer: ViewerModel, tmp_path: Path):
    combined = fits_files.write_combined(tmp_path / "combined.fits", fits_files.values())
    image = fits_files.write_combined(tmp_path / "image.fits", fits_files.values(shape=(5, 7)))
    (cube,) = add_file(viewer, combined)
    (flat,) = add_file(viewer, image)
    assert (cube.ndim, flat.ndim) == (3, 2)
    np.testing.assert_allclose(cube.data_to_world((0, 2, 3))[1:], flat.data_to_world((2, 3)), atol=1e-9)
    assert [str(unit) for unit in viewer.layers.units] == ["pixel", "arcsecond", "arcsecond"]
    assert kmos_of(flat).cube is None


def test_names_that_are_no_fits_files_are_not_ours():
    assert napari_get_reader("picture.png") is None
    assert napari_get_reader(["cube.fits", "picture.png"]) is None


def test_a_file_without_a_cube_says_what_it_holds(tmp_path: Path):
    path = tmp_path / "text.fits"
    path.write_text("not a FITS file")
    with pytest.raises(NotKmosError, match=r"text\.fits"):
        read(str(path))


@pytest.mark.realdata
def test_a_real_combined_cube_is_one_layer_named_by_ifu_and_target(viewer: ViewerModel, real_data: Path):
    (layer,) = add_file(viewer, real_data / "kmos_combined_yj_ifu22.fits")
    assert layer.name == "IFU 22 zmus_z1_166"
    assert viewer.dims.nsteps[0] == 2048
    low, high = layer.contrast_limits
    assert -2e-15 < low < 0 < high < 2e-15  # of the order of the noise of a plane
