"""A pair is seen in every mode, follows its layer, and leaves the viewer as it was."""

from pathlib import Path

import factories
import numpy as np
import pytest
from astropy.table import Table
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot

from napari_kmos._napari.catalogue import CatalogueView, catalogue_layer, show_catalogue
from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.labels import outline_layer, show_names
from napari_kmos._napari.layers import add_layers, kmos_of, layer_data
from napari_kmos._napari.pair_images import BAND, LINE, WHITE, PairImage
from napari_kmos._napari.pair_view import PairView
from napari_kmos._napari.pictures import BESIDE, BLINK, COLOURS, DIFFERENCE, MODES, PLAIN
from napari_kmos._napari.positions import move_to, offset_of
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.score_view import ScoreView
from napari_kmos.cube import Image
from napari_kmos.errors import KmosError
from napari_kmos.io import catalogue_of, read_exposure
from napari_kmos.spatial.wcs import pixel_to_sky, window_wcs

#: What brings the second file of `pair_of_files` onto the first.
RIGHT = (-0.4, 0.2)


@pytest.fixture
def viewer(qtbot: QtBot, pair_of_files: tuple[Path, Path], exposure_file) -> ViewerModel:
    viewer = ViewerModel()
    for path in (*pair_of_files, exposure_file("third.fits", ifus=(3,))):
        add_file(viewer, path)
    return viewer


@pytest.fixture
def view(viewer: ViewerModel) -> PairView:
    return PairView(viewer)


def state(viewer: ViewerModel):
    camera = viewer.scene.camera
    looks = [
        (layer, layer.visible, layer.opacity, layer.blending, layer.contrast_limits, layer.colormap.name)
        for layer in viewer.layers
    ]
    ground = viewer.canvas.background_color_override
    return looks, tuple(camera.center), camera.zoom, viewer.layers.selection.active, ground


def shown(qtbot: QtBot, view: PairView, **how):
    """Show the first two layers and wait until they are scored."""
    with qtbot.waitSignal(view.scored) as scored:
        view.show(view.viewer.layers[0], view.viewer.layers[1], **how)
    return scored.args


def world(layer, y, x):
    return np.array(layer.data_to_world((*[0] * (layer.ndim - 2), y, x))[-2:])


@pytest.mark.parametrize("mode", MODES)
def test_hiding_puts_everything_back(qtbot, viewer, view, mode):
    viewer.layers[1].opacity, viewer.layers[2].visible = 0.7, False
    viewer.layers.selection.active = viewer.layers[1]
    before = state(viewer)
    shown(qtbot, view, mode=mode)
    assert view.is_shown
    assert tuple(viewer.canvas.background_color[:3]) == (0, 0, 0)  # red and cyan added to white are white
    assert [layer.visible for layer in viewer.layers if "kmos" in layer.metadata] == [True, True, False]
    assert viewer.layers.selection.active is viewer.layers[1]
    view.hide()
    assert state(viewer) == before
    assert not view.is_shown


def test_until_there_are_pictures_the_layers_themselves_are_red_and_cyan(qtbot, viewer, view):
    first, second, third = viewer.layers
    with qtbot.waitSignal(view.prepared):
        view.show(first, second)
        assert (first.colormap.name, second.colormap.name, third.visible) == ("red", "cyan", False)
        assert (first.opacity, second.opacity) == (1.0, 1.0)
    assert (first.opacity, second.opacity) == (0.0, 0.0)


@pytest.mark.parametrize("mode", [COLOURS, BLINK])
def test_pictures_lie_where_their_layers_do_and_follow_the_moving_one(qtbot, viewer, view, mode):
    first, second = viewer.layers[:2]
    shown(qtbot, view, mode=mode)
    for layer, picture in zip((first, second), view.pictures.layers, strict=True):
        assert layer.opacity == 0
        np.testing.assert_allclose(world(picture, 3, 4), world(layer, 3, 4), atol=1e-6)
    with qtbot.waitSignal(view.scored):
        move_to(second, 0.3, -0.7)
    np.testing.assert_allclose(world(view.pictures.moving, 3, 4), world(second, 3, 4), atol=1e-6)
    switch_layout(viewer)
    for layer, picture in zip((first, second), view.pictures.layers, strict=True):
        np.testing.assert_allclose(world(picture, 3, 4), world(layer, 3, 4), atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_the_layer_can_be_dragged_on(qtbot, viewer, view, mode):
    second = viewer.layers[1]
    viewer.layers.selection.active = second
    second.mode = "transform"
    shown(qtbot, view, mode=mode)
    assert (second.mode, viewer.layers.selection.active) == ("transform", second)
    view.hide()
    assert (second.mode, viewer.layers.selection.active) == ("transform", second)


def test_the_score_falls_where_the_pair_agrees(qtbot, viewer, view):
    wrong, _ = shown(qtbot, view)
    with qtbot.waitSignal(view.scored) as scored:
        move_to(viewer.layers[1], *RIGHT)
    right, curve = scored.args
    assert right.residual < wrong.residual / 3
    assert right.n_matched == 2
    assert np.argmin(curve.east) == np.argmin(curve.north) == len(curve.steps_arcsec) // 2


def test_a_reference_that_was_moved_is_right_where_it_stands(qtbot, viewer, view):
    first, second = viewer.layers[:2]
    shown(qtbot, view)
    with qtbot.waitSignal(view.prepared):
        move_to(first, 0.3, 0.1)
    np.testing.assert_allclose(world(view.pictures.reference, 3, 4), world(first, 3, 4), atol=1e-6)
    scores = []
    view.scored.connect(lambda score, _curve: scores.append(score))
    move_to(second, RIGHT[0] + 0.3, RIGHT[1] + 0.1)
    qtbot.waitUntil(lambda: bool(scores) and scores[-1].rms_arcsec < 0.02)


def test_the_contrast_of_the_two_is_that_of_one_flux(qtbot, viewer, view):
    shown(qtbot, view)
    with qtbot.waitSignal(view.scored) as scored:
        move_to(viewer.layers[1], *RIGHT)
    score = scored.args[0]
    expected = score.gain * np.array(view.pictures.reference.contrast_limits) + score.background
    np.testing.assert_allclose(view.pictures.moving.contrast_limits, expected, rtol=1e-6)
    assert (view.pictures.reference.colormap.name, view.pictures.moving.colormap.name) == ("red", "cyan")


def test_the_difference_vanishes_where_the_pair_agrees(qtbot, viewer, view):
    shown(qtbot, view, mode=DIFFERENCE)
    wrong = np.nanstd(view.pictures.moving.data)
    with qtbot.waitSignal(view.scored):
        move_to(viewer.layers[1], *RIGHT)
    assert np.nanstd(view.pictures.moving.data) < wrong / 5
    assert not view.pictures.reference.visible
    low, high = view.pictures.moving.contrast_limits
    assert low == -high


def test_beside_each_other_they_do_not_overlap_and_both_are_in_view(qtbot, viewer, view):
    shown(qtbot, view, mode=BESIDE)
    reference, moving = (
        np.array([world(layer, y, x) for y in (0, layer.data.shape[0] - 1) for x in (0, layer.data.shape[1] - 1)])
        for layer in view.pictures.layers
    )
    assert reference[:, 1].max() < moving[:, 1].min()
    camera = viewer.scene.camera
    half = np.array(viewer.canvas.size) / camera.zoom / 2
    for corner in (*reference, *moving):
        assert (np.abs(corner - camera.center[-2:]) <= half).all()


def test_blinking_shows_the_one_and_the_other_and_both_stay_to_be_dragged(qtbot, view):
    view.blink_ms = 20
    shown(qtbot, view, mode=BLINK)
    seen = view.pictures.moving.opacity
    qtbot.waitUntil(lambda: view.pictures.moving.opacity != seen)
    qtbot.waitUntil(lambda: view.pictures.moving.opacity == seen)
    assert all(layer.visible for layer in view.pictures.layers)


@pytest.mark.parametrize(
    "image",
    [
        PairImage(kind=WHITE),
        PairImage(kind=BAND, window_um=(2.1, 2.2)),
        PairImage(kind=LINE, window_um=(2.1, 2.2), continuum_um=((2.0, 2.1), (2.2, 2.3))),
    ],
)
def test_each_image_of_the_cubes_can_be_seen(qtbot, viewer, view, image):
    shown(qtbot, view, image=image)
    data = view.pictures.moving.data
    assert np.isfinite(data).all()
    assert np.median(data) == pytest.approx(0.0 if image.kind == LINE else 10.0, abs=1.0)  # the background is continuum
    assert (np.ptp(data) < 5.0) == (image.kind == LINE)  # and so are the stars


def test_changing_the_mode_makes_no_image_anew_and_another_pair_does(qtbot, viewer, view):
    shown(qtbot, view)
    images = view.images
    shown(qtbot, view, mode=DIFFERENCE)
    assert view.images is images
    zoom = viewer.scene.camera.zoom
    with qtbot.waitSignal(view.prepared):
        view.show(viewer.layers[1], viewer.layers[0])
    assert view.images is not images
    assert viewer.scene.camera.zoom == pytest.approx(zoom, rel=0.1)
    view.show(None, viewer.layers[0])
    qtbot.waitUntil(lambda: view.pictures is not None and view.pictures.reference is None)


def test_what_comes_while_a_pair_is_shown_is_hidden_until_it_is_not(qtbot, viewer, view, exposure_file):
    viewer.layers.selection.active = viewer.layers[1]
    shown(qtbot, view)
    active = viewer.layers.selection.active
    (product,) = add_file(viewer, exposure_file("product.fits", ifus=(5,), wcs=factories.make_wcs(rotation_deg=20.0)))
    assert not product.visible
    qtbot.waitUntil(lambda: viewer.layers.selection.active is active)
    shown(qtbot, view, mode=DIFFERENCE)
    assert not product.visible
    view.hide()
    assert product.visible
    assert product.opacity == 1.0


def test_names_are_not_drawn_over_a_pair_nor_are_sources_it_is_not_compared_with(qtbot, viewer, view):
    ra, dec = pixel_to_sky(factories.make_wcs(rotation_deg=20.0), *np.array(factories.STARS)[:, :2].T)
    catalogue = catalogue_of(Table({"ra": ra, "dec": dec}), "stars")
    show_names(viewer)
    show_catalogue(viewer, CatalogueView(catalogue=catalogue))
    drawn = outline_layer(viewer), catalogue_layer(viewer)
    for reference, seen in ((catalogue, True), (viewer.layers[0], False), (catalogue, True)):
        with qtbot.waitSignal(view.scored):
            view.show(reference, viewer.layers[1])
        assert [layer.visible for layer in drawn] == [False, seen]
    view.hide()
    assert all(layer.visible for layer in drawn)


def test_what_cannot_be_compared_is_told(qtbot, viewer, view, exposure_file):
    far = exposure_file("far.fits", ifus=(5,), wcs=factories.make_wcs(ra=factories.RA + 0.05))
    (layer,) = add_file(viewer, far)
    with qtbot.waitSignal(view.failed) as failed:
        view.show(viewer.layers[0], layer)
    assert "more than 3 arcsec apart" in failed.args[0]
    with qtbot.waitSignal(view.failed):  # asked again it is told again
        view.show(viewer.layers[0], layer, mode=BESIDE)
    with pytest.raises(KmosError, match="mode 'wiggle' does not exist"):
        view.show(viewer.layers[0], layer, mode="wiggle")
    with pytest.raises(KmosError, match="no wavelengths are given"):
        PairImage(kind=BAND)
    with pytest.raises(KmosError, match="image 'lost' does not exist"):
        PairImage(kind="lost")


def test_a_pair_goes_with_its_layers(qtbot, viewer, view):
    second, third = viewer.layers[1:]
    third.visible = False
    shown(qtbot, view)
    viewer.layers.remove(viewer.layers[0])
    assert not view.is_shown
    assert list(viewer.layers) == [second, third]
    assert [second.visible, second.opacity, third.visible] == [True, 1.0, False]


def test_the_score_is_read_and_drawn(qtbot, viewer, view):
    widget = ScoreView()
    qtbot.addWidget(widget)
    view.scored.connect(widget.show_score)
    _, curve = shown(qtbot, view, mode=PLAIN)
    assert widget.numbers.text().startswith("residual ")
    np.testing.assert_allclose(widget.curves[1].yData, curve.north)
    with qtbot.waitSignal(view.scored):
        move_to(viewer.layers[1], 2.9, 0.0)
    assert widget.numbers.text() == "too little of the two overlaps"
    widget.clear()
    assert "appears here" in widget.numbers.text()
    assert offset_of(viewer.layers[1]) == pytest.approx((2.9, 0.0))


def test_a_catalogue_is_a_reference_and_its_stars_are_drawn(qtbot, viewer, view):
    second = viewer.layers[1]
    ra, dec = pixel_to_sky(factories.make_wcs(rotation_deg=20.0), *np.array(factories.STARS)[:, :2].T)
    table = Table({"ra": ra, "dec": dec, "K": -2.5 * np.log10([star[2] for star in factories.STARS])})
    catalogue = catalogue_of(table, "stars")
    n_layers = len(viewer.layers)
    with qtbot.waitSignal(view.scored) as scored:
        view.show(catalogue, second, mode=BLINK)
    assert "stars" in view.pictures.reference.name
    assert len(catalogue_layer(viewer).data) == 2
    wrong = scored.args[0]
    scores = []
    view.scored.connect(lambda score, _curve: scores.append(score))
    move_to(second, *RIGHT)
    qtbot.waitUntil(lambda: bool(scores) and scores[-1].rms_arcsec < 0.03)
    assert scores[-1].residual < wrong.residual
    view.hide()
    assert catalogue_layer(viewer) is None
    assert len(viewer.layers) == n_layers
    show_catalogue(viewer, CatalogueView(catalogue=catalogue))
    with qtbot.waitSignal(view.scored):
        view.show(catalogue, second)
    view.hide()
    assert len(catalogue_layer(viewer).data) == 2  # it was there before


def test_a_mosaic_or_an_image_or_a_whole_exposure_is_a_reference(qtbot, viewer, view, exposure_file):
    """Of an image as large as a mosaic the part about the moving layer is shown."""
    big = np.pad(factories.star_image((13, 15)), ((30, 35), (40, 33)))
    wcs = window_wcs(factories.make_wcs(rotation_deg=20.0), -30, -40)
    known = [kmos_of(viewer.layers[0])]
    (layer,) = add_layers(viewer, layer_data([Image(data=big, wcs=wcs, name="mosaic")], path=None, known=known))
    with qtbot.waitSignal(view.scored):
        view.show(layer, viewer.layers[1])
    assert view.pictures.reference.data.shape < big.shape
    brightest = [np.unravel_index(np.argmax(one.data), one.data.shape) for one in (view.pictures.reference, layer)]
    places = [world(one, *at) for one, at in zip((view.pictures.reference, layer), brightest, strict=True)]
    np.testing.assert_allclose(*places, atol=1e-6)
    whole = exposure_file("whole.fits", ifus=(5, 9), wcs=factories.make_wcs(rotation_deg=20.0))
    cubes = [arm.cube for arm in read_exposure(whole).arms if arm.cube is not None]
    data = layer_data(cubes, path=whole, known=known, joined=True)
    (composite,) = add_layers(viewer, data)
    scores = []
    view.scored.connect(lambda score, _curve: scores.append(score))
    view.show(composite, viewer.layers[1])
    move_to(viewer.layers[1], *RIGHT)
    qtbot.waitUntil(lambda: bool(scores) and scores[-1].rms_arcsec < 0.02)
