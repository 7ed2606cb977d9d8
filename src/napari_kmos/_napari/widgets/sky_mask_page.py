"""The stars of the sky exposure: masked or not, shown on the canvas and painted on, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_kmos._napari.errors import notified
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.sky_layers import MaskLayer, shown_cube
from napari_kmos._napari.sky_preview import Masks, Preview, masks_of, painted_mask
from napari_kmos._napari.steps import mask_name
from napari_kmos._napari.widgets.files import NEW_CUBE, ask_open, ask_save
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos.io import read_sky_mask
from napari_kmos.session import PaintedMask, Session

_EXPLAINED = (
    "Stars in the sky exposure would be subtracted from the object: their spaxels are filled with sky first. Show the "
    "mask to paint on it; White light shows stars best. Napari's brush (key 2) marks stars, its eraser (key 1) gives "
    "spaxels back to the sky."
)
#: Of two skies that are interpolated the mask of one is shown.
_OTHER = "{0}, used as well, has a mask of its own: choose “only {0}” as sky to see and paint it"


class SkyMaskPage(QWidget):
    """Fields for the star mask.

    Parameters
    ----------
    viewer : ViewerModel
        Shows it.
    session : Session
        Keeps what was painted.
    """

    #: Another mask, or none, is to be used.
    changed = Signal()
    #: All masks of the sky are to be written to this file.
    save_requested = Signal(object)

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        super().__init__()
        self.viewer, self._session = viewer, session
        self.layer = MaskLayer(viewer)
        self._preview: Preview | None = None
        self.fills = QCheckBox("Fill spaxels with stars by sky")
        self.fills.setChecked(True)
        self.show_button = QPushButton("Show and paint")
        self.show_button.setCheckable(True)
        self.show_button.setToolTip("Show the stars over the sky cube, ready to be painted on")
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self._build()

    @property
    def given(self) -> dict[Path, Masks]:
        """Masks that were painted or read, by sky exposure; the same objects while they are the same."""
        painted = self._session.painted
        return {Path(name): masks_of(painted, name) for name in dict.fromkeys(one.file for one in painted)}

    def show_preview(self, preview: Preview) -> None:
        """Say what is masked in the sky of a preview, and show it if that is asked for."""
        self._preview = preview
        mask, label = preview.sky_mask, f"{preview.source.exposure.label}, {preview.sky.label}"
        if mask is None:
            self.text.setText(f"{label}: as it is")
        else:
            how = "painted or read" if preview.sky.ifu in self._by_ifu() else "found"
            n_stars = mask.size - np.count_nonzero(mask)
            text = f"{label}: {n_stars} of {mask.size} spaxels show stars or have no data ({how})"
            others = [source.exposure.label for source in preview.choice.sources[1:]]
            self.text.setText("\n".join([text, *(_OTHER.format(name) for name in others)]))
        self._show_layer()

    def hide_layer(self) -> None:
        """Take the mask off the canvas, for now."""
        self.layer.hide()

    def read(self, path: Path) -> None:
        """Use the masks of a file for the sky that is looked at."""
        with notified(self.text.setText):
            if self._preview is not None:
                source = self._preview.source.exposure
                self._give(read_sky_mask(path, exposure=source))

    def find_again(self) -> None:
        """Forget what was painted or read for this sky."""
        if self._preview is not None:
            self._session.painted = self._others()

    def _build(self) -> None:
        explained = QLabel(_EXPLAINED)
        for label in (self.text, explained):
            label.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.fills)
        column.addWidget(self.text)
        forget = button("Find again", "Forget what was painted or read, and find the stars", self.find_again)
        read = button("Read mask…", "Use a file of sky masks, 1 = sky, as sky-mask writes it", self._on_read)
        save = button("Save mask…", "Write the masks of all IFUs of this sky", self._on_save)
        column.addLayout(row_of(self.show_button, forget))
        column.addLayout(row_of(read, save))
        column.addWidget(explained)
        column.addStretch()
        self.fills.toggled.connect(lambda _: self.changed.emit())
        self._session.events.painted.connect(self._on_given)
        self.show_button.toggled.connect(self._on_shown)
        self.layer.painted.connect(self._on_painted)
        self.layer.removed.connect(self._on_removed)

    def _by_ifu(self) -> dict[int | None, NDArray[np.bool_]]:
        """Return the masks that are given for the sky that is looked at."""
        given = None if self._preview is None else self.given.get(self._preview.sky_path)
        return {} if given is None else dict(given.by_ifu)

    def _give(self, masks: dict[int | None, NDArray[np.bool_]]) -> None:
        by_ifu = {**self._by_ifu(), **masks}
        new = (painted_mask(self._preview.sky_path, ifu, mask) for ifu, mask in by_ifu.items())
        self._session.painted = (*self._others(), *new)

    def _others(self) -> tuple[PaintedMask, ...]:
        """Return the masks of other skies."""
        return tuple(one for one in self._session.painted if one.file != str(self._preview.sky_path))

    def _show_layer(self) -> None:
        preview = self._preview
        if not self.show_button.isChecked() or preview is None or preview.sky_mask is None:
            self.layer.hide()
            return
        over = shown_cube(self.viewer, preview.sky_path, preview.sky.ifu)
        if over is None:
            self.layer.hide()
        else:
            self.layer.show(over, preview.sky_mask)

    def _on_shown(self, shown: bool) -> None:
        preview = self._preview
        if shown and preview is not None and shown_cube(self.viewer, preview.sky_path, preview.sky.ifu) is None:
            with notified(self.text.setText):
                add_file(self.viewer, preview.sky_path)
        self._show_layer()

    def _on_given(self) -> None:
        self.changed.emit()

    def _on_painted(self, sky_mask: NDArray[np.bool_]) -> None:
        self._give({self._preview.sky.ifu: sky_mask})

    def _on_removed(self) -> None:
        with QSignalBlocker(self.show_button):
            self.show_button.setChecked(False)

    def _on_read(self) -> None:
        if path := ask_open(self, "Read sky masks", NEW_CUBE):
            self.read(path)

    def _on_save(self) -> None:
        if self._preview is not None and (
            path := ask_save(self, "Save sky masks", Path(mask_name(self._preview.sky_path)), NEW_CUBE)
        ):
            self.save_requested.emit(path)
