"""How the pair is seen: whether, as what, in which image; and how well the two agree."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Layer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_kmos._napari.align_rows import BY_CLICKS, header_offset
from napari_kmos._napari.errors import notified
from napari_kmos._napari.keys import focus_canvas
from napari_kmos._napari.layers import kmos_of
from napari_kmos._napari.pair_clicks import PairClicks
from napari_kmos._napari.pair_images import BAND, IMAGES, LINE, WHITE, PairImage
from napari_kmos._napari.pair_view import PairView
from napari_kmos._napari.pictures import COLOURS, MODES
from napari_kmos._napari.widgets.parts import button
from napari_kmos._napari.widgets.score_view import ScoreView
from napari_kmos.align.clicks import StarShift
from napari_kmos.catalogue import Catalogue
from napari_kmos.spectral.windows import parse_window
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos._napari.widgets.align import AlignDock

#: The part of the wavelengths that a band and a line hold to begin with.
_PARTS = {BAND: (0.25, 0.75), LINE: (0.495, 0.505)}


class PairBar(QWidget):
    """Choices of how the pair is shown, and its score.

    Parameters
    ----------
    dock : AlignDock
        Whose pair it is.
    """

    def __init__(self, dock: AlignDock) -> None:
        super().__init__()
        self._dock = dock
        self.view = PairView(dock.viewer)
        self.score = ScoreView()
        self.view.scored.connect(self.score.show_score)
        self.view.prepared.connect(self._on_prepared)
        self.view.failed.connect(self._say)
        self.view.progressed.connect(self._say)
        self._said = ""
        tip = "Show the pair and nothing else, at one contrast: where red and cyan agree, they are white"
        self.shown = button("Show pair", tip, dock.show_pair)
        self.shown.setCheckable(True)
        self.clicks = PairClicks(self.view)
        self.clicks.asked.connect(dock.say)
        self.clicks.measured.connect(self._on_clicked)
        tip = "Click a star in the moving image, then the same one in the reference; once, or for several stars"
        self.click = button("Click stars", tip, self._on_click)
        self.click.setCheckable(True)
        self.mode, self.image = QComboBox(), QComboBox()
        for box, choices, tip in (
            (self.mode, MODES, "How the two are shown; plain: the planes of the slider"),
            (self.image, IMAGES, "Which image of the two is shown"),
        ):
            box.addItems(choices)
            box.setToolTip(tip)
            box.activated.connect(self._on_box_chosen)
        self.mode.setCurrentText(COLOURS)
        self._kind, self._windows = WHITE, dict[str, str]()
        self.window = QLineEdit()
        self.window.setToolTip(
            "Wavelengths of the band or line in micron, as 2.10-2.20; a line has the continuum of Maps"
        )
        self.window.editingFinished.connect(self._on_chosen)
        self.window.hide()
        self._lay_out()

    def show_pair(self, reference: Layer | Catalogue | None, moving: Layer | None) -> None:
        """Show a pair, or everything as it was if that is not wanted."""
        if moving is None or reference is moving or not self.shown.isChecked():
            self.hide_pair()
            return
        with notified(self._dock.say):
            image = self._image_of(moving)
            self.view.show(reference, moving, mode=self.mode.currentText(), image=image)
        if self.view.images is None:  # the score is that of another pair or image
            self.score.clear()

    def hide_pair(self) -> None:
        """Show everything as it was."""
        self.view.hide()
        self.end_clicks()
        self.score.clear()

    def end_clicks(self) -> None:
        """Take no more clicks."""
        self.click.setChecked(False)
        self.clicks.end()

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.setSpacing(4)
        for one in (self.shown, self.click, self.mode, self.image, self.window):
            line.addWidget(one, stretch=1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        column.addWidget(self.score)

    def _image_of(self, moving: Layer) -> PairImage:
        """Return the image that is chosen; a band or a line without wavelengths gets some."""
        kind = self.image.currentText()
        self.window.setVisible(kind != WHITE)
        if kind != self._kind:
            self._windows[self._kind] = self.window.text()
            self.window.setText(self._windows.get(kind, ""))
            self._kind = kind
        if kind == WHITE:
            return PairImage()
        session = self._dock.session
        if not self.window.text().strip():
            first, last = np.quantile(kmos_of(moving).cube.wavelength_um, _PARTS[kind])
            first, last = session.line_um if kind == LINE and session.line_um is not None else (first, last)
            self.window.setText(f"{first:.4f}-{last:.4f}")
        continuum = () if kind == BAND else session.continuum_um
        return PairImage(kind=kind, window_um=parse_window(self.window.text()), continuum_um=continuum)

    def _on_click(self) -> None:
        """Take clicks once the pictures are there, or no more; meanwhile nothing is dragged."""
        self.clicks.end()
        if self.click.isChecked():
            self._dock.move_button.setChecked(False)
            self.shown.setChecked(True)
            self._dock.show_pair()
            self._begin_clicks()

    def _say(self, text: str) -> None:
        """Say how far the images are, or why there are none, until there are some."""
        self._said = text
        self._dock.say(text)

    def _on_prepared(self, _images: object) -> None:
        """Say no more what was said meanwhile, and take clicks if they are wanted."""
        if self._said and self._dock.message.text() == self._said:
            self._say("")
        self._begin_clicks()

    def _begin_clicks(self) -> None:
        """Take clicks, if they are wanted; as long as images are made, that comes later."""
        if self.click.isChecked() and not self.clicks.is_active and self.view.images is not None:
            with notified(self._dock.say):
                self.clicks.begin()
            self.click.setChecked(self.clicks.is_active)

    def _on_clicked(self, found: StarShift) -> None:
        """Put the row where the stars that were clicked say."""
        pair, bench = self._dock.pair, self._dock.bench
        row = bench.row(pair.identity)
        if row is not None:
            note = counted(found.n_pairs, "star") + (
                "" if math.isnan(found.rms_arcsec) else f", rms {found.rms_arcsec:.3f}″"
            )
            facts = {"dra_arcsec": found.dra_arcsec, "ddec_arcsec": found.ddec_arcsec, "err_arcsec": found.err_arcsec}
            offset = dataclasses.replace(header_offset(row.path, row.cube, row.exposure), method=BY_CLICKS, note=note)
            bench.put(row.identity, dataclasses.replace(offset, **facts))

    def _on_chosen(self) -> None:
        self._dock.show_pair()

    def _on_box_chosen(self, _index: int) -> None:
        self._dock.show_pair()
        focus_canvas(self._dock.viewer)
