"""The dock *Sky tweak*: subtract the sky of sky exposures from object exposures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari.viewer import Viewer
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel

from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import open_paths
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import FileList, PathField
from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.parts import ResultTable, button, folded
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.sky_tweak import sky_tweak
from napari_kmos.sky import DEFAULT_METHOD, SKY_METHODS, SkyParameters

STEP = "sky_tweak"
_HEADINGS = ("IFU", "band", "factor", "pixels", "before", "after", "product")
_TIPS = (
    "IFU",
    "Vibrational band of OH, or what else was fitted",
    "The sky's lines were multiplied by this",
    "Line pixels the factor was fitted on",
    "Residual on the lines with the sky as it is",
    "Residual on the lines with the fitted sky",
    "Product",
)


class SkyTweakDock(Dock):
    """Sky subtraction from files to files; the results come back as layers.

    Parameters
    ----------
    napari_viewer : Viewer
        Gets the results.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.objects, self.skies = (FileList(lambda: open_paths(self.viewer)) for _ in range(2))
        self.method = QComboBox()
        self.method.addItems(list(SKY_METHODS))
        self.method.setCurrentText(DEFAULT_METHOD)
        self.form = ParameterForm(SkyParameters)
        self.out_dir = PathField("Folder for the products", placeholder="folder for the products")
        self.overwrite = QCheckBox("Replace products that exist")
        self.run_button = button("Subtract sky", "Run in the background; the results come as layers", self.run)
        self.table = ResultTable(_HEADINGS, _TIPS)
        self._build()

    def links(self) -> Iterable[Link]:
        """Files and folder, which other docks may change too."""
        events = self.session.events
        return tuple((event, self._show_state) for event in (events.objects, events.skies, events.out_dir))

    def run(self) -> None:
        """Start."""
        with notified(self.say):
            self.start(
                sky_tweak,
                self.session.objects,
                self.session.skies,
                self.session.out_dir,
                method=self.method.currentText(),
                parameters=self.form.parameters(),
                overwrite=self.overwrite.isChecked(),
                done=self._on_done,
            )

    def _build(self) -> None:
        self.objects.changed.connect(self._on_objects_chosen)
        self.skies.changed.connect(self._on_skies_chosen)
        self.out_dir.changed.connect(self.choose_folder)
        form = QFormLayout()
        form.addRow(QLabel("Object exposures"))
        form.addRow(self.objects)
        form.addRow(QLabel("Sky exposures (the nearest in time is taken)"))
        form.addRow(self.skies)
        form.addRow("Method", self.method)
        form.addRow(folded("Parameters", self.form))
        form.addRow("Products", self.out_dir)
        form.addRow("", self.overwrite)
        form.addRow(self.run_button)
        form.addRow(QLabel("Bands of the last run"))
        self.body.addLayout(form)
        self.body.addWidget(self.table, stretch=1)

    def _show_state(self) -> None:
        self.objects.show_paths(self.session.objects)
        self.skies.show_paths(self.session.skies)
        self.out_dir.show_path(self.session.out_dir)
        done = self.session.outcomes.get(STEP)
        self.table.show_rows(_rows(done) if done else [])

    def _on_objects_chosen(self, paths: tuple[Path, ...]) -> None:
        self.session.objects = paths

    def _on_skies_chosen(self, paths: tuple[Path, ...]) -> None:
        self.session.skies = paths

    def _on_done(self, outcome: Outcome) -> None:
        self.session.outcomes = {**self.session.outcomes, STEP: outcome}
        self._show_state()
        self.show_products(outcome)


def _rows(outcome: Outcome) -> list[tuple[str | float | int, ...]]:
    """Rows of the table: a band of an IFU of a product each."""
    return [
        (ifu, band["name"], band["factor"], band["n_line_pixels"], band["rms_before"], band["rms_after"], name)
        for name, product in outcome.measured.items()
        for ifu, facts in product["ifus"].items()
        for band in facts["bands"]
    ]
