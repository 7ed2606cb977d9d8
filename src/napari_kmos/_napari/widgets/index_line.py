"""A thin line that tells how far the index of a large cube is, with a way to stop it."""

from __future__ import annotations

from napari.components import ViewerModel
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from napari_kmos._napari.background import indexer_of
from napari_kmos._napari.widgets.parts import button

_TEXT = "Preparing for quick spectra"
_TIP = "The large cube is copied in the order of spectra into the cache folder; you can work on meanwhile"
_STEPS = 1000


class IndexLine(QWidget):
    """Progress of the indexer of a viewer; hidden while there is none to tell.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the cubes.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self.indexer = indexer_of(viewer)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, _STEPS)
        self.bar.setMaximumHeight(self.fontMetrics().height() // 2)
        label = QLabel(_TEXT)
        label.setToolTip(_TIP)
        self.stop = button("Stop", "Spectra of this cube stay slow to come", self.indexer.cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(label)
        row.addWidget(self.bar, stretch=1)
        row.addWidget(self.stop)
        self.indexer.changed.connect(self._show_progress)
        self.indexer.join()
        self.destroyed.connect(self.indexer.leave)
        self.hide()

    def look(self) -> None:
        """Let the indexer look for work; to be called while the dock is seen."""
        self.indexer.look()

    def _show_progress(self) -> None:
        self.setVisible(bool(self.indexer.text))
        self.bar.setValue(round(_STEPS * self.indexer.done))
