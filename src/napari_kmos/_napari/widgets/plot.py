"""The dock *Plot*: spectra of many stars looked at, compared and measured."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from napari_kmos._napari import commands
from napari_kmos._napari.errors import notified
from napari_kmos._napari.measuring import measure_spectra, question_of
from napari_kmos._napari.picking import Picker
from napari_kmos._napari.plotted import Drawn, Plotted, lines_of, marked_lines
from napari_kmos._napari.points import select_points, selected_ids, selection_events
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import FIGURES, PathField, ask_save
from napari_kmos._napari.widgets.parts import SideBySide, button, row_of
from napari_kmos._napari.widgets.plot_canvas import PlotCanvas
from napari_kmos._napari.widgets.plot_controls import PlotControls
from napari_kmos._napari.widgets.plot_measure import ResultsTable
from napari_kmos.io import write_figure
from napari_kmos.measure import StarMeasurement
from napari_kmos.recipes.measure import write_measurements
from napari_kmos.report.traces import Look
from napari_kmos.report.traces_figure import traces_figure
from napari_kmos.spectrum import SpectralLine
from napari_kmos.words import counted

_NOTHING = "There is nothing to draw; add files, or select a star"


class PlotDock(Dock):
    """Spectra from files, from the list and from the selected stars.

    Parameters
    ----------
    napari_viewer : Viewer
        Its cubes are what is seen; a row of the results brings its star into view.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.plotted = Plotted(self.viewer, self.session)
        self.picker = Picker(self.viewer, self._select)
        self.drawn: Drawn | None = None
        self.canvas = PlotCanvas()
        here = partial(commands.current_wavelength, self.viewer)
        self.controls = PlotControls(self.session, self.plotted.spectra, self.canvas, here)
        self.results = ResultsTable()
        self.out_dir = PathField("Folder for results", placeholder="folder for results")
        self._build()

    def links(self) -> Iterable[Link]:
        """Listen to what says what is plotted and how, to windows, lines, results, points, and the slider."""
        events, layers = self.session.events, self.viewer.layers
        seen = (events.apertures, events.selected, events.extract_parameters, events.plots_live)
        changes = (layers.events.inserted, layers.events.removed, layers.selection.events.active)
        lines = (events.lines, events.velocity_kms)
        prepared = (events.look, events.fit_um, events.fit_profile, events.spectra, events.plots_list)
        shown = (events.plotted, events.plots_live, events.plots_list, events.snr_um, events.selected)
        controls = (*shown, events.continua, *prepared[:3])
        return (
            (events.plotted, self.plotted.read),
            *((one, self.plotted.look) for one in (*seen, *changes)),
            *((one, self.plotted.prepare) for one in (*prepared, *lines)),
            (events.continua, self.plotted.follow),
            *((one, self._show_marks) for one in (*lines, events.look)),
            *((one, self.controls.show_state) for one in controls),
            *((one, self._show_results) for one in (events.measured, events.selected)),
            *((one, self._on_points_selected) for one in selection_events(self.viewer)),
            (layers.events.inserted, self._on_inserted),
            (events.out_dir, self.out_dir.show_path),
            (self.viewer.dims.events.current_step, self._show_marker),
        )

    def run(self) -> None:
        """Measure every spectrum that is plotted, in a thread."""
        with notified(self.say):
            question = question_of(self.session, lines_of(self.session), self.controls.measure.form.parameters())
            self.start(measure_spectra, self.plotted.spectra(), question, done=self._on_measured)

    def write(self) -> None:
        """Write the results: the tables and regions of `measure`."""
        with notified(self.say):
            is_replaced = self.controls.measure.overwrite.isChecked()
            paths = write_measurements(self.session.measured, self.session.out_dir, overwrite=is_replaced)
            self.say(f"Written to {paths[0].parent}: {', '.join(path.name for path in paths)}")

    def export(self, path: Path) -> None:
        """Write what is plotted as a figure; the dialog has asked whether to replace a file."""
        if self.drawn is None or not self.drawn.traces.spectra:
            self.say(_NOTHING)
            return
        with notified(self.say):
            how = {"look": self.session.look or Look(), "lines": self._marked()}
            view = self.canvas.view()
            figure = traces_figure(self.drawn.traces, selected=self.session.selected, view=view, **how)
            self.say(f"Written: {write_figure(figure, path, overwrite=True)}")

    def _build(self) -> None:
        left, column = QWidget(), QVBoxLayout()
        left.setLayout(column)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.controls, stretch=1)
        export = button("Export…", "Write what is plotted as PNG, PDF or SVG", self._on_export)
        column.addLayout(row_of(self.out_dir, export))
        self.pages = QTabWidget()
        self.pages.addTab(self.canvas, "Plot")
        self.pages.addTab(self.results, "Results")
        self.body.addWidget(SideBySide(left, self.pages))
        self.plotted.ready.connect(self._on_ready)
        self.plotted.told.connect(self.say)
        self.controls.told.connect(self.say)
        self.controls.measure.measure_requested.connect(self.run)
        self.controls.measure.write_requested.connect(self.write)
        self.canvas.marker_moved.connect(partial(commands.show_wavelength, self.viewer))
        self.results.chosen.connect(self._on_chosen)
        self.out_dir.changed.connect(self.choose_folder)

    def _show_state(self) -> None:
        self.picker.begin()
        self.out_dir.show_path(self.session.out_dir)
        self.controls.show_state()
        self._show_results()
        self._show_marks()
        self._show_marker()
        self.plotted.read()
        self.plotted.look()

    def _on_hidden(self) -> None:
        self.picker.end()

    def _show_marks(self) -> None:
        look = self.session.look or Look()
        is_seen = look.marks and bool(self.plotted.spectra())
        self.canvas.show_lines(self._marked() if is_seen else ())
        self.controls.lines.show_state()

    def _marked(self) -> tuple[SpectralLine, ...]:
        return marked_lines(self.session, self.controls.span())

    def _show_marker(self) -> None:
        self.canvas.show_slider(self.viewer)

    def _show_results(self) -> None:
        self.results.show_measured(self.session.measured, self.session.selected)

    def _on_ready(self, drawn: Drawn) -> None:
        self.drawn = drawn
        if self.controls.show_spectra():
            self._show_marks()
        self.canvas.show_drawn(drawn, self.session.look or Look(), self.session.selected)
        self.controls.measure.show_fit(drawn.fit)

    def _on_measured(self, stars: tuple[StarMeasurement, ...]) -> None:
        self.session.measured = stars
        self.pages.setCurrentWidget(self.results)
        self.say(f"Measured: {counted(len(stars), 'row')}")

    def _select(self, ids: tuple[str, ...]) -> None:
        select_points(self.viewer, ids)
        self.session.selected = ids

    def _on_chosen(self, ids: tuple[str, ...]) -> None:
        self._select(ids)
        for star in self.session.measured:
            if star.id in ids[:1]:
                commands.look_at_star(self.viewer, star.ra, star.dec)

    def _on_points_selected(self) -> None:
        if ids := selected_ids(self.viewer):
            self.session.selected = ids

    def _on_inserted(self) -> None:
        """Listen to points that are new, too."""
        known = [signal for signal, _ in self._linked]
        for signal in selection_events(self.viewer):
            if not any(signal is one for one in known):
                signal.connect(self._on_points_selected)
                self._linked.append((signal, self._on_points_selected))

    def _on_export(self) -> None:
        if path := ask_save(self, "Export the plot", self.session.out_dir / "spectra.png", FIGURES):
            self.export(path)
