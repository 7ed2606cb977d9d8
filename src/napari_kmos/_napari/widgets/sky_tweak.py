"""The dock *Sky tweak*: see what the subtraction of the sky does in one IFU while it is set, then do it for all."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_kmos._napari import commands
from napari_kmos._napari.errors import notified, notify
from napari_kmos._napari.layers import kmos_of, open_paths
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.sky_layers import hide_images, show_images, shown_cube
from napari_kmos._napari.sky_preview import Preview, PreviewMaker, guess_files
from napari_kmos._napari.steps import second_pass, tweak_sky, write_masks
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.parts import SideBySide
from napari_kmos._napari.widgets.sky_settings import SkySettings
from napari_kmos._napari.widgets.sky_view import SkyView
from napari_kmos._napari.workers import Latest
from napari_kmos.errors import KmosError
from napari_kmos.recipes.outcome import Outcome

STEP = "sky_tweak"
#: Keys are typed one after the other, and a brush is moved on: what comes of it is computed when it rests.
_REST_MS = 200
_NO_FILES = "Choose object and sky exposures (Files): what the subtraction does in one IFU appears here"
_WAIT = "Reading and subtracting…"


class SkyTweakDock(Dock):
    """Sky subtraction: one IFU on the screen, all exposures from files to files; these come back as layers.

    Parameters
    ----------
    napari_viewer : Viewer
        Gets the results.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.settings = SkySettings(self.viewer, self.session, lambda: open_paths(self.viewer))
        self.view = SkyView()
        self.maker, self.latest = PreviewMaker(), Latest()
        self.preview: Preview | None = None
        self._told, self._open = "", ()
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._build()

    def links(self) -> Iterable[Link]:
        """Files and folder, which other docks may change too; what is looked at; and the slider."""
        events, layers = self.session.events, self.viewer.layers
        return (
            *((event, self._show_state) for event in (events.objects, events.skies)),
            (events.out_dir, self.settings.files.out_dir.show_path),
            (layers.selection.events.active, self._on_activated),
            (layers.events.inserted, self._on_inserted),
            (self.viewer.dims.events.current_step, self._show_marker),
        )

    def run(self) -> None:
        """Subtract the sky from all IFUs of all object exposures, in a thread."""
        with notified(self.say):
            how = {**self.settings.how(), **self.settings.files.how()}
            files = self.session.objects, self.settings.skies(), self.session.out_dir
            done = self.show_products if self.settings.files.engine.writes_only else self._on_done
            self.start(tweak_sky, *files, **how, done=done)

    def run_second_pass(self) -> None:
        """Subtract what is left in the products of the last run, else in the object exposures, in a thread."""
        done = self.session.outcomes.get(STEP)
        files = done.products if done else self.session.objects
        overwrite = self.settings.files.overwrite.isChecked()
        self.start(second_pass, files, self.session.out_dir, overwrite=overwrite, done=self.show_products)

    def save_masks(self, path: Path) -> None:
        """Write the masks of all IFUs of the sky that is looked at, in a thread; the dialog has asked about it."""
        sky = self.preview.sky_path
        self.start(write_masks, sky, self.settings.mask.given.get(sky), path, overwrite=True, done=self._on_saved)

    def _build(self) -> None:
        self.body.addWidget(SideBySide(self.settings, self.view))
        self._rest.timeout.connect(self._request)
        self.latest.ready.connect(self._on_ready)
        self.latest.failed.connect(self._on_no_preview)
        self.latest.progressed.connect(self.view.show_progress)
        self.view.plots.marker_moved.connect(partial(commands.show_wavelength, self.viewer))
        settings, files = self.settings, self.settings.files
        settings.changed.connect(self._ask)
        settings.choice.target_changed.connect(self._show_cubes)
        self.view.on_canvas.toggled.connect(self._show_overlays)
        settings.mask.save_requested.connect(self.save_masks)
        files.objects.changed.connect(partial(setattr, self.session, "objects"))
        files.skies.changed.connect(partial(setattr, self.session, "skies"))
        files.out_dir.changed.connect(self.choose_folder)
        files.run_requested.connect(self.run)
        files.second_pass_requested.connect(self.run_second_pass)

    def _show_state(self) -> None:
        self.settings.show_files()
        self.view.tables.show_run(self.session.outcomes.get(STEP))
        self._show_cubes()
        self._show_marker()

    def _on_hidden(self) -> None:
        self._rest.stop()
        hide_images(self.viewer)
        self.settings.mask.hide_layer()

    def _show_marker(self) -> None:
        self.view.plots.show_slider(self.viewer)

    def _show_cubes(self) -> None:
        """Offer the IFUs of the object exposure that is looked at."""
        path = self.settings.choice.target.currentData()
        try:
            self.settings.choice.show_cubes(() if path is None else self.maker.exposure(path).cubes)
        except KmosError as err:
            self.settings.choice.show_cubes(())
            self._on_no_preview(err)
        self._ask()

    def _ask(self) -> None:
        """Ask for a preview once nothing changes any more."""
        self._rest.start()

    def _request(self) -> None:
        """Ask for a preview of what is chosen now."""
        if not (self.session.objects or self.session.skies) and (open_now := open_paths(self.viewer)) != self._open:
            self._open = open_now
            with self.log.step(by_itself=True):
                self.session.objects, self.session.skies = guess_files(open_now)
            if self.session.objects:  # asked for anew by now
                return
        try:
            wish = self.settings.wish()
        except KmosError as err:
            self._on_no_preview(err)
            return
        if wish is None:
            self.view.show_problem(_NO_FILES)
            return
        if self.preview is None:
            self.view.line.say(_WAIT)
        self.latest.request(partial(self.maker.make, wish))

    def _on_ready(self, preview: Preview) -> None:
        if not self.is_seen:  # shown again, it asks again
            return
        self.preview = preview
        self.view.show_preview(preview)
        self.settings.mask.show_preview(preview)
        self._show_overlays()

    def _on_no_preview(self, problem: BaseException) -> None:
        """Say why nothing is shown: a notification a keystroke would bury the user."""
        text = str(problem)
        if not isinstance(problem, KmosError) and text != self._told:
            notify(problem)
            self._told = text
        self.view.show_problem(text)

    def _show_overlays(self) -> None:
        """Show on the canvas what shall be seen there."""
        preview, shows = self.preview, self.view.on_canvas.isChecked()
        if preview is None or not shows:
            hide_images(self.viewer)
            return
        path, ifu = preview.wish.target, preview.wish.ifu
        if shown_cube(self.viewer, path, ifu) is None:
            with notified(self.say):
                add_file(self.viewer, path)
        if (over := shown_cube(self.viewer, path, ifu)) is not None:
            show_images(self.viewer, over, preview.result)

    def _on_inserted(self) -> None:
        """Look what was opened, as long as no files are chosen."""
        if not (self.session.objects or self.session.skies):
            self._ask()

    def _on_activated(self) -> None:
        """Look at the IFU whose layer was chosen."""
        layer = self.viewer.layers.selection.active
        shown = kmos_of(layer)
        if shown is not None and shown.cube is not None and shown.path == self.settings.choice.target.currentData():
            self.settings.choice.choose_ifu(shown.ifu)

    def _on_done(self, outcome: Outcome) -> None:
        self.session.outcomes = {**self.session.outcomes, STEP: outcome}
        self.view.tables.show_run(outcome)
        self.view.tables.setCurrentWidget(self.view.tables.run)
        self.show_products(outcome)

    def _on_saved(self, path: Path) -> None:
        self.say(f"Written: {path}")
