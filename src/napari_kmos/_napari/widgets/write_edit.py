"""The list as a whole: extracted, and written from which files to where."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from napari_kmos._napari.widgets.files import CUBES, PathField, ask_open_many
from napari_kmos._napari.widgets.parts import button, row_of

_ALL = "all open files"


class WriteEdit(QWidget):
    """Fields for the files, the folder and whether to replace, and the buttons that extract and write."""

    extract_requested = Signal()
    write_requested = Signal()
    #: Files, not open perhaps, from which spectra of the same apertures are wanted.
    apply_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.source = QComboBox()
        self.source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.source.setToolTip("Files to take the spectra from")
        self.out_dir = PathField("Folder for the spectra", placeholder="folder for the spectra")
        self.overwrite = QCheckBox("replace")
        self.overwrite.setToolTip("Replace files that exist")
        extract = "Extract all stars in the visible cubes; the table shows their SNR and how it changed"
        apply = "Choose cubes, other reductions or epochs: the spectra of the same stars are written"
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(
            row_of(
                button("Extract all", extract, self.extract_requested.emit),
                button("Apply to files…", apply, self._on_apply),
            )
        )
        tip = "Write the spectra of all stars in these files"
        layout.addLayout(row_of(self.source, button("Write spectra", tip, self.write_requested.emit)))
        layout.addLayout(row_of(self.out_dir, self.overwrite))

    def files(self) -> tuple[Path, ...]:
        """Return the chosen files."""
        chosen = self.source.currentData()
        every = (self.source.itemData(row) for row in range(1, self.source.count()))
        return tuple(every) if chosen is None else (chosen,)

    def show_files(self, paths: Sequence[Path]) -> None:
        """Offer these files; the choice stays while its file is among them."""
        chosen = self.source.currentData()
        self.source.clear()
        self.source.addItem(_ALL, None)
        for path in paths:
            self.source.addItem(path.name, path)
        self.source.setCurrentIndex(max(self.source.findData(chosen), 0))

    def _on_apply(self) -> None:
        if paths := ask_open_many(self, "Take the spectra from", CUBES):
            self.apply_requested.emit(paths)
