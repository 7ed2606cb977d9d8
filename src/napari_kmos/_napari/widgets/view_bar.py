"""The line on top of every dock: the wavelength shown, white light, and ways to look at the cubes."""

from __future__ import annotations

import math

from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QWidget

from napari_kmos._napari import commands
from napari_kmos._napari.white_light import toggle_white_light, white_light_of
from napari_kmos._napari.widgets.parts import button
from napari_kmos._napari.widgets.view_menu import ViewMenu

_FIELD_WIDTH = 110
_WHITE = "White light"


class ViewBar(QWidget):
    """Wavelength in micron to read and to type, white light with its progress, the menu *View*."""

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
        tip = "Show the median over all wavelengths in place of a plane, in all visible cubes; again: planes, and stop"
        self.white = button(_WHITE, tip, self._on_white)
        self.white.setCheckable(True)
        self.white.setMinimumWidth(self.white.fontMetrics().horizontalAdvance(f"{_WHITE} 100 %"))
        self.menu = ViewMenu(viewer)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.wavelength)
        layout.addWidget(self.plane, stretch=1)
        layout.addWidget(self.white)
        layout.addWidget(self.menu)

    def show_state(self) -> None:
        """Show the wavelength of the plane, and whether white light is shown."""
        grid = commands.wavelengths_um(self._viewer)
        self.wavelength.setEnabled(grid is not None)
        self.show_white()
        self.plane.setText("")
        if grid is None:
            return
        plane = min(commands.current_plane(self._viewer), len(grid) - 1)
        with QSignalBlocker(self.wavelength):
            self.wavelength.setRange(float(grid[0]), float(grid[-1]))
            self.wavelength.setSingleStep(float(grid[1] - grid[0]) if len(grid) > 1 else 0.0)
            self.wavelength.setValue(float(grid[plane]))
        self.plane.setText(f"{plane} / {len(grid)}")

    def show_white(self) -> None:
        """Show whether white light is shown, and how far what is being computed for it is."""
        shown = white_light_of(self._viewer)
        self.white.setChecked(shown.is_on)
        running = shown.is_on and not math.isnan(shown.done)
        self.white.setText(f"{_WHITE} {100 * shown.done:.0f} %" if running else _WHITE)

    def _on_wavelength_typed(self, value: float) -> None:
        commands.show_wavelength(self._viewer, value)

    def _on_white(self) -> None:
        toggle_white_light(self._viewer)
        self.show_white()
