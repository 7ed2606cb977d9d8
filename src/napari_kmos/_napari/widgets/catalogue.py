"""The dock *Catalogue*: a table of sources laid over the cubes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.table import Table
from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QFormLayout

from napari_kmos._napari.catalogue import LABELS, CatalogueView, hide_catalogue, show_catalogue, view_of
from napari_kmos._napari.errors import notified
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import TABLES, PathField
from napari_kmos._napari.widgets.parts import button, number, row_of
from napari_kmos.catalogue import Catalogue, CatalogueColumns
from napari_kmos.io import catalogue_of, read_any_table
from napari_kmos.progress import Progress, silent

_MAGNITUDES = (-50.0, 50.0)
_NONE = "none"


class CatalogueDock(Dock):
    """Chooses a table, its columns, and what of it is drawn.

    Parameters
    ----------
    napari_viewer : Viewer
        Its cubes and images are the fields that the catalogue is cut to.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self._table: Table | None = None
        self._name = ""
        self._limits = _MAGNITUDES
        self.file = PathField("Catalogue", pattern=TABLES, placeholder="FITS, ECSV, VOTable, CSV, text")
        self.file.changed.connect(self._on_file_chosen)
        self.ra, self.dec, self.magnitude, self.pm_ra, self.pm_dec, self.epoch = boxes = [QComboBox() for _ in range(6)]
        for box in boxes:
            box.activated.connect(self._on_columns_chosen)
        for box, which in ((self.pm_ra, "right ascension, times cos(Dec)"), (self.pm_dec, "declination")):
            box.setToolTip(f"Proper motion in {which}: Align IFUs moves the sources to the date of each exposure")
        self.epoch.setEditable(True)
        self.epoch.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.epoch.setToolTip("When the sources were at these positions: a column of years, or a year such as 2016.0")
        self.epoch.lineEdit().returnPressed.connect(self._on_columns_chosen)
        self.label = QComboBox()
        self.label.addItems(LABELS)
        self.label.activated.connect(self._on_range_chosen)
        self.brightest, self.faintest = (
            number(*_MAGNITUDES, value, step=0.5, tip=f"The {which} magnitude that is drawn")
            for which, value in zip(("brightest", "faintest"), _MAGNITUDES, strict=True)
        )
        for field in (self.brightest, self.faintest):
            field.valueChanged.connect(self._on_range_chosen)
        self._build()

    def links(self) -> Iterable[Link]:
        """Layers that come and go."""
        events = self.viewer.layers.events
        return ((events.removed, self._show_state),)

    def read(self, path: Path) -> None:
        """Read a table in a thread, offer its columns, and show what they hold."""
        self._name = path.stem
        self.start(_read, path, done=self._on_read)

    def _build(self) -> None:
        form = QFormLayout()
        form.addRow("File", self.file)
        form.addRow("RA", self.ra)
        form.addRow("Dec", self.dec)
        form.addRow("Magnitude", self.magnitude)
        form.addRow("Motion", row_of(self.pm_ra, self.pm_dec))
        form.addRow("Date", self.epoch)
        form.addRow("Range", row_of(self.brightest, self.faintest))
        form.addRow("Label", self.label)
        self.body.addLayout(form)
        self.remove = button("Remove", "Take the catalogue off the cubes", self._on_remove)
        self.body.addWidget(self.remove)
        self.body.addStretch()

    def _show_state(self) -> None:
        """Show what is drawn, if something is."""
        view = view_of(self.viewer)
        self.remove.setEnabled(view is not None)
        if view is not None and self._table is None:
            self._table, self._name = view.catalogue.table, view.catalogue.name
            self._offer(view.catalogue)
            self.label.setCurrentText(view.label)

    def _offer(self, catalogue: Catalogue | None) -> None:
        """Offer the columns of the table, magnitudes as such first; and choose those of a catalogue, and its range."""
        motion = ("", "", "") if catalogue is None or catalogue.motion is None else catalogue.motion.names
        found = ("", "", "") if catalogue is None else (catalogue.ra_name, catalogue.dec_name, catalogue.magnitude_name)
        for box, name in zip(self._boxes(), (*found, *motion), strict=True):
            first = catalogue.magnitudes if catalogue is not None and box is self.magnitude else ()
            box.clear()
            box.addItems([_NONE, *dict.fromkeys((*first, *self._table.colnames))])
            box.setCurrentText(name or _NONE)
        if catalogue is not None:
            self._offer_range(catalogue)

    def _offer_range(self, catalogue: Catalogue) -> None:
        known = catalogue.magnitude[np.isfinite(catalogue.magnitude)]
        self._limits = (float(np.floor(known.min())), float(np.ceil(known.max()))) if known.size else _MAGNITUDES
        for field, limit in zip((self.brightest, self.faintest), self._limits, strict=True):
            with QSignalBlocker(field):
                field.setValue(limit)
            field.setEnabled(bool(known.size))

    def _boxes(self) -> tuple[QComboBox, ...]:
        """Return what columns are chosen in."""
        return self.ra, self.dec, self.magnitude, self.pm_ra, self.pm_dec, self.epoch

    def _chosen(self) -> Catalogue:
        """Return the table read by the columns chosen."""
        names = [box.currentText().strip() for box in self._boxes()]
        ra, dec, magnitude, pm_ra, pm_dec, epoch = (None if name in (_NONE, "") else name for name in names)
        columns = CatalogueColumns(
            ra=ra, dec=dec, magnitude=magnitude, pm_ra=pm_ra, pm_dec=pm_dec, catalogue_epoch=epoch
        )
        catalogue = catalogue_of(self._table, self._name, columns)
        motion = catalogue.motion if pm_ra else None  # one that is found by its names may not be wanted
        return dataclasses.replace(catalogue, magnitude_name=magnitude or "", motion=motion)

    def _draw(self, catalogue: Catalogue) -> None:
        fields = zip((self.brightest, self.faintest), self._limits, (-np.inf, np.inf), strict=True)
        brightest, faintest = (open_ if field.value() == limit else field.value() for field, limit, open_ in fields)
        view = CatalogueView(
            catalogue=catalogue, brightest=brightest, faintest=faintest, label=self.label.currentText()
        )
        n_drawn = show_catalogue(self.viewer, view)
        dropped = f"; {catalogue.n_dropped} rows have no position" if catalogue.n_dropped else ""
        self.say(f"{catalogue.name}: {n_drawn} of {len(catalogue)} sources drawn{dropped}")
        self._show_state()

    def _on_file_chosen(self, path: Path | None) -> None:
        if path is not None:
            self.read(path)

    def _on_read(self, table: Table) -> None:
        self._table = table
        self._offer(None)
        with notified(self.say):
            catalogue = catalogue_of(table, self._name)
            self._offer(catalogue)
            self._draw(catalogue)

    def _on_columns_chosen(self, _index: int = 0) -> None:
        if self._table is None:
            return
        *motion, epoch = (box.currentText().strip() in (_NONE, "") for box in self._boxes()[3:])
        if any(motion) != all(motion) or (epoch and not all(motion)):
            self.say("Choose both columns of the motion, and the date of the positions")
        else:
            with notified(self.say):
                catalogue = self._chosen()
                self._offer_range(catalogue)
                self._draw(catalogue)

    def _on_range_chosen(self, _value: float) -> None:
        view = view_of(self.viewer)
        if view is not None:
            with notified(self.say):
                self._draw(view.catalogue)

    def _on_remove(self) -> None:
        hide_catalogue(self.viewer)
        self.say("")
        self._show_state()


def _read(path: Path, *, progress: Progress = silent) -> Table:
    """Read a table; in a thread."""
    progress(0, 0, f"reading {path.name}")
    return read_any_table(path)
