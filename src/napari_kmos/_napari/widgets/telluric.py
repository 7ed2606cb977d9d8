"""The dock *Telluric*: the absorption of the atmosphere taken out by a standard star, and counts brought to flux."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from napari.viewer import Viewer
from qtpy.QtWidgets import QCheckBox, QFormLayout, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import open_paths
from napari_kmos._napari.telluric import Corrected, calibrate_files, correct_files
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import PathField
from napari_kmos._napari.widgets.parts import SideBySide
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.telluric_pages import CalibratePage, CorrectPage
from napari_kmos._napari.widgets.telluric_view import TelluricView
from napari_kmos.words import counted

_SHARES = (2, 3)  # of the height, where one lies below the other: the fields that are always needed can be seen
Step: TypeAlias = Callable[..., Corrected]
Done: TypeAlias = Callable[[Corrected], None]


class TelluricDock(Dock):
    """Correction and calibration from files to files: cubes come back as layers, spectra in *Plot*.

    Parameters
    ----------
    napari_viewer : Viewer
        Gets the results.
    """

    scrolls = False

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.correct_page, self.calibrate_page = CorrectPage(self._open_files), CalibratePage(self._open_files)
        self.view = TelluricView()
        self.out_dir = PathField("Folder for the products", placeholder="folder for the products")
        self.overwrite = QCheckBox("Replace products that exist")
        correct, flux = self.correct_page, self.calibrate_page
        self.remembered = (
            Remembered(self.session, "telluric", correct.kept(), correct.scaling),
            Remembered(self.session, "standard", {}, correct.dividing),
            Remembered(self.session, "calibrate", flux.kept()),
        )
        self._build()

    def links(self) -> Iterable[Link]:
        """Folder, which other docks may change too."""
        return ((self.session.events.out_dir, self.out_dir.show_path),)

    def correct(self) -> None:
        """Take out the atmosphere, in a thread."""
        page = self.correct_page
        with notified(self.say):
            self._start(correct_files, page.files.paths(), page.chosen(), self._on_corrected)

    def calibrate(self) -> None:
        """Bring counts to flux, in a thread."""
        page = self.calibrate_page
        with notified(self.say):
            self._start(calibrate_files, page.files.paths(), page.chosen(), self._show_made)

    def _start(self, step: Step, files: tuple[Path, ...], chosen: Mapping[str, Any], done: Done) -> None:
        self.start(step, files, self.session.out_dir, **chosen, overwrite=self.overwrite.isChecked(), done=done)

    def _build(self) -> None:
        settings, self.pages = QWidget(), QTabWidget()
        self.pages.addTab(self.correct_page, "Atmosphere")
        self.pages.addTab(self.calibrate_page, "Flux")
        form = QFormLayout()
        form.addRow("Products", self.out_dir)
        form.addRow("", self.overwrite)
        column = QVBoxLayout(settings)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pages, stretch=1)
        column.addLayout(form)
        halves = SideBySide(settings, self.view)
        for number, share in enumerate(_SHARES):
            halves.setStretchFactor(number, share)
        self.body.addWidget(halves)
        # else napari leaves the lower half of a dock at the side empty
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.correct_page.run_requested.connect(self.correct)
        self.calibrate_page.run_requested.connect(self.calibrate)
        self.out_dir.changed.connect(self.choose_folder)

    def _show_state(self) -> None:
        self.out_dir.show_path(self.session.out_dir)
        for one in self.remembered:
            one.show_state()
        self.correct_page.look()

    def _open_files(self) -> tuple[Path, ...]:
        """Return the cubes that are open, and the spectra that *Plot* shows."""
        return (*open_paths(self.viewer), *(path for path in self.session.plotted if path.suffix == ".fits"))

    def _on_corrected(self, made: Corrected) -> None:
        """Show the fits; the products are what is calibrated next."""
        self.view.show_fits(made.fits)
        self.calibrate_page.files.show_paths(made.outcome.products)
        if made.response is not None:
            self.calibrate_page.response.show_path(made.response)
        self._show_made(made)

    def _show_made(self, made: Corrected) -> None:
        """Add cubes as layers, and spectra to those that are plotted."""
        if made.cubes:
            self.show_products(replace(made.outcome, products=made.cubes))
        new = tuple(path for path in made.spectra if path not in self.session.plotted)
        if new:
            self.session.plotted = (*self.session.plotted, *new)
        products = made.outcome.products
        seen = "; spectra are to be seen in Plot" if made.spectra else ""
        self.say(f"Done: {counted(len(products), 'file')} in {products[0].parent}{seen}")
