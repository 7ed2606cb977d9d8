"""The plugin as napari finds it: by its manifest."""

from collections.abc import Callable
from pathlib import Path

import factories
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from qtpy.QtWidgets import QDockWidget

import napari_kmos
from napari_kmos._napari import app
from napari_kmos._napari.layers import kmos_layers, kmos_of
from napari_kmos._napari.positions import layout_of
from napari_kmos._napari.reader import napari_get_reader
from napari_kmos._napari.sample_data import night
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import FITS_ENDINGS
from napari_kmos.io.session_file import ENDING

DOCKS = ["Sky tweak", "Align IFUs", "Combine", "Spectra", "Plot", "Maps", "Session"]


@pytest.fixture
def plugin(npe2pm: PluginManager) -> PluginManager:
    npe2pm.register(_manifest())
    return npe2pm


def _manifest():
    from npe2 import PluginManifest

    return PluginManifest.from_file(Path(napari_kmos.__file__).with_name("napari.yaml"))


def test_the_sample_is_a_simulated_night_whose_files_the_docks_can_use():
    viewer = ViewerModel()
    for data, options, kind in night():
        assert kind == "image"
        viewer.add_image(data, **options)
    files = {kmos_of(layer).path for layer in kmos_layers(viewer)}
    assert len(files) == 2
    assert len(kmos_layers(viewer)) == 6
    assert all(path.is_file() for path in files)


@pytest.mark.viewer
def test_view_opens_files_north_up_with_the_docks_ready(
    make_napari_viewer: Callable[..., object], exposure_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(app.napari, "Viewer", make_napari_viewer)
    viewer = app.make_viewer([exposure_file(ifus=(3, 5))])
    assert [layer.name for layer in viewer.layers] == ["IFU 3 star3", "IFU 5 star5"]
    assert sorted(viewer.window.dock_widgets) == sorted(f"{name} (KMOS)" for name in DOCKS)
    assert tuple(str(way) for way in viewer.scene.camera.orientation2d) == ("down", "right")
    assert viewer.canvas.overlays.scale_bar.visible
    assert viewer.dims.axis_labels[0].endswith("µm")


@pytest.mark.viewer
@pytest.mark.parametrize(("low", "stacked"), [(1e6, True), (0, False)])
def test_on_a_low_screen_the_docks_of_napari_lie_on_each_other(
    make_napari_viewer: Callable[..., object],
    exposure_file: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    low: float,
    stacked: bool,
):
    """Below each other they need more height, with a dock under them, than such a screen has."""
    monkeypatch.setattr(app.napari, "Viewer", make_napari_viewer)
    monkeypatch.setattr(app, "_LOW_SCREEN", low)
    window = app.make_viewer([exposure_file(ifus=(3,))]).window._qt_window
    controls, layers = (window.findChild(QDockWidget, name) for name in ("layer controls", "layer list"))
    assert (layers in window.tabifiedDockWidgets(controls)) == stacked
    assert window.height() <= window.screen().availableSize().height()
    if stacked:
        assert window.minimumSizeHint().height() <= 800  # a small laptop


def test_view_tells_of_a_bad_file_before_it_opens_a_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(app.napari, "Viewer", None)
    with pytest.raises(NotKmosError, match=r"gone\.fits"):
        app.make_viewer([tmp_path / "gone.fits"])
    with pytest.raises(KmosError, match="no file is named to be shown"):
        app.make_viewer([])


@pytest.mark.viewer
def test_napari_reads_and_offers_docks_and_commands_by_the_manifest(
    make_napari_viewer: Callable[..., object], plugin: PluginManager, exposure_file: Callable[..., Path]
):
    viewer = make_napari_viewer(show=False)
    east = factories.make_wcs(ra=factories.RA + 10 / 3600)
    viewer.open(str(exposure_file(ifus=(3, 5), elsewhere={5: east})), plugin="napari-kmos")
    assert [layer.name for layer in viewer.layers] == ["IFU 3 star3", "IFU 5 star5"]
    assert viewer.scene.camera.center[1:] == pytest.approx(viewer.layers.extent.world[:, 1:].mean(axis=0), abs=0.2)
    for name in DOCKS:
        dock, widget = viewer.window.add_plugin_dock_widget("napari-kmos", name)
        assert widget.viewer is viewer
        dock.close()
    assert layout_of(viewer) == "sky"
    plugin.commands.execute("napari-kmos.switch_layout", args=(viewer,))
    assert layout_of(viewer) == "sheet"


def test_the_manifest_names_the_files_that_the_reader_takes():
    reader, session = _manifest().contributions.readers
    assert session.filename_patterns == [f"*{ENDING}"]
    assert reader.filename_patterns == [f"*{ending}" for ending in FITS_ENDINGS]
    assert all(napari_get_reader(f"cube{ending}") is not None for ending in FITS_ENDINGS)


def test_every_command_of_the_manifest_can_be_imported():
    commands = _manifest().contributions.commands
    assert len(commands) >= 14
    assert all(callable(command.exec) for command in commands)
