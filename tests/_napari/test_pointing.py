"""What is pointed at over the canvas: stars that snap, sides, spaxels left out; every change can be undone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import factories
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_kmos._napari.apertures import ApertureSync
from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.extracting import extract_list, find_in, residual_layers, show_residual
from napari_kmos._napari.live import cubes_as_seen
from napari_kmos._napari.pixels import hide_pixels, pixels_layer, pixels_of, show_pixels
from napari_kmos._napari.pointing import Pointer
from napari_kmos._napari.points import points_layer
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import session_of
from napari_kmos._napari.under import cube_holding
from napari_kmos.aperture import Aperture
from napari_kmos.errors import ExtractionError, KmosError
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.spatial.wcs import pixel_to_sky, sky_to_pixel
from napari_kmos.stars import FindParameters

if TYPE_CHECKING:
    from collections.abc import Callable

WCS = factories.make_wcs(rotation_deg=30.0)
STAR, OTHER = factories.STARS[0][:2], factories.STARS[1][:2]


@pytest.fixture
def viewer(exposure_file: Callable[..., Path]) -> ViewerModel:
    viewer = ViewerModel()
    add_file(viewer, exposure_file(ifus=(5,), wcs=WCS))
    return viewer


@pytest.fixture
def pointer(viewer: ViewerModel) -> Pointer:
    session = session_of(viewer)
    pointer = Pointer(ApertureSync(viewer, session), session)
    pointer.sync.follow()
    return pointer


def point_at(pointer: Pointer, y: float, x: float) -> None:
    """Put the cursor on a spaxel."""
    pointer.viewer.cursor.position = pointer.viewer.layers[0].data_to_world((0, y, x))


def places(pointer: Pointer) -> list[tuple[float, float]]:
    return [tuple(map(float, sky_to_pixel(WCS, one.ra, one.dec))) for one in pointer.sync.session.apertures]


def test_a_star_is_added_where_it_is_and_not_where_the_cursor_was_unless_snapping_is_off(pointer: Pointer):
    point_at(pointer, STAR[0] + 0.9, STAR[1] - 0.8)
    pointer.add("star")
    assert places(pointer)[0] == pytest.approx(STAR, abs=0.1)
    assert pointer.session.selected == ("1",)
    pointer.session.snapping = "off"
    pointer.add("star")
    assert places(pointer)[1] == pytest.approx((STAR[0] + 0.9, STAR[1] - 0.8), abs=1e-4)
    pointer.add("sky")
    assert [one.id for one in pointer.sync.session.apertures] == ["1", "2", "s1"]
    pointer.session.snapping = "centroid"
    points_layer(pointer.viewer, "star").add(pointer.viewer.layers[0].data_to_world((0, OTHER[0], OTHER[1] + 1))[1:])
    assert places(pointer)[3] == pytest.approx(OTHER, abs=0.1)  # by napari's own tool, after the sky area


@pytest.mark.parametrize(("moved", "chosen"), [(0.0, ("1",)), (0.3, ())])
def test_a_click_on_a_star_chooses_it_while_a_drag_moves_the_view(
    pointer: Pointer, moved: float, chosen: tuple[str, ...]
):
    point_at(pointer, *STAR)
    pointer.add("star")
    before = list(pointer.viewer.mouse_drag_callbacks)
    pointer.begin()
    pointer.sync.select(())
    viewer, stars = pointer.viewer, points_layer(pointer.viewer, "star")
    stars.mode = "pan_zoom"
    viewer.layers.selection.active = viewer.layers[0]
    place = np.append(0.0, stars.data[0])
    event = SimpleNamespace(button=1, type="mouse_press", position=place, is_dragging=False, modifiers=())
    running = [one for call in viewer.mouse_drag_callbacks if next(one := call(viewer, event), "ended") is None]
    event.type, event.is_dragging, event.position = "mouse_move", True, place + moved
    running = [one for one in running if next(one, "ended") is None]
    event.type = "mouse_release"
    assert [next(one, "ended") for one in running] == ["ended"] * len(running)
    assert pointer.session.selected == chosen
    pointer.end()
    assert viewer.mouse_drag_callbacks == before


def test_a_cursor_beside_all_cubes_adds_nothing_and_says_so(pointer: Pointer):
    told: list[str] = []
    pointer.told.connect(told.append)
    point_at(pointer, -50, 3)
    pointer.add("star")
    pointer.exclude()
    point_at(pointer, 3, 3)
    pointer.exclude()
    pointer.take_side("left")
    assert pointer.sync.session.apertures == ()
    assert told == ["There is no cube beneath the cursor"] * 2 + ["Select a star first"] * 2


def test_every_change_of_apertures_is_undone_and_redone(pointer: Pointer):
    sync, states = pointer.sync, [()]

    def note() -> None:
        states.append(sync.session.apertures)

    point_at(pointer, *STAR)
    pointer.add("star")
    note()
    layer = points_layer(pointer.viewer, "star")
    layer._move({0}, layer.data[0])  # napari takes the first position for where the mouse went down
    layer._move({0}, layer.data[0] + 0.3)
    note()
    sync.resize(0.7)
    note()
    pointer.take_side("up")
    note()
    pointer.exclude()
    note()
    sync.rename("1", "WR 102")
    note()
    sync.add([Aperture(id="B", ra=factories.RA, dec=factories.DEC, radius_arcsec=0.3)])
    note()
    sync.select(("WR 102",))
    sync.remove_selected()
    note()
    assert [len(one) for one in states] == [0, 1, 1, 1, 1, 1, 1, 2, 1]
    for state in states[-2::-1]:
        assert sync.undo()
        assert sync.session.apertures == state
    assert sync.undo() == ""
    for state in states[1:]:
        assert sync.redo()
        assert sync.session.apertures == state
    assert sync.redo() == ""
    sync.undo()
    assert sync.session.selected == ("WR 102",)  # what came back
    sync.redo()
    np.testing.assert_allclose(points_layer(pointer.viewer, "star").size, [0.6])


def test_keys_choose_sides_and_spaxels_and_asked_again_take_them_back(pointer: Pointer):
    point_at(pointer, *STAR)
    pointer.add("star")
    pointer.begin()
    keymap = {str(key): function for key, function in pointer.viewer.keymap.items()}
    keymap["Shift+Left"](pointer.viewer)
    assert pointer.sync.selected()[0].sky_side == "left"
    keymap["Shift+Left"](pointer.viewer)
    assert pointer.sync.selected()[0].sky_side == "all"
    keymap["E"](pointer.viewer)
    ((ra, dec),) = pointer.sync.selected()[0].excluded_spaxels
    assert sky_to_pixel(WCS, ra, dec) == pytest.approx(np.round(STAR), abs=1e-4)
    point_at(pointer, STAR[0] + 0.15, STAR[1] - 0.1)  # still the same spaxel
    keymap["E"](pointer.viewer)
    assert pointer.sync.selected()[0].excluded_spaxels == ()
    keymap["N"](pointer.viewer)
    keymap["H"](pointer.viewer)
    assert (pointer.session.snapping, pointer.session.hovering) == ("brightest pixel", "aperture")
    keymap["Delete"](pointer.viewer)
    assert pointer.sync.session.apertures == ()
    pointer.end()
    assert not pointer.viewer.keymap
    assert not pointer.viewer.mouse_move_callbacks


def test_one_star_is_drawn_in_every_frame_that_holds_it_and_is_one_when_it_is_moved_or_removed(
    pointer: Pointer, exposure_file: Callable[..., Path]
):
    # Its middle is another target's on the sheet, its field holds the small one's.
    add_file(pointer.viewer, exposure_file("wide.fits", ifus=(7,), wcs=WCS, shape=(20, 71, 73)))
    switch_layout(pointer.viewer)
    sync = pointer.sync
    sync.follow()
    ra, dec = pixel_to_sky(WCS, *STAR)
    sync.show([Aperture(id="A", ra=float(ra), dec=float(dec), radius_arcsec=0.3)])
    layer = points_layer(pointer.viewer, "star")
    assert list(layer.features["id"]) == ["A", "A"]
    apart = layer.data[1] - layer.data[0]
    layer._move({1}, layer.data[1])
    layer._move({1}, layer.data[1] + (0.2, 0.1))
    (one,) = sync.session.apertures
    np.testing.assert_allclose(layer.data[1] - layer.data[0], apart, atol=1e-5)
    assert np.hypot((one.ra - ra) * np.cos(np.deg2rad(dec)), one.dec - dec) * 3600 == pytest.approx(0.2236, abs=1e-3)
    layer.selected_data = {0}
    layer.remove_selected()
    assert (sync.session.apertures, len(layer.data)) == ((), 0)
    sync.undo()
    pointer.viewer.layers[0].visible = False
    sync.redraw()
    assert list(layer.features["id"]) == ["A"]


def test_the_spaxels_of_a_star_are_drawn_where_they_are(pointer: Pointer):
    point_at(pointer, *STAR)
    pointer.add("star")
    move_to(pointer.viewer.layers[0], 0.4, 0.2)
    (star,) = pointer.sync.selected()
    under = cube_holding(pointer.viewer, star.ra, star.dec)
    colours, corner = pixels_of(under, star, [star], ExtractParameters(inner=1.5, outer=2.5))
    show_pixels(pointer.viewer, under, (colours, corner))
    layer = pixels_layer(pointer.viewer)
    y, x = sky_to_pixel(under.cube.wcs, star.ra, star.dec)
    middle = layer.data_to_world((float(y) - corner[0], float(x) - corner[1]))
    np.testing.assert_allclose(middle, points_layer(pointer.viewer, "star").data[0], atol=1e-4)
    is_star = (colours[..., :3] == colours[round(float(y)) - corner[0], round(float(x)) - corner[1], :3]).all(axis=-1)
    assert 3 < is_star.sum() < 20  # a circle of 1.5 spaxels
    assert (colours[..., 3] > 0).sum() > 2 * is_star.sum()
    assert pointer.viewer.layers.index(layer) < pointer.viewer.layers.index(points_layer(pointer.viewer, "star"))
    hide_pixels(pointer.viewer)
    assert pixels_layer(pointer.viewer) is None


def test_of_a_fit_the_profile_is_drawn_without_a_ring(pointer: Pointer):
    point_at(pointer, *STAR)
    pointer.add("star")
    (star,) = pointer.sync.selected()
    under = cube_holding(pointer.viewer, star.ra, star.dec)
    how = ExtractParameters(inner=1.5, outer=2.5)
    plain, _ = pixels_of(under, star, [star], how)
    drawn = {}
    for method in ("psf", "optimal"):
        (spectrum,) = extract_spectra(under.cube, [star], method=method, parameters=how)
        drawn[method], corner = pixels_of(under, star, [star], how, spectrum=spectrum)
        y, x = sky_to_pixel(under.cube.wcs, star.ra, star.dec)
        peak = np.unravel_index(np.argmax(drawn[method][..., 3]), drawn[method].shape[:2])
        assert (peak[0] + corner[0], peak[1] + corner[1]) == (round(float(y)), round(float(x)))
    is_ring = [(one[..., :3] == 1).all(axis=-1) & (one[..., 3] > 0) for one in (plain, drawn["psf"], drawn["optimal"])]
    assert [one.any() for one in is_ring] == [True, False, True]
    circle, profile = plain[..., 3] > 0.3, drawn["psf"][..., 3] > 0
    assert profile.sum() > circle.sum()  # a fit takes light from beyond the circle, too


def test_stars_are_found_and_measured_and_those_that_are_known_are_not_found_again(pointer: Pointer):
    cubes = cubes_as_seen(pointer.viewer)
    found = find_in(cubes, (), parameters=FindParameters(fwhm_arcsec=0.6))
    pointer.sync.add_numbered(found, "finding stars")
    near = [np.hypot(y - STAR[0], x - STAR[1]) < 0.3 for y, x in places(pointer)]
    assert any(near)
    assert [one.id for one in pointer.sync.session.apertures][:2] == ["1", "2"]
    assert find_in(cubes, pointer.sync.session.apertures, parameters=FindParameters(fwhm_arcsec=0.6)) == ()
    with pytest.raises(KmosError, match="Select a star"):
        pointer.measure_fwhm()
    pointer.sync.select((pointer.sync.session.apertures[near.index(True)].id,))
    assert pointer.measure_fwhm() == pytest.approx(0.6, rel=0.15)  # 3 spaxels; in one plane only


def test_the_whole_list_is_extracted_and_what_is_wrong_with_one_cube_does_not_keep_the_others(
    pointer: Pointer, exposure_file: Callable[..., Path]
):
    add_file(pointer.viewer, exposure_file("second.fits", ifus=(5,), wcs=WCS, seed=3))
    cubes = cubes_as_seen(pointer.viewer)
    stars = [
        Aperture(id=name, ra=float(ra), dec=float(dec), radius_arcsec=0.35)
        for name, (ra, dec) in (("A", pixel_to_sky(WCS, *STAR)), ("B", pixel_to_sky(WCS, *OTHER)))
    ]
    by_aperture = extract_list(cubes, stars, method="aperture", parameters=ExtractParameters())
    assert [one.aperture.id for one in by_aperture.spectra] == ["A", "B", "A", "B"]
    fitted = extract_list(cubes, stars, method="psf", parameters=ExtractParameters(fwhm_arcsec=0.6))
    assert {one.method for one in fitted.spectra} == {"psf"}
    for one, flux in zip(fitted.spectra, 2 * [star[2] for star in factories.STARS], strict=True):
        assert np.median(one.flux) == pytest.approx(flux, rel=0.05)  # Gaussians, fitted by Moffat profiles with wings
    move_to(pointer.viewer.layers[1], 0.3, 0.0)
    show_residual(pointer.viewer, fitted.residual)
    (layer,) = residual_layers(pointer.viewer)
    assert "residual" in layer.name
    assert np.nanstd(layer.data) < 0.05 * factories.STARS[0][2]
    no_sky = extract_list(cubes, [*stars, sky_in_none()], method="aperture", parameters=ExtractParameters())
    assert (len(no_sky.spectra), no_sky.problems) == (4, ())
    gone = dataclasses.replace(sky_in_none(), kind="star")
    without = extract_list(cubes, [*stars, gone], method="aperture", parameters=ExtractParameters())
    assert (len(without.spectra), without.problems) == (4, (f"outside every cube: {gone.id}",))
    with pytest.raises(ExtractionError, match="kind sky"):
        extract_list(cubes, stars, method="aperture", parameters=ExtractParameters(sky="areas"))


def sky_in_none() -> Aperture:
    ra, dec = pixel_to_sky(WCS, 400, 3)
    return Aperture(id="s", kind="sky", ra=float(ra), dec=float(dec), radius_arcsec=0.3)
