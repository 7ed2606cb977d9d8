"""Which spectra are plotted: of files, of the list, of the selected stars as they are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QAbstractItemView, QCheckBox, QListWidget, QVBoxLayout, QWidget

from napari_kmos._napari.widgets.files import SPECTRA, ask_open_many
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos.session import Session

_LEAST_HEIGHT = 60


class PlotSources(QWidget):
    """Files, which may be dropped here, and two check boxes; all is kept in the session.

    Parameters
    ----------
    session : Session
        Its ``plotted``, ``plots_live`` and ``plots_list`` are shown and set.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setAcceptDrops(True)
        self.live = QCheckBox("selected stars, as they are seen")
        self.live.setToolTip("Spectra of the selected apertures from the visible cubes; they follow while these move")
        self.listed = QCheckBox("all of the list")
        self.listed.setToolTip("Spectra of all stars, as they were extracted in the panel Spectra the last time")
        self.files = QListWidget()
        self.files.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.files.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.files.setToolTip("Files and tables of spectra; drop some here")
        self.files.setMinimumHeight(_LEAST_HEIGHT)
        add = button("Add files…", "Spectra that extract wrote, or tables of them", self._on_add)
        last = button("Add last extract", "The spectra written the last time in the panel Spectra", self.add_last)
        remove = button("Remove", "Remove the selected files, or all if none is", self._on_remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row_of(self.live, self.listed))
        column.addWidget(self.files, stretch=1)
        column.addLayout(row_of(add, last, remove))
        self.live.toggled.connect(self._on_live)
        self.listed.toggled.connect(self._on_listed)

    def show_state(self) -> None:
        """Show what the session says; does not tell."""
        for box, is_on in ((self.live, self._session.plots_live), (self.listed, self._session.plots_list)):
            with QSignalBlocker(box):
                box.setChecked(is_on)
        self.files.clear()
        for path in self._session.plotted:
            self.files.addItem(f"{path.parent.name}/{path.name}")
            self.files.item(self.files.count() - 1).setToolTip(str(path))

    def add(self, paths: tuple[Path, ...]) -> None:
        """Plot the spectra of further files, tables or folders."""
        self._session.plotted = tuple(dict.fromkeys((*self._session.plotted, *paths)))

    def add_last(self) -> None:
        """Plot what was extracted the last time."""
        outcome = self._session.outcomes.get("extract")
        spectra = [path for path in outcome.products if path.name.startswith("spec_")] if outcome else []
        self.add(tuple(path for path in spectra if path.suffix == ".fits"))

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Plot what is dropped."""
        event.acceptProposedAction()
        self.add(tuple(Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()))

    def _on_add(self) -> None:
        self.add(ask_open_many(self, "Add spectra", SPECTRA))

    def _on_remove(self) -> None:
        gone = {self.files.row(item) for item in self.files.selectedItems()} or set(range(self.files.count()))
        self._session.plotted = tuple(path for row, path in enumerate(self._session.plotted) if row not in gone)

    def _on_live(self, is_on: bool) -> None:
        self._session.plots_live = is_on

    def _on_listed(self, is_on: bool) -> None:
        self._session.plots_list = is_on
