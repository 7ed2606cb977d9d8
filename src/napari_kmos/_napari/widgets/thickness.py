"""How many planes are shown together: napari's thick slices."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSpinBox, QWidget

from napari_kmos._napari import commands

_MOST = 999


class Thickness(QWidget):
    """The number of planes about the slider's whose mean is shown; 1 is the plane alone."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.planes = QSpinBox()
        self.planes.setRange(1, _MOST)
        self.planes.setSingleStep(2)  # as many planes on either side
        self.planes.setSpecialValueText("one plane")
        self.planes.setPrefix("mean of ")
        self.planes.setSuffix(" planes")
        self.planes.setKeyboardTracking(False)
        self.planes.setToolTip("Show the mean of so many planes about the slider's, without those that have no data")
        self.planes.valueChanged.connect(self._on_changed)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel("Slice"))
        row.addWidget(self.planes, stretch=1)

    def show_state(self) -> None:
        """Show how many planes the viewer shows; does not tell."""
        with QSignalBlocker(self.planes):
            self.planes.setValue(commands.thickness(self._viewer))

    def _on_changed(self, n_planes: int) -> None:
        commands.set_thickness(self._viewer, n_planes)
