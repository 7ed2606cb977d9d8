"""An offset to read and to type: arcsec on the sky, and what that is in spaxels."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QFormLayout, QHBoxLayout, QLabel, QWidget

from napari_kmos._napari.widgets.parts import number

_STEP_ARCSEC = 0.05
_FARTHEST_ARCSEC = 1000.0


class OffsetEdit(QWidget):
    """Fields for dRA cos Dec, dDec and the step of a nudge."""

    typed = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self.east = _arcsec("Correction of right ascension on the sky, east (left) positive", -_FARTHEST_ARCSEC)
        self.north = _arcsec("Correction of declination, north (up) positive", -_FARTHEST_ARCSEC)
        self.step = _arcsec("What an arrow key moves; with Control ten times as much, with Shift a tenth", 0.001)
        self.step.setValue(_STEP_ARCSEC)
        self.spaxels = QLabel()
        for field in (self.east, self.north):
            field.valueChanged.connect(self._on_typed)
        self.step.valueChanged.connect(self._on_step_typed)
        numbers = QHBoxLayout()
        for label, field in (("dRA", self.east), ("dDec", self.north)):
            numbers.addWidget(QLabel(label))
            numbers.addWidget(field, stretch=1)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Offset", numbers)
        steps = QHBoxLayout()
        steps.addWidget(self.spaxels, stretch=1)
        steps.addWidget(QLabel("Step"))
        steps.addWidget(self.step)
        form.addRow("Spaxels", steps)
        self._on_step_typed()

    def show_offset(self, east: float, north: float, spaxels: tuple[float, float]) -> None:
        """Show an offset in arcsec, and (x, y) in spaxels; does not tell."""
        for field, value in ((self.east, east), (self.north, north)):
            with QSignalBlocker(field):
                field.setValue(value)
        x, y = spaxels
        self.spaxels.setText(f"x {x:+z.2f}   y {y:+z.2f}   ({(east**2 + north**2) ** 0.5:.3f}″)")

    def _on_typed(self) -> None:
        self.typed.emit(self.east.value(), self.north.value())

    def _on_step_typed(self) -> None:
        for field in (self.east, self.north):
            field.setSingleStep(self.step.value())


def _arcsec(tip: str, lowest: float) -> QDoubleSpinBox:
    return number(lowest, _FARTHEST_ARCSEC, 0.0, unit="″", step=_STEP_ARCSEC, tip=tip)
