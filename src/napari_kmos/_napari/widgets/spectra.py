"""The dock *Spectra*: apertures on the image, the spectrum of the selected one as it moves, all of them to files."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_kmos._napari import commands, live
from napari_kmos._napari.apertures import ApertureSync
from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import kmos_layers, open_paths
from napari_kmos._napari.positions import warn_of_moved
from napari_kmos._napari.steps import write_spectra
from napari_kmos._napari.widgets.aperture_files import ApertureFiles
from napari_kmos._napari.widgets.aperture_table import ApertureTable
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.index_line import IndexLine
from napari_kmos._napari.widgets.live_plot import LivePlot
from napari_kmos._napari.widgets.parts import SideBySide, button, row_of
from napari_kmos._napari.widgets.sky_edit import SkyEdit
from napari_kmos._napari.widgets.write_edit import WriteEdit
from napari_kmos.io import read_apertures, write_apertures
from napari_kmos.recipes.outcome import Outcome

_ADDING = {
    "star": "Click on stars; key 3 or a click in the table ends that, and lets you drag them",
    "sky": "Click where the sky is empty; key 3 or a click in the table ends that, and lets you drag the circles",
}
_NO_CUBE = "Open a cube first: apertures are drawn on its sky"


class SpectraDock(Dock):
    """Star spectra: seen while the apertures are placed, then written.

    Parameters
    ----------
    napari_viewer : Viewer
        Spectra come from its cube layers.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.sync = ApertureSync(self.viewer, self.session)
        self._live_text = ""
        self.table = ApertureTable()
        self.plot = LivePlot()
        self.sky = SkyEdit()
        self.output = WriteEdit()
        self.index = IndexLine(self.viewer)
        self._build()

    def links(self) -> Iterable[Link]:
        """Apertures, selection, layers; and what was computed."""
        layers = self.viewer.layers
        return (
            (self.session.events.apertures, self._on_changed),
            (self.session.events.selected, self._on_changed),
            (self.session.events.out_dir, self.output.out_dir.show_path),
            (layers.events.inserted, self._on_layers_changed),
            (layers.events.removed, self._on_layers_changed),
            (layers.selection.events.active, self._on_layers_changed),
            (self.viewer.dims.events.current_step, self._show_marker),
        )

    def add(self, kind: str) -> None:
        """Let clicks add stars or sky areas."""
        if kmos_layers(self.viewer):
            self.sync.begin_adding(kind)
            self.say(_ADDING[kind])
        else:
            self.say(_NO_CUBE)

    def read(self, path: Path) -> None:
        """Read apertures and add them to those there are."""
        if not kmos_layers(self.viewer):
            self.say(_NO_CUBE)
            return
        with notified(self.say):
            self.sync.add(read_apertures(path))
            self.session.apertures_file = path
            self.say(f"{path.name}: {len(self.session.apertures)} apertures now")

    def save(self, path: Path) -> None:
        """Write all apertures to an ECSV or region file."""
        with notified(self.say):
            write_apertures(self.session.apertures, path, overwrite=True)
            self.session.apertures_file = path
            self.say(f"Written: {path}")

    def write(self) -> None:
        """Write the spectra of all stars in the chosen files, in a thread."""
        with notified(self.say):
            files = self.output.files()
            warn_of_moved(self.viewer, files)
            self.start(
                write_spectra,
                files,
                self.session.apertures,
                parameters=self.sky.parameters(),
                out_dir=self.session.out_dir,
                overwrite=self.output.overwrite.isChecked(),
                done=self._on_written,
            )

    def _build(self) -> None:
        controls = QWidget()
        column = QVBoxLayout(controls)
        column.setContentsMargins(0, 0, 0, 0)
        tops = (
            button("Add stars", "Then click on stars", lambda: self.add("star")),
            button("Add sky areas", "Then click where the sky is empty", lambda: self.add("sky")),
            button("Remove", "Remove the selected apertures", self.sync.remove_selected),
        )
        column.addLayout(row_of(*tops))
        column.addWidget(self.sky)
        column.addWidget(self.table, stretch=1)
        column.addWidget(files := ApertureFiles(self.session))
        files.read_requested.connect(self.read)
        files.save_requested.connect(self.save)
        self.output.write_requested.connect(self.write)
        self.output.out_dir.changed.connect(self.choose_folder)
        column.addWidget(self.output)
        column.addWidget(self.index)
        self.body.addWidget(SideBySide(controls, self.plot))
        self.sky.radius.valueChanged.connect(self.sync.resize)
        self.sky.changed.connect(self._request)
        self.table.renamed.connect(self.sync.rename)
        self.table.chosen.connect(self.sync.select)
        self.plot.marker_moved.connect(self._on_marker_moved)
        self.plot.answered.connect(self._on_answered)

    def _show_state(self) -> None:
        self.output.out_dir.show_path(self.session.out_dir)
        self.output.show_files(open_paths(self.viewer))
        self.sync.follow()
        self._show_table()
        self._show_marker()
        self._request()
        self.index.look()

    def _on_hidden(self) -> None:
        self.sync.unfollow()

    def _show_table(self) -> None:
        snr = {spectrum.aperture.id: spectrum.snr for spectrum in self.plot.spectra}
        self.table.show_apertures(self.session.apertures, self.session.selected, snr)

    def _show_marker(self) -> None:
        self.plot.show_slider(self.viewer)

    def _request(self) -> None:
        """Ask for the spectra of the selected apertures."""
        skies = [one for one in self.session.apertures if one.kind == "sky"]
        with notified(self.say):
            wanted, cubes, parameters = self.sync.selected(), live.cubes_as_seen(self.viewer), self.sky.parameters()
            self.plot.request(wanted, partial(live.spectra_of, cubes, wanted, skies, parameters))

    def _on_answered(self, text: str) -> None:
        self._say_live(text)
        self._show_table()

    def _say_live(self, text: str) -> None:
        """Say something about the spectra on the screen, or take it back; what was said of other things stays."""
        if text or self.message.text() == self._live_text:
            self.say(text)
            self._live_text = text

    def _on_changed(self) -> None:
        self._show_table()
        if selected := self.sync.selected():
            self.sky.show_radius(selected[0].radius_arcsec)
        self._request()

    def _on_layers_changed(self) -> None:
        self.output.show_files(open_paths(self.viewer))
        self.sync.follow()
        self._show_marker()
        self._request()
        self.index.look()

    def _on_marker_moved(self, wavelength_um: float) -> None:
        commands.show_wavelength(self.viewer, wavelength_um)

    def _on_written(self, outcome: Outcome) -> None:
        self.session.outcomes = {**self.session.outcomes, "extract": outcome}
        self.say(f"{len(outcome.products)} files written to {self.session.out_dir}")
