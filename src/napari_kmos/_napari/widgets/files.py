"""Choosing files and folders: open ones by a click, others by a dialog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos.io import FITS_ENDINGS

CUBES = f"FITS ({' '.join(f'*{ending}' for ending in FITS_ENDINGS)})"
_TABLE_ENDINGS = (".fits", ".fit", ".ecsv", ".vot", ".xml", ".csv", ".tsv", ".txt", ".dat", ".tbl")
NEW_CUBE = "FITS (*.fits)"
TABLES = f"Tables ({' '.join(f'*{ending}' for ending in _TABLE_ENDINGS)});;All files (*)"
_EITHER = dict.fromkeys((*FITS_ENDINGS, *_TABLE_ENDINGS))
CUBES_AND_TABLES = f"Cubes, images and tables ({' '.join(f'*{ending}' for ending in _EITHER)});;{CUBES};;{TABLES}"
OFFSETS = "Offsets (*.ecsv)"
IMPORTS = "Shift files, logs, corrected copies (*.txt *.log *.fits);;All files (*)"
LINES = "Lists of lines (*.ecsv)"
SPECTRA = "Spectra and tables of them (*.fits *.ecsv);;All files (*)"
FIGURES = "Figures (*.png *.pdf *.svg)"
APERTURES = "Apertures (*.ecsv *.reg)"
STARS = "Apertures and catalogues (*.ecsv *.reg *.fits *.csv *.vot *.xml)"
SESSIONS, PLANS, SCRIPTS = "Sessions (*_session.json)", "Plans (*.toml)", "Python (*.py)"
_N_ROWS = 4


class FileList(QWidget):
    """A list of files, in an order that counts.

    Parameters
    ----------
    open_paths : callable
        Returns the files that are open in the viewer.
    """

    changed = Signal(object)

    def __init__(self, open_paths: Callable[[], Sequence[Path]]) -> None:
        super().__init__()
        self._open_paths = open_paths
        self.list = QListWidget()
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFixedHeight(_N_ROWS * self.list.fontMetrics().lineSpacing() + 14)
        self.add_open = button("Add open", "Add the files that are open in the viewer", self._on_add_open)
        self.add_files = button("Add files…", "Choose files", self._on_add_files)
        self.remove = button("Remove", "Remove the selected files from this list, or all if none is", self._on_remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.list)
        layout.addLayout(row_of(self.add_open, self.add_files, self.remove))

    def paths(self) -> tuple[Path, ...]:
        """Return the files, in order."""
        return tuple(Path(self.list.item(row).toolTip()) for row in range(self.list.count()))

    def show_paths(self, paths: Sequence[Path]) -> None:
        """Show these files; does not tell."""
        self.list.clear()
        for path in paths:
            self.list.addItem(path.name)
            self.list.item(self.list.count() - 1).setToolTip(str(path))

    def _change(self, paths: Sequence[Path]) -> None:
        self.show_paths(tuple(dict.fromkeys(paths)))
        self.changed.emit(self.paths())

    def _on_add_open(self) -> None:
        self._change([*self.paths(), *self._open_paths()])

    def _on_add_files(self) -> None:
        self._change([*self.paths(), *ask_open_many(self, "Add files", CUBES)])

    def _on_remove(self) -> None:
        gone = {self.list.row(item) for item in self.list.selectedItems()} or set(range(self.list.count()))
        self._change([path for row, path in enumerate(self.paths()) if row not in gone])


class PathField(QWidget):
    """A line with a path and a button that opens a dialog.

    Parameters
    ----------
    what : str
        Title of the dialog.
    pattern : str
        Files to choose from; empty for a folder.
    """

    changed = Signal(object)

    def __init__(self, what: str, *, pattern: str = "", placeholder: str = "") -> None:
        super().__init__()
        self._what, self._pattern = what, pattern
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        self.line.editingFinished.connect(self._on_edited)
        browse = QToolButton()
        browse.setText("…")
        browse.setToolTip(what)
        browse.clicked.connect(self._on_browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.line)
        layout.addWidget(browse)

    def path(self) -> Path | None:
        """Return the path, or None if the line is empty."""
        text = self.line.text().strip()
        return Path(text).expanduser() if text else None

    def show_path(self, path: Path | None) -> None:
        """Show a path; does not tell."""
        self.line.setText("" if path is None else str(path))
        self.line.setToolTip(self.line.text())

    def _on_edited(self) -> None:
        self.changed.emit(self.path())

    def _on_browse(self) -> None:
        if self._pattern:
            chosen, _ = QFileDialog.getOpenFileName(self, self._what, "", self._pattern)
        else:
            chosen = QFileDialog.getExistingDirectory(self, self._what)
        if chosen:
            self.show_path(Path(chosen))
            self._on_edited()


def ask_save(parent: QWidget, what: str, start: Path, pattern: str) -> Path | None:
    """Ask for the name of a file to write; None if the user thinks better of it."""
    chosen, _ = QFileDialog.getSaveFileName(parent, what, str(start), pattern)
    return Path(chosen) if chosen else None


def ask_open(parent: QWidget, what: str, pattern: str) -> Path | None:
    """Ask for a file to read; None if the user thinks better of it."""
    chosen, _ = QFileDialog.getOpenFileName(parent, what, "", pattern)
    return Path(chosen) if chosen else None


def ask_open_many(parent: QWidget, what: str, pattern: str) -> tuple[Path, ...]:
    """Ask for files to read; none if the user thinks better of it."""
    chosen, _ = QFileDialog.getOpenFileNames(parent, what, "", pattern)
    return tuple(Path(path) for path in chosen)
