"""The dock *Maps*: windows on a spectrum become images of the line, on the screen and as files."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_kmos._napari import commands, live
from napari_kmos._napari.errors import notified
from napari_kmos._napari.line_maps import Target, box_drawn, box_on_screen, file_of, map_layers, show_maps, target_of
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import NEW_CUBE, ask_save
from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.index_line import IndexLine
from napari_kmos._napari.widgets.maps_files import ALL, DRAWN, IN_LINE, MapsFiles
from napari_kmos._napari.widgets.maps_plot import WindowPlot
from napari_kmos._napari.widgets.maps_windows import WindowsPanel
from napari_kmos._napari.widgets.parts import SideBySide, button, folded, row_of
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.thickness import Thickness
from napari_kmos.errors import KmosError
from napari_kmos.extract import ExtractParameters
from napari_kmos.recipes.crop import crop
from napari_kmos.recipes.map import map_cube
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spectral import LineMaps, MapParameters, make_maps

_NO_CUBE = "no cube is open; open one: maps are made of the cube looked at"
_NO_LINE = "no line is chosen; put the windows around the wavelength of the slider (To slider)"
#: A view is moved in many small steps; the spectrum of its middle is asked for when it rests.
_REST_MS = 250


class MapsDock(Dock):
    """Maps of a line in the cube looked at.

    Parameters
    ----------
    napari_viewer : Viewer
        Gets the maps as layers over its cube.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.plot = WindowPlot()
        self.windows = WindowsPanel(self.viewer, self.session, self.plot)
        self.index = IndexLine(self.viewer)
        self.thickness = Thickness(self.viewer)
        self.form = ParameterForm(MapParameters, exclude=("moments",))
        self.files = MapsFiles()
        kept = {"wave": self.files.wave, "sky": self.files.sky}
        self.remembered = Remembered(self.session, "map", kept, self.form)
        self._is_making = self._again = False
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._build()

    def links(self) -> Iterable[Link]:
        """Windows, folder, apertures, layers, and where the view is."""
        events, layers, dims = self.session.events, self.viewer.layers, self.viewer.dims.events
        return (
            (events.line_um, self.windows.show_state),
            (events.continuum_um, self.windows.show_state),
            (events.out_dir, self.files.out_dir.show_path),
            (events.selected, self._request),
            (events.apertures, self._request),
            (layers.events.inserted, self._on_view_moved),
            (layers.events.removed, self._on_view_moved),
            (layers.selection.events.active, self._on_view_moved),
            (self.viewer.scene.camera.events.center, self._on_view_moved),
            (dims.current_step, self._show_marker),
            (dims.margin_left, self.thickness.show_state),
            (dims.margin_right, self.thickness.show_state),
        )

    def make(self) -> None:
        """Make the maps of the cube looked at, in a thread; asked for again meanwhile, they are made anew."""
        if self._is_making:
            self._again = True
            self._task.cancel()
            return
        with notified(self.say):
            target = self._target()
            self._is_making = not self.is_running  # it may write, and is not to be disturbed then
            self.start(make_maps, target.shown.cube, **self._choice(), done=partial(self._on_made, target))

    def write(self) -> None:
        """Write the maps of the cube looked at, in a thread."""
        with notified(self.say):
            target = self._target()
            how = {"ifu": target.shown.ifu, "overwrite": self.files.overwrite.isChecked(), **self._choice()}
            self.start(map_cube, file_of(self.viewer, target), self.session.out_dir, **how, done=self._on_written)

    def cut(self, out: Path) -> None:
        """Write the chosen part of the cube looked at, in a thread; the dialog has asked whether to replace a file."""
        with notified(self.say):
            target = self._target()
            wave, sky = self.files.wave.currentText(), self.files.sky.currentText()
            box = None if sky == ALL else (box_drawn if sky == DRAWN else box_on_screen)(self.viewer, target)
            wave_um = None if wave == ALL else self.session.line_um if wave == IN_LINE else self.plot.range_um()
            how = {"wave_um": wave_um, "box": box, "ifu": target.shown.ifu, "overwrite": True}
            self.start(crop, file_of(self.viewer, target), out, **how, done=self._on_written)

    def _build(self) -> None:
        controls = QWidget()
        column = QVBoxLayout(controls)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.windows)
        column.addLayout(row_of(button("Make maps", "Show the maps as layers over their cube", self.make)))
        column.addWidget(self.files)
        column.addWidget(self.thickness)
        column.addWidget(folded("Parameters", self.form))
        column.addStretch()
        column.addWidget(self.index)
        self.body.addWidget(SideBySide(controls, self.plot))
        self.windows.settled.connect(self._remake)
        self.plot.marker_moved.connect(partial(commands.show_wavelength, self.viewer))
        self.plot.answered.connect(self._on_answered)
        self.files.out_dir.changed.connect(self.choose_folder)
        self.files.write_requested.connect(self.write)
        self.files.crop_requested.connect(self._on_crop)
        self._rest.timeout.connect(self._request)

    def _show_state(self) -> None:
        self.files.out_dir.show_path(self.session.out_dir)
        if self.session.line_um is None:
            with self.log.step(by_itself=True):
                self.windows.put_around_slider()
        self.windows.show_state()
        self._show_marker()
        self.thickness.show_state()
        self._request()
        self.index.look()

    def _show_marker(self) -> None:
        self.plot.show_slider(self.viewer)

    def _request(self) -> None:
        """Ask for the spectrum of the first selected aperture, or of the middle of the view."""
        target = self._looked_at()
        wanted, cubes = ((), ()) if target is None else ((target.aperture,), (target.cube,))
        self.plot.request(wanted, partial(live.spectra_of, cubes, wanted, (), ExtractParameters(sky="none")))

    def _looked_at(self) -> Target | None:
        return target_of(self.viewer, [one for one in self.session.apertures if one.id in self.session.selected])

    def _target(self) -> Target:
        """Return the cube looked at, if there is one."""
        if (target := self._looked_at()) is None:
            raise KmosError(_NO_CUBE)
        return target

    def _choice(self) -> dict[str, Any]:
        """Return windows and parameters as they are shown."""
        if self.session.line_um is None:
            raise KmosError(_NO_LINE)
        windows = {"line_um": self.session.line_um, "continuum_um": self.session.continuum_um}
        return {**windows, "parameters": self.form.parameters()}

    def _remake(self) -> None:
        """Let the maps that are shown follow the windows."""
        target = self._looked_at()
        if target is not None and map_layers(self.viewer, target.shown):
            self.make()

    def _on_view_moved(self) -> None:
        self._rest.start()

    def _on_hidden(self) -> None:
        self._rest.stop()

    def _on_answered(self, text: str) -> None:
        if text:
            self.say(text)

    def _on_made(self, target: Target, maps: LineMaps) -> None:
        if target.layer in self.viewer.layers:
            show_maps(self.viewer, target, maps)
            self.say(f"Maps of {target.cube.label}: {', '.join(maps.by_name())}")

    def _on_ended(self) -> None:
        super()._on_ended()
        again, self._is_making, self._again = self._again, False, False
        if again:
            self.make()

    def _on_written(self, outcome: Outcome) -> None:
        names = ", ".join(path.name for path in outcome.products)
        self.say(f"Written to {outcome.products[0].parent}: {names}")

    def _on_crop(self) -> None:
        if path := ask_save(self, "Write the part of the cube", self.session.out_dir / "part.fits", NEW_CUBE):
            self.cut(path)
