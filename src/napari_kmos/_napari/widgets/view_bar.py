"""The line on top of every dock: the wavelength shown, and how the IFUs lie."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

from napari_kmos._napari import commands, labels
from napari_kmos._napari.frames import SHEET
from napari_kmos._napari.positions import layout_of
from napari_kmos._napari.widgets.parts import button

_FIELD_WIDTH = 110


class ViewBar(QWidget):
    """Wavelength in micron to read and to type, contact sheet or sky, north up."""

    def __init__(self, viewer: Viewer) -> None:
        super().__init__()
        self._viewer = viewer
        self.wavelength = QDoubleSpinBox()
        self.wavelength.setDecimals(5)
        self.wavelength.setSuffix(" µm")
        self.wavelength.setKeyboardTracking(False)
        self.wavelength.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)  # the slider steps
        self.wavelength.setToolTip("Wavelength of the plane shown: type one to go there")
        self.wavelength.valueChanged.connect(self._on_wavelength_typed)
        self.wavelength.setMinimumWidth(_FIELD_WIDTH)
        self.plane = QLabel()
        self.plane.setToolTip("Plane of the slider, from 0, and number of planes")
        tip = "Draw the IFUs where they are on the sky, or side by side as a contact sheet"
        self.layout_button = button("", tip, self._on_layout)
        self.names = button("Names", "Write the names of the IFUs beside their images", self._on_names)
        self.names.setCheckable(True)
        north = button("N ↑", "North up, east left, everything in view", self._on_north)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.wavelength)
        layout.addWidget(self.plane, stretch=1)
        layout.addWidget(self.layout_button)
        layout.addWidget(self.names)
        layout.addWidget(north)

    def show_state(self) -> None:
        """Show the wavelength of the plane and the layout."""
        grid = commands.wavelengths_um(self._viewer)
        commands.label_plane(self._viewer)
        self.wavelength.setEnabled(grid is not None)
        self.layout_button.setText("On sky" if layout_of(self._viewer) == SHEET else "Sheet")
        self.names.setChecked(labels.are_shown(self._viewer))
        if self.names.isChecked():
            labels.show_names(self._viewer)
        self.plane.setText("")
        if grid is None:
            return
        plane = min(commands.current_plane(self._viewer), len(grid) - 1)
        with QSignalBlocker(self.wavelength):
            self.wavelength.setRange(float(grid[0]), float(grid[-1]))
            self.wavelength.setSingleStep(float(grid[1] - grid[0]) if len(grid) > 1 else 0.0)
            self.wavelength.setValue(float(grid[plane]))
        self.plane.setText(f"{plane} / {len(grid)}")

    def _on_wavelength_typed(self, value: float) -> None:
        commands.show_wavelength(self._viewer, value)

    def _on_layout(self) -> None:
        commands.switch_layout(self._viewer)
        self.show_state()

    def _on_names(self) -> None:
        show = labels.show_names if self.names.isChecked() else labels.hide_names
        active = self._viewer.layers.selection.active
        show(self._viewer)
        self._viewer.layers.selection.active = active

    def _on_north(self) -> None:
        commands.set_north_up(self._viewer)
