"""The dock *Sky tweak* in a real viewer: one IFU is subtracted anew while parameters and the star mask change."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.layers import Labels, Layer
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from pytestqt.qtbot import QtBot

from napari_kmos._napari.commands import switch_layout
from napari_kmos._napari.layers import add_layers, kmos_of, layer_data
from napari_kmos._napari.positions import move_to
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.sky_layers import AFTER, BEFORE, PREVIEW, STAR, MaskLayer, image_layers, shown_cube
from napari_kmos._napari.sky_preview import Preview, PreviewMaker, Wish, guess_files
from napari_kmos._napari.widgets.sky_images import turned
from napari_kmos._napari.widgets.sky_tweak import SkyTweakDock
from napari_kmos._napari.widgets.spectra import SpectraDock
from napari_kmos.io import fits_stem, read_exposure, read_json, read_sky_mask
from napari_kmos.recipes.simulate import simulate
from napari_kmos.simulate import SimulationParameters
from napari_kmos.sky import SkyParameters, subtract_sky
from napari_kmos.sky.cleaning import SkyCleaner

pytestmark = pytest.mark.viewer

WAIT_MS = 30_000


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Two object exposures of two IFUs, and two of a sky with a star in each."""
    parameters = SimulationParameters(ifus=2, exposures=2, epochs=1, nz=512, sky_stars=1, seed=6)
    outcome = simulate(tmp_path_factory.mktemp("night"), parameters=parameters)
    n_objects = outcome.measured["n_objects"]
    return list(outcome.products[:n_objects]), list(outcome.products[n_objects:])


@pytest.fixture
def viewer(make_napari_viewer: Callable[..., Viewer]) -> Viewer:
    return make_napari_viewer(show=True)


@pytest.fixture
def dock(viewer: Viewer, night: tuple[list[Path], list[Path]], qtbot: QtBot) -> Iterator[SkyTweakDock]:
    """The dock over an object and a sky exposure; it has found out which is which, and shows the first IFU."""
    for path in (night[0][0], night[1][0]):
        add_file(viewer, path)
    dock = SkyTweakDock(viewer)
    viewer.window.add_dock_widget(dock, area="bottom")
    qtbot.waitUntil(lambda: dock.preview is not None, timeout=WAIT_MS)
    yield dock
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    dock.hide()


def changed(dock: SkyTweakDock, qtbot: QtBot, change: Callable[[], object]) -> Preview:
    """Change something, and return what is shown then."""
    before = dock.preview
    change()
    qtbot.waitUntil(lambda: dock.preview is not before, timeout=WAIT_MS)
    return dock.preview


def residual_drawn(dock: SkyTweakDock) -> np.ndarray:
    return dock.view.plots.residual.curves[-1].getData()[1]


def test_an_ifu_is_shown_at_once_and_a_parameter_changes_its_residual(dock: SkyTweakDock, qtbot: QtBot, night):
    """What is drawn is what the function of the library leaves with the same parameters."""
    (target, *_), (sky, *_) = night
    assert (dock.session.objects, dock.session.skies) == ((target,), (sky,))
    first = dock.preview
    assert first.result.cube.ifu == read_exposure(target).cubes[0].ifu
    np.testing.assert_array_equal(residual_drawn(dock), first.result.left_spectrum)
    assert dock.view.plots.spectra.names == ("object", "sky model")
    assert len(dock.view.plots.spectra.ticks) >= len(first.marks) > 0
    assert dock.view.tables.bands.rowCount() == len(first.result.bands)
    assert dock.view.tables.levels.rowCount() == len(first.result.levels) > 0
    assert not dock.view.tables.images.images["left_after"].pixmap().isNull()
    assert f"{first.result.residual_over_noise:.2f} of the noise" in dock.view.line.text()
    qtbot.addWidget(other := SpectraDock(dock.viewer))
    assert dock.minimumSizeHint().height() <= other.minimumSizeHint().height()  # nobody's window must grow for it

    def change() -> None:
        dock.settings.form.rows["background"].value = "none"
        dock.settings.form.rows["stretch"].value = True

    second = changed(dock, qtbot, change)
    assert second.seconds < 2.0  # 0.3 s where nothing else works
    wanted = SkyParameters(background="none", stretch=True)
    cleaned = SkyCleaner(read_exposure(sky)).clean(read_exposure(sky).cubes[0])
    expected = subtract_sky(read_exposure(target).cubes[0], cleaned, parameters=wanted)
    np.testing.assert_allclose(residual_drawn(dock), expected.left_spectrum, rtol=1e-6, equal_nan=True)
    assert not np.allclose(expected.left_spectrum, first.result.left_spectrum, equal_nan=True)
    third = changed(dock, qtbot, lambda: dock.settings.method.setCurrentText("plain"))
    assert third.result.method == "plain"
    assert third.result.residual_over_noise > second.result.residual_over_noise


def test_another_ifu_and_another_sky_are_looked_at(viewer: Viewer, dock: SkyTweakDock, qtbot: QtBot, night):
    """By their lists, or by choosing the layer of an IFU."""
    objects, skies = night
    other = read_exposure(objects[0]).cubes[1].ifu
    layer, _ = shown_cube(viewer, objects[0], other)
    seen = changed(dock, qtbot, lambda: setattr(viewer.layers.selection, "active", layer))
    assert seen.wish.ifu == seen.result.cube.ifu == other
    choice = dock.settings.choice.sky
    changed(dock, qtbot, lambda: setattr(dock.session, "skies", tuple(skies)))
    seen = changed(dock, qtbot, lambda: choice.setCurrentIndex(2))
    assert seen.wish.pick == "interpolate"
    assert seen.choice.reason in dock.view.line.text()
    seen = changed(dock, qtbot, lambda: choice.setCurrentIndex(4))
    assert seen.wish.skies == (skies[1],)
    assert seen.wish.ifu == other
    seen = changed(dock, qtbot, lambda: dock.settings.mask.fills.setChecked(False))
    assert seen.sky_mask is None


def test_what_cannot_be_shown_is_told_in_the_dock_alone(dock: SkyTweakDock, qtbot: QtBot, night, tmp_path: Path):
    told: list[object] = []
    notification_manager.notification_ready.connect(told.append)
    row = dock.settings.form.rows["star_sigma"]
    row.value = -1.0
    qtbot.waitUntil(lambda: "star_sigma is -1.0" in dock.view.line.text(), timeout=WAIT_MS)
    assert dock.view.plots.spectra.names == ()
    seen = changed(dock, qtbot, lambda: setattr(row, "value", 4.0))
    assert "star_sigma" not in dock.view.line.text()
    assert seen.result.cube.ifu == seen.wish.ifu
    dock.session.objects = (tmp_path / "gone.fits",)
    qtbot.waitUntil(lambda: "gone.fits" in dock.view.line.text(), timeout=WAIT_MS)
    dock.session.objects = (night[1][0],)  # its own sky
    qtbot.waitUntil(lambda: "is its own sky" in dock.view.line.text(), timeout=WAIT_MS)
    dock.session.skies = ()
    qtbot.waitUntil(lambda: "Choose object and sky" in dock.view.line.text(), timeout=WAIT_MS)
    notification_manager.notification_ready.disconnect(told.append)
    assert told == []


def test_the_star_mask_is_painted_on_the_canvas_and_the_preview_follows(
    viewer: Viewer, dock: SkyTweakDock, qtbot: QtBot, night, tmp_path: Path
):
    """Painted, undone, written, forgotten and read."""
    page, ifu = dock.settings.mask, dock.preview.wish.ifu
    found = dock.preview.sky_mask
    page.show_button.click()
    labels = page.layer.layer
    assert isinstance(labels, Labels)
    assert viewer.layers.selection.active is labels
    assert (labels.mode, labels.selected_label) == ("paint", STAR)
    np.testing.assert_array_equal(labels.data != STAR, found)
    sky_layer, _ = shown_cube(viewer, night[1][0], ifu)
    np.testing.assert_allclose(labels.data_to_world((2, 5)), sky_layer.data_to_world((0, 2, 5))[1:], atol=1e-9)
    y, x = np.argwhere(found)[len(np.argwhere(found)) // 2]
    model = dock.preview.result.model_spectrum
    painted = changed(dock, qtbot, lambda: labels.paint((y, x), STAR))
    assert not painted.sky_mask[y, x]
    assert np.count_nonzero(painted.sky_mask != found) == 1
    assert not np.array_equal(painted.result.model_spectrum, model)
    assert page.layer.layer is labels
    assert "painted" in page.text.text()
    path = tmp_path / "mask.fits"
    dock.save_masks(path)
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    written = read_sky_mask(path, exposure=read_exposure(night[1][0]))
    np.testing.assert_array_equal(written[ifu], painted.sky_mask)
    undone = changed(dock, qtbot, labels.undo)
    np.testing.assert_array_equal(undone.sky_mask, found)
    other_label = changed(dock, qtbot, lambda: labels.paint((y, x), STAR + 1))  # a star, whatever its label
    np.testing.assert_array_equal(other_label.sky_mask, painted.sky_mask)
    changed(dock, qtbot, lambda: page.read(path))
    assert labels.data[y, x] == STAR
    forgotten = changed(dock, qtbot, page.find_again)
    np.testing.assert_array_equal(forgotten.sky_mask, found)
    np.testing.assert_allclose(forgotten.result.model_spectrum, model, rtol=1e-6, equal_nan=True)
    move_to(sky_layer, 0.4, -0.2)
    switch_layout(viewer)
    qtbot.waitUntil(
        lambda: np.allclose(labels.data_to_world((2, 5)), sky_layer.data_to_world((0, 2, 5))[1:]), timeout=WAIT_MS
    )
    viewer.layers.remove(labels)
    assert not page.show_button.isChecked()


def test_all_is_subtracted_with_what_was_painted_and_then_a_second_pass(
    viewer: Viewer, dock: SkyTweakDock, qtbot: QtBot, night, tmp_path: Path
):
    objects, (sky, *_) = night
    dock.session.out_dir = tmp_path / "out"
    dock.settings.mask.show_button.click()
    labels = dock.settings.mask.layer.layer
    painted = changed(dock, qtbot, lambda: labels.paint((6, 6), STAR if labels.data[6, 6] == 0 else 0))
    files = dock.settings.files
    files.run_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    product = tmp_path / "out" / f"{fits_stem(objects[0])}_SKY_TWEAK.fits"
    mask = tmp_path / "out" / f"{fits_stem(sky)}_SKY_MASK.fits"
    np.testing.assert_array_equal(read_sky_mask(mask)[painted.sky.ifu], painted.sky_mask)
    assert mask.name in str(read_json(product.with_suffix(".json"))["parameters"])
    flux = read_exposure(product).cube(painted.wish.ifu).flux
    np.testing.assert_allclose(np.asarray(flux), painted.result.cube.flux, rtol=1e-5, atol=1e-6)
    assert dock.view.tables.currentWidget() is dock.view.tables.run
    files.second_button.click()
    qtbot.waitUntil(lambda: not dock.is_running, timeout=WAIT_MS)
    assert list((tmp_path / "out").glob("*_SKY_TWEAK_*residuals.ecsv"))


def test_images_lie_over_their_cube_and_go_with_the_dock(viewer: Viewer, dock: SkyTweakDock, qtbot: QtBot, night):
    """Hidden, the dock leaves nothing on the canvas, hears nothing more, and has it all again when it comes back."""
    layers = list(viewer.layers)
    heard = len(viewer.layers.events.inserted.callbacks), len(viewer.layers.selection.events.active.callbacks)
    dock.view.on_canvas.setChecked(True)
    dock.settings.mask.show_button.click()
    over, _ = shown_cube(viewer, night[0][0], dock.preview.wish.ifu)
    for layer, name in zip(image_layers(viewer), (BEFORE, AFTER), strict=True):
        assert layer.metadata[PREVIEW] == name
        np.testing.assert_allclose(layer.data_to_world((2, 5)), over.data_to_world((0, 2, 5))[1:], atol=1e-9)
    kept = image_layers(viewer)
    seen = changed(dock, qtbot, lambda: dock.settings.method.setCurrentText("davies"))
    assert image_layers(viewer) == kept
    np.testing.assert_array_equal(kept[1].data, seen.result.images.white_after)
    dock.hide()
    assert list(viewer.layers) == layers
    assert len(viewer.layers.events.inserted.callbacks) < heard[0]
    assert len(viewer.layers.selection.events.active.callbacks) < heard[1]
    dock.show()
    qtbot.waitUntil(lambda: len(image_layers(viewer)) == 2, timeout=WAIT_MS)
    now = len(viewer.layers.events.inserted.callbacks), len(viewer.layers.selection.events.active.callbacks)
    dock.settings.mask.show_button.click()  # the labels and what follows them
    dock.view.on_canvas.setChecked(False)
    assert [layer for layer in viewer.layers if _is_ours(layer)] == []
    assert (len(viewer.layers.events.inserted.callbacks), now[1]) == heard


def _is_ours(layer: Layer) -> bool:
    return isinstance(layer, Labels) or (kmos_of(layer) is not None and PREVIEW in layer.metadata)


def test_stars_lie_over_their_ifu_in_the_layer_of_an_exposure(viewer: Viewer, night, qtbot: QtBot):
    """At the spaxels as they are drawn, wherever the layer is moved."""
    path = night[1][0]
    (layer,) = add_layers(viewer, layer_data(read_exposure(path).cubes, path=path, joined=True))
    piece, (y0, x0) = kmos_of(layer).pieces[1], kmos_of(layer).grid.origins[1]
    stars = MaskLayer(viewer)
    stars.show(shown_cube(viewer, path, piece.ifu), np.ones(piece.shape, dtype=bool))
    move_to(layer, 0.5, 0.3)
    expected = layer.data_to_world((0, y0 + 2, x0 + 5))[1:]
    qtbot.waitUntil(lambda: np.allclose(stars.layer.data_to_world((2, 5)), expected, atol=1e-9), timeout=WAIT_MS)
    stars.hide()
    assert list(viewer.layers) == [layer]


def test_what_was_read_is_kept_until_something_else_is_asked_for(night):
    """Of the cubes; what depends on a parameter is computed anew."""
    objects, skies = night
    maker = PreviewMaker()
    ifus = [cube.ifu for cube in maker.exposure(objects[0]).cubes]
    wish = {"target": objects[0], "skies": tuple(skies), "pick": "best", "method": "plain"}
    first = maker.make(Wish(**wish, ifu=ifus[0], parameters=SkyParameters()))
    again = maker.make(Wish(**wish, ifu=ifus[0], parameters=SkyParameters(shift=False)))
    assert again.choice is first.choice
    assert "leaves least of 2 skies" in first.choice.reason
    other = maker.make(Wish(**wish, ifu=ifus[1], parameters=SkyParameters()))
    assert other.result.cube.ifu == ifus[1]
    assert other.choice.tried == first.choice.tried


def test_objects_and_skies_are_told_apart_only_where_there_are_both(night):
    objects, skies = night
    assert guess_files([skies[0], *objects]) == (tuple(objects), (skies[0],))
    assert guess_files(objects) == guess_files([]) == ((), ())


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[1, 0, 0], [0, 1, 0]], [[0, 1, 2], [3, 4, 5]]),
        ([[-1, 0.1, 0], [0.1, 1, 0]], [[3, 4, 5], [0, 1, 2]]),
        ([[0, 1, 0], [-1, 0, 0]], [[3, 0], [4, 1], [5, 2]]),
    ],
)
def test_small_images_lie_as_on_the_canvas(matrix: list, expected: list):
    """Mirrored where rows run up, and turned where they run sideways."""
    image = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(turned(image, np.array(matrix)), expected)
