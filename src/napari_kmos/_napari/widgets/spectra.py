"""The dock *Spectra*: apertures on the image, the spectrum of the selected one as it moves, all of them to files."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from napari_kmos._napari import commands
from napari_kmos._napari.apertures import ApertureSync
from napari_kmos._napari.following import Follower
from napari_kmos._napari.layers import kmos_layers, open_paths
from napari_kmos._napari.pixels import KEY as PIXELS
from napari_kmos._napari.pointing import KEY_TEXTS, Pointer
from napari_kmos._napari.widgets.aperture_table import ApertureTable
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.index_line import IndexLine
from napari_kmos._napari.widgets.live_plot import LivePlot
from napari_kmos._napari.widgets.live_view import LiveView
from napari_kmos._napari.widgets.parts import SideBySide
from napari_kmos._napari.widgets.sky_edit import SkyEdit
from napari_kmos._napari.widgets.spectra_steps import NO_CUBES, SpectraSteps
from napari_kmos._napari.widgets.star_sources import StarSources
from napari_kmos._napari.widgets.tabs import tabs_of
from napari_kmos._napari.widgets.write_edit import WriteEdit

_ADDING = {
    "star": "Click on stars, drag one to move it; key 3 or a click in the table ends that",
    "sky": "Click where the sky is empty; key 3 or a click in the table ends that",
}
_NO_CUBE = "Open a cube first: apertures are drawn on its sky"


class SpectraDock(Dock):
    """Star spectra: seen while the apertures are placed, then extracted and written.

    Parameters
    ----------
    napari_viewer : Viewer
        Spectra come from its cube layers.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.sync = ApertureSync(self.viewer, self.session)
        self.pointer = Pointer(self.sync, self.session)
        self._live_text = ""
        self.table = ApertureTable()
        self.plot = LivePlot()
        self.live = LiveView(self.pointer, self.session, self.plot)
        self.sky = SkyEdit(self.session)
        self.output = WriteEdit()
        self.index = IndexLine(self.viewer)
        self.steps = SpectraSteps(self)
        self.follower = Follower(self.viewer, self._on_moved)
        self._build()

    def links(self) -> Iterable[Link]:
        """Apertures, selection, layers, how spectra are taken; and what was computed."""
        layers, events = self.viewer.layers, self.session.events
        return (
            (events.apertures, self._on_changed),
            (events.selected, self._on_changed),
            (events.spectra, self._on_changed),
            (events.extract_parameters, self._on_changed),
            (events.extract_method, self._on_changed),
            (events.fwhm_arcsec, self.sky.show_state),
            (events.hovering, self.live.hover),
            (events.out_dir, self.output.out_dir.show_path),
            (layers.events.inserted, self._on_layers_changed),
            (layers.events.removed, self._on_layers_changed),
            (layers.selection.events.active, self._on_layers_changed),
            (self.viewer.dims.events.current_step, self._show_marker),
        )

    def add(self, kind: str) -> None:
        """Let clicks add stars or sky areas."""
        if kmos_layers(self.viewer):
            self.pointer.begin()
            self.sync.begin_adding(kind)
            self.say(_ADDING[kind])
        else:
            self.say(_NO_CUBE)

    def read(self, path: Path) -> None:
        """Read apertures, or the stars of a catalogue, and add those that are not there yet."""
        if kmos_layers(self.viewer):
            self.steps.read(path)
        else:
            self.say(_NO_CUBE)

    def give_back(self) -> None:
        """Leave the keys to another dock, but those of the active layer of apertures."""
        self.pointer.give_back()

    def _build(self) -> None:
        controls = QWidget()
        column = QVBoxLayout(controls)
        column.setContentsMargins(0, 0, 0, 0)
        steps = {"find": self.steps.find, "take_catalogue": self.steps.take_catalogue}
        self.sources = StarSources(self.session, add=self.add, remove=self.sync.remove_selected, **steps)
        self.pixels = QCheckBox("Show the spaxels used")
        self.pixels.setChecked(self.live.shows_pixels)
        keys = QLabel("\n".join(f"{key}: {text}" for key, text in KEY_TEXTS))
        keys.setWordWrap(True)
        pages = {"Stars": (self.sources, self.pixels), "Extraction": (self.sky,), "Output": (self.output,)}
        column.addWidget(tabs_of(pages | {"Keys": (keys,)}))
        column.addWidget(self.table, stretch=1)
        column.addWidget(self.index)
        self.body.addWidget(SideBySide(controls, self.plot))
        self.sources.files.read_requested.connect(self.read)
        self.sources.files.save_requested.connect(self.steps.save)
        self.output.extract_requested.connect(self.steps.extract)
        self.output.write_requested.connect(self.steps.write)
        self.output.apply_requested.connect(self.steps.write)
        self.output.out_dir.changed.connect(self.choose_folder)
        self.sky.resized.connect(self.sync.resize)
        self.sky.measure_requested.connect(self.steps.measure)
        self.sky.refused.connect(self.say)
        self.pixels.toggled.connect(self.live.switch_pixels)
        self.pointer.moved.connect(self.live.hover)
        self.pointer.left.connect(partial(self.plot.show_hovered, None))
        self.pointer.told.connect(self.say)
        self.table.renamed.connect(self.sync.rename)
        self.table.chosen.connect(self.sync.choose)
        self.plot.marker_moved.connect(partial(commands.show_wavelength, self.viewer))
        self.plot.answered.connect(self._on_answered)

    def _show_state(self) -> None:
        self.output.out_dir.show_path(self.session.out_dir)
        self.output.show_files(open_paths(self.viewer))
        self.sky.show_state()
        self.sync.follow()
        self.pointer.begin()
        self.follower.follow()
        self._show_table()
        self._show_marker()
        self.live.request()
        self.index.look()

    def _on_hidden(self) -> None:
        self.follower.follow(on=False)
        self.pointer.end()
        self.sync.unfollow()
        self.live.hide()

    def _show_table(self) -> None:
        self.table.show_apertures(self.session.apertures, self.session.selected, self.live.known())

    def _show_marker(self) -> None:
        self.plot.show_slider(self.viewer)

    def _on_answered(self, text: str) -> None:
        """Say what is new about the spectra on the screen, or take it back; what was said of other things stays."""
        if text != self._live_text and (text or self.message.text() == self._live_text):
            self.say(text)
        self._live_text = text
        self._show_table()
        self.live.show_pixels_soon()

    def _on_changed(self) -> None:
        self.live.request()  # first of all: it works in a thread
        self._show_table()
        if selected := self.sync.selected():
            self.sky.show_radius(selected[0].radius_arcsec)

    def _on_moved(self, _viewer: object) -> bool:
        """Draw the apertures where their fields are now."""
        self.sync.redraw()
        self.live.request()
        return True

    def _on_layers_changed(self, event: object) -> None:
        """Take note of layers of ours that came, went or are looked at."""
        layer = getattr(event, "value", None)
        if self.message.text() in (_NO_CUBE, NO_CUBES) and kmos_layers(self.viewer):
            self.say("")
        if layer is not None and PIXELS not in layer.metadata:
            self.output.show_files(open_paths(self.viewer))
            self.sync.follow()
            self.pointer.adopt_layers()
            self._show_marker()
            self.live.request()
            self.index.look()
