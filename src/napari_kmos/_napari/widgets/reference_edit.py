"""Choosing what rows are compared with: one of the open files, or another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QWidget

from napari_kmos._napari.pair import Reference
from napari_kmos._napari.widgets.files import CUBES, CUBES_AND_TABLES
from napari_kmos._napari.widgets.parts import button


class ReferenceEdit(QWidget):
    """A list of files, with buttons to open another one and to add rows of files without layers."""

    chosen = Signal(object)
    open_requested = Signal(object)
    rows_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.box = QComboBox()
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setToolTip(
            "What rows are compared with: an exposure, a combined cube, a mosaic, an image or a catalogue"
        )
        self.box.activated.connect(self._on_activated)
        tip = "Open a cube, a mosaic, an image with coordinates or a catalogue, and compare with it"
        self.open = button("Open…", tip, self._on_open)
        self.add = button(
            "Add rows…",
            "Add files to the table: exposures, whose layers are made when a row is chosen, or combined cubes",
            self._on_add,
        )
        line = QHBoxLayout()
        line.addWidget(self.box, stretch=1)
        line.addWidget(self.open)
        line.addWidget(self.add)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Reference", line)

    def show_references(self, references: Sequence[Reference], chosen: Path | None) -> None:
        """Offer files, one of them chosen; does not tell."""
        with QSignalBlocker(self.box):
            self.box.clear()
            for one in references:
                self.box.addItem(one.label, one.path)
                self.box.setItemData(self.box.count() - 1, str(one.path), Qt.ItemDataRole.ToolTipRole)
            paths = [one.path for one in references]
            self.box.setCurrentIndex(paths.index(chosen) if chosen in paths else -1)

    def _on_activated(self, _index: int) -> None:
        self.chosen.emit(self.box.currentData())

    def _on_open(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, "Compare with", "", CUBES_AND_TABLES)
        if chosen:
            self.open_requested.emit(Path(chosen))

    def _on_add(self) -> None:
        chosen, _ = QFileDialog.getOpenFileNames(self, "Add rows of files", "", CUBES)
        if chosen:
            self.rows_requested.emit(tuple(Path(one) for one in chosen))
