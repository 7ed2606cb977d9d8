"""The dock *Combine*: merge exposures into cubes by target, by IFU, or into a mosaic."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari.viewer import Viewer
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QLineEdit

from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import open_paths
from napari_kmos._napari.steps import IFU, TARGET, WHAT, choice_of, combine_files
from napari_kmos._napari.versus import Answer, Comparer, show_difference
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.engine_edit import EngineEdit
from napari_kmos._napari.widgets.files import OFFSETS, FileList, PathField
from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.parts import button, folded, row_of
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.versus import VersusEdit
from napari_kmos._napari.zero_points import mixed_zeros
from napari_kmos.combine import COMBINE_METHODS, PLACING_METHODS, CombineParameters
from napari_kmos.errors import KmosWarning
from napari_kmos.offset import UNACCEPTED
from napari_kmos.recipes.combine_tasks import CombineChoice
from napari_kmos.recipes.esorex_combine import OWN_OPTIONS, RECIPE, SHARED
from napari_kmos.recipes.outcome import Outcome

STEP = "combine"
USER = "user"
_KEPT = ("what", "which", "method", "cmethod", "unaccepted")
_ENGINE = (
    f"ESO's kmos_combine combines exposures, not mosaics; of the parameters it has {', '.join(SHARED)}. Subsets are "
    "compared by the native engine"
)
_ASKED = {TARGET: "name of the target", IFU: "number, or numbers with ; one a file"}


class CombineDock(Dock):
    """Combination from files to files; the results come back as layers.

    Parameters
    ----------
    napari_viewer : Viewer
        Gets the results.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.files = FileList(lambda: open_paths(self.viewer))
        self.what, self.method, self.cmethod, self.unaccepted = (QComboBox() for _ in range(4))
        self.what.addItems(list(WHAT))
        self.method.addItems(list(PLACING_METHODS))
        self.cmethod.addItems(list(COMBINE_METHODS))
        self.unaccepted.addItems(list(UNACCEPTED))
        self.method.setCurrentText(CombineParameters().method)
        self.cmethod.setCurrentText(CombineParameters().cmethod)
        self.which, self.scheduler = QLineEdit(), QLineEdit()
        self.offsets = PathField("Offsets file", pattern=OFFSETS)
        self.form = ParameterForm(CombineParameters, exclude=("method", "cmethod"))
        self.engine = EngineEdit(RECIPE, elsewhere={*OWN_OPTIONS, *SHARED}, tip=_ENGINE)
        self.out_dir = PathField("Folder for the products", placeholder="folder for the products")
        self.overwrite = QCheckBox("Replace products that exist")
        self._doubt = ""
        self.versus, self.comparer = VersusEdit(), Comparer()
        self.run_button = button("Combine", "Run in the background; the results come as layers", self.run)
        fields = {name: getattr(self, name) for name in _KEPT}
        self.remembered = Remembered(self.session, STEP, {**fields, "engine": self.engine.engine}, self.form)
        self._build()

    def links(self) -> Iterable[Link]:
        """Files, folder and offsets, which other docks may change too."""
        events = self.session.events
        return tuple((event, self._show_state) for event in (events.inputs, events.out_dir, events.offsets))

    def run(self) -> None:
        """Start."""
        with notified(self.say):
            placing = self._placing()
            self.start(
                combine_files,
                self.session.inputs,
                self.session.out_dir,
                what=self.what.currentText(),
                which=self.which.text().strip(),
                scheduler=self.scheduler.text().strip(),
                parameters=self._parameters(),
                **placing,
                **self.engine.chosen(),
                overwrite=self.overwrite.isChecked(),
                done=self.show_products if self.engine.writes_only else self._on_done,
            )

    def compare(self, subsets: str) -> None:
        """Compare two subsets of the exposures, said as on the command line."""
        with notified(self.say):
            placing = self._placing()
            what, which, files = self.what.currentText(), self.which.text().strip(), self.session.inputs
            choice = choice_of(files, what=what, which=which, offsets=placing["offsets"])
            self.start(
                self.comparer.compare,
                files,
                subsets,
                choice=CombineChoice(**choice, **placing),
                parameters=self._parameters(),
                apertures=self.session.apertures,
                done=self._on_compared,
            )

    def write_comparison(self) -> None:
        """Write the files of the last comparison."""
        overwrite = self.overwrite.isChecked()
        self.start(self.comparer.write, self.session.out_dir, overwrite=overwrite, done=self._on_written)

    def _parameters(self) -> CombineParameters:
        return self.form.parameters(method=self.method.currentText(), cmethod=self.cmethod.currentText())

    def _placing(self) -> dict[str, Any]:
        """Return what is known of where the exposures lie."""
        offsets = (self.offsets.path() or self.session.offsets) if self.method.currentText() == USER else None
        self._doubt = mixed_zeros(self.session.offsets) if offsets is self.session.offsets else ""
        if self._doubt:
            warnings.warn(self._doubt, KmosWarning, stacklevel=2)
        return {"offsets": offsets, "unaccepted": self.unaccepted.currentText()}

    def _build(self) -> None:
        self.versus.requested.connect(self.compare)
        self.versus.write_requested.connect(self.write_comparison)
        self.files.changed.connect(self._on_files_chosen)
        self.out_dir.changed.connect(self.choose_folder)
        self.what.currentTextChanged.connect(self._show_choices)
        self.method.currentTextChanged.connect(self._show_choices)
        form = QFormLayout()
        form.addRow(QLabel("Exposures"))
        form.addRow(self.files)
        form.addRow("Combine", row_of(self.what, self.which))
        form.addRow("Place by", self.method)
        form.addRow("Offsets", self.offsets)
        form.addRow("Not accepted", self.unaccepted)
        form.addRow("Merge by", self.cmethod)
        form.addRow(folded("Parameters", self.form))
        form.addRow("Engine", self.engine)
        form.addRow("Cluster", self.scheduler)
        form.addRow("Products", self.out_dir)
        form.addRow("", self.overwrite)
        form.addRow(self.run_button)
        form.addRow(folded("Compare subsets", self.versus))
        self.body.addLayout(form)
        self.body.addStretch()
        self.scheduler.setPlaceholderText("none: this machine")
        self.scheduler.setToolTip("Address of a dask scheduler whose workers see the same files, as tcp://host:8786")
        self.unaccepted.setToolTip("What to do with exposures whose offset is missing or not accepted")
        self._show_choices()

    def _show_state(self) -> None:
        self.files.show_paths(self.session.inputs)
        self.versus.table.show_paths(self.session.inputs)
        self.out_dir.show_path(self.session.out_dir)
        accepted = sum(offset.accepted for offset in self.session.offsets)
        self.offsets.line.setPlaceholderText(f"the {accepted} accepted in Align IFUs")

    def _show_choices(self) -> None:
        what = self.what.currentText()
        self.which.setVisible(what in _ASKED)
        self.which.setPlaceholderText(_ASKED.get(what, ""))
        for field in (self.offsets, self.unaccepted):
            field.setEnabled(self.method.currentText() == USER)

    def _on_files_chosen(self, paths: tuple[Path, ...]) -> None:
        self.session.inputs = paths

    def _on_done(self, outcome: Outcome) -> None:
        self.session.outcomes = {**self.session.outcomes, STEP: outcome}
        self.show_products(outcome)
        self.say(f"{self.message.text()}. {self._doubt}" if self._doubt else self.message.text())

    def _on_compared(self, answer: Answer) -> None:
        self.versus.table.choose(*answer.files)
        self.versus.show_answer(answer.found)
        for compared in answer.found:
            show_difference(self.viewer, compared)
        self.say("Compared: A - B over its noise is the layer on top")

    def _on_written(self, outcome: Outcome) -> None:
        self.say(f"Written: {outcome.products[0].parent}")
