"""How spectra are taken: the radius of apertures, and the sky around them."""

from __future__ import annotations

from typing import get_args

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_kmos._napari.points import RADIUS_ARCSEC
from napari_kmos._napari.widgets.parts import number, row_of
from napari_kmos.extract import ExtractParameters
from napari_kmos.extract.parameters import Sky

_TIPS = {
    "annulus": "The median of a ring around each star",
    "areas": "The mean of the sky areas in the same cube",
    "none": "Subtract no sky",
}
_RING_WIDTH = 92


class SkyEdit(QWidget):
    """Fields for the radius, the sky, and the ring it is taken from."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        defaults = ExtractParameters()
        tip = "Radius of the selected apertures and of new ones"
        self.radius = number(0.01, 100.0, RADIUS_ARCSEC, unit="″", step=0.05, tip=tip)
        self.sky = QComboBox()
        for name in get_args(Sky):
            self.sky.addItem(name)
            self.sky.setItemData(self.sky.count() - 1, _TIPS[name], Qt.ItemDataRole.ToolTipRole)
        self.sky.setCurrentText(defaults.sky)
        self.inner, self.outer = (
            number(0.0, 50.0, value, unit=" r", step=0.5, tip=f"{which} radius of the sky ring in aperture radii")
            for which, value in (("Inner", defaults.inner), ("Outer", defaults.outer))
        )
        for field in (self.inner, self.outer):
            field.setMinimumWidth(_RING_WIDTH)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Radius", self.radius)
        form.addRow("Sky", row_of(self.sky, self.inner, self.outer))
        self.sky.currentTextChanged.connect(self._on_edited)
        for field in (self.inner, self.outer):
            field.valueChanged.connect(self._on_edited)

    def parameters(self) -> ExtractParameters:
        """Return the parameters as typed.

        Raises
        ------
        ExtractionError
            If the ring makes no sense.
        """
        return ExtractParameters(sky=self.sky.currentText(), inner=self.inner.value(), outer=self.outer.value())

    def show_radius(self, radius_arcsec: float) -> None:
        """Show the radius of what is selected; does not tell."""
        with QSignalBlocker(self.radius):
            self.radius.setValue(radius_arcsec)

    def _on_edited(self) -> None:
        for field in (self.inner, self.outer):
            field.setEnabled(self.sky.currentText() == "annulus")
        self.changed.emit()
