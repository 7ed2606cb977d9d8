"""Files of the alignment: references and rows that are added, offsets that are read, written and handed on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QWidget

from napari_kmos._napari.align_files import (
    TABLE,
    is_catalogue,
    read_any_offsets,
    read_table,
    write_products,
    write_table,
)
from napari_kmos._napari.catalogue import CatalogueView, show_catalogue
from napari_kmos._napari.errors import notified
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.widgets.files import IMPORTS, OFFSETS, ask_open, ask_save
from napari_kmos._napari.widgets.parts import button
from napari_kmos.catalogue import Catalogue
from napari_kmos.offset import Offset
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos._napari.widgets.align import AlignDock

_READABLE = f"Offsets of all kinds (*.ecsv *.txt *.log *.fits);;{OFFSETS};;{IMPORTS}"


class AlignFiles(QWidget):
    """Buttons that read and write offsets.

    Parameters
    ----------
    dock : AlignDock
        Whose offsets they are.
    """

    def __init__(self, dock: AlignDock) -> None:
        super().__init__()
        self._dock = dock
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(QLabel("Offsets"))
        for text, tip, slot in (
            (
                "Read…",
                "Read offsets from a table, a shift file, a corrected copy, esorex.log or ifu<n>_half<h>_xy_plus.txt",
                self._on_read,
            ),
            ("Write…", "Write the offsets of the table above to a file", self._on_write),
            (
                "Shift files…",
                "Write shift files and sets of frames for kmos_combine into a folder; "
                "rows that are rejected or skipped are left out, and exposures of which all are",
                self._on_shifts,
            ),
            ("Copies…", "Write copies with the corrections in CRVAL of DATA and NOISE into a folder", self._on_copies),
        ):
            made = button(text, tip, slot)
            made.setMinimumWidth(made.fontMetrics().horizontalAdvance(text) + 12)
            layout.addWidget(made, stretch=1)

    def read(self, path: Path) -> None:
        """Read offsets and put the open layers there; rows kept before stay unless the file has them too.

        Shift files, logs and the like are read in a thread.
        """
        dock = self._dock
        if path.suffix == ".ecsv":
            with notified(dock.say):
                self._take(path, read_any_offsets(path, ()))
            return
        files = [one for one in dict.fromkeys(row.path for row in dock.bench.rows()) if one.is_file()]
        dock.start(read_any_offsets, path, files, done=lambda rows: self._take(path, rows))

    def write(self, path: Path) -> None:
        """Write the offsets of the table."""
        dock = self._dock
        with notified(dock.say):
            write_table(dock.bench.written(), path)
            dock.session.offsets_file = path
            dock.tell(f"Written: {path}. ")

    def write_products(self, folder: Path, *, shifts: bool = False, crval: bool = False) -> None:
        """Write the table and shift files or corrected copies into a folder, in a thread."""
        offsets = self._dock.bench.written()
        self._dock.start(write_products, offsets, folder, shifts=shifts, crval=crval, done=self._on_written)

    def open_reference(self, path: Path) -> None:
        """Open a file and compare with it; what holds neither cube nor image is read as a catalogue."""
        with notified(self._dock.say):
            if is_catalogue(path):
                self._dock.start(read_table, path, done=self._on_table)
            else:
                add_file(self._dock.viewer, path)
                self._dock.choose_reference(path.absolute())

    def add_rows(self, paths: tuple[Path, ...]) -> None:
        """Add rows of files that have no layers."""
        with notified(self._dock.say):
            self._dock.bench.add_files([path.absolute() for path in paths])

    def _on_read(self) -> None:
        if path := ask_open(self, "Read offsets", _READABLE):
            self.read(path)

    def _on_write(self) -> None:
        if path := ask_save(self, "Write offsets", self._dock.session.offsets_file or Path(TABLE), OFFSETS):
            self.write(path)

    def _on_shifts(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Write shift files into"):
            self.write_products(Path(folder), shifts=True)

    def _on_copies(self) -> None:
        if folder := QFileDialog.getExistingDirectory(self, "Write corrected copies into"):
            self.write_products(Path(folder), crval=True)

    def _take(self, path: Path, rows: tuple[Offset, ...]) -> None:
        with notified(self._dock.say):
            n_found = self._dock.bench.read(rows)
            self._dock.session.offsets_file = path if path.suffix == ".ecsv" else self._dock.session.offsets_file
            self._dock.say(f"{path.name}: {counted(len(rows), 'offset')}, {n_found} of them for open layers")

    def _on_table(self, catalogue: Catalogue) -> None:
        with notified(self._dock.say):
            n_drawn = show_catalogue(self._dock.viewer, CatalogueView(catalogue=catalogue))
            self._dock.choose_reference(None)
            self._dock.say(f"{catalogue.name}: {n_drawn} of {len(catalogue)} sources drawn; columns: dock Catalogue")

    def _on_written(self, outcome: Outcome) -> None:
        self._dock.session.offsets_file = outcome.products[0]
        self._dock.tell(f"Done: {counted(len(outcome.products), 'file')} in {outcome.products[0].parent}. ")
