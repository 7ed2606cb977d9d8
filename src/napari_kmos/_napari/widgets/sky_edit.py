"""How spectra are taken: how large apertures are, by which method, and what is their sky."""

from __future__ import annotations

import dataclasses
from typing import get_args

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QWidget

from napari_kmos._napari.widgets.parts import button, number, row_of
from napari_kmos.errors import KmosError
from napari_kmos.extract import EXTRACT_METHODS, PSF_METHODS, ExtractParameters
from napari_kmos.extract.parameters import Background, Side, Sky, Statistic
from napari_kmos.session import Session

_TIPS = {
    "annulus": "A ring around each star",
    "areas": "The sky areas in the same cube",
    "none": "Subtract no sky",
    "aperture": "The sum over the circle, exact at its edge",
    "optimal": "Spaxels weighted by profile and noise, for stars that stand alone",
    "psf": "All stars of a cube fitted together, for crowded fields; the plot shows the last fit",
}
_ARCSEC, _FWHM = "″", "FWHM"
_NARROW = 104


class SkyEdit(QWidget):
    """Fields for radius, method and sky; what is typed is in the session.

    Parameters
    ----------
    session : Session
        Its parameters, method and width of a star are shown and changed.
    """

    #: The radius that is wanted, in arcsec.
    resized = Signal(float)
    #: The width of the chosen star shall be measured.
    measure_requested = Signal()
    #: Why what was typed is not taken.
    refused = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session, self._radius, self._is_typed = session, session.radius_arcsec, False
        known = self.parameters()
        self.radius = number(0.01, 100.0, self._radius, step=0.05, tip="Radius of the selected apertures and new ones")
        self.unit = _choice((_ARCSEC, _FWHM))
        self.fwhm = number(0.05, 10.0, session.fwhm_arcsec, unit="″", step=0.05, tip="Full width of a star at half")
        self.method = _choice(tuple(EXTRACT_METHODS), session.extract_method)
        self.sky = _choice(get_args(Sky), known.sky)
        self.inner, self.outer = (
            number(0.0, 50.0, value, unit=" r", step=0.5, tip=f"{which} radius of the sky ring in aperture radii")
            for which, value in (("Inner", known.inner), ("Outer", known.outer))
        )
        self.side = _choice(get_args(Side), known.side, tip="Side of the ring, for stars without one of their own")
        self.statistic = _choice(get_args(Statistic), known.ring_statistic, tip="How the spaxels of the sky make one")
        self.avoid = number(0, 10, known.avoid_arcsec, unit="″", step=0.1, tip="The ring keeps so far from other stars")
        self.position = number(
            0, 1, known.position_error_arcsec, unit="″", step=0.01, tip="How far each position may be off, 1 sigma"
        )
        self.blend = number(0, 5, known.blend_fwhm, unit=" FWHM", step=0.1, tip="Stars closer than this are tied")
        self.background = _choice(get_args(Background), known.background, tip="Light beneath the stars of a fit")
        for field in (self.radius, self.fwhm, self.inner, self.outer, self.avoid, self.position, self.blend):
            field.setMinimumWidth(_NARROW)
        self._build()
        self.show_state()
        session.events.extract_parameters.connect(self._show_parameters)
        session.events.radius_arcsec.connect(self.show_radius)

    def parameters(self) -> ExtractParameters:
        """Return the parameters as they are in the session."""
        return self.session.extract_parameters or ExtractParameters()

    def show_radius(self, radius_arcsec: float) -> None:
        """Show the radius of what is selected; does not tell."""
        self._radius = radius_arcsec
        with QSignalBlocker(self.radius):
            self.radius.setValue(radius_arcsec / self._unit_arcsec())

    def show_state(self) -> None:
        """Show method and width as they are in the session, and only what matters to them; does not tell."""
        with QSignalBlocker(self.fwhm), QSignalBlocker(self.method):
            self.fwhm.setValue(self.session.fwhm_arcsec)
            self.method.setCurrentText(self.session.extract_method)
        is_ring = self.sky.currentText() == "annulus"
        for field in (self.inner, self.outer, self.side, self.avoid):
            field.setEnabled(is_ring)
        for field in (self.position, self.blend, self.background):
            field.setEnabled(self.session.extract_method in PSF_METHODS)
        self.statistic.setEnabled(self.sky.currentText() != "none")
        self.show_radius(self._radius)

    def _show_parameters(self) -> None:
        """Show the parameters of the session, if they were not typed here; does not tell."""
        if self._is_typed:
            return
        known = self.parameters()
        _show(self.sky, known.sky)  # first: it says whose statistic is shown
        for name, field in self._fields().items():
            _show(field, getattr(known, name))
        self.show_state()

    def _fields(self) -> dict[str, QComboBox | QDoubleSpinBox]:
        """Return the fields by the names of the parameters."""
        return {
            "sky": self.sky,
            "inner": self.inner,
            "outer": self.outer,
            "side": self.side,
            "areas_statistic" if self.sky.currentText() == "areas" else "ring_statistic": self.statistic,
            "avoid_arcsec": self.avoid,
            "position_error_arcsec": self.position,
            "blend_fwhm": self.blend,
            "background": self.background,
        }

    def _build(self) -> None:
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        measure = button("Measure", "Measure the width of the selected star", self.measure_requested.emit)
        form.addRow("Radius", row_of(self.radius, self.unit, QLabel("FWHM"), self.fwhm, measure))
        form.addRow("Method", self.method)
        form.addRow("Sky", row_of(self.sky, self.inner, self.outer))
        form.addRow("Ring", row_of(self.side, self.statistic, self.avoid))
        form.addRow("Fit", row_of(self.position, self.blend, self.background))
        self.radius.valueChanged.connect(self._on_resized)
        self.unit.currentTextChanged.connect(self.show_state)
        self.fwhm.valueChanged.connect(self._on_fwhm)
        self.method.currentTextChanged.connect(self._on_method)
        self.sky.currentTextChanged.connect(self._on_sky)
        for box in (self.side, self.statistic, self.background):
            box.currentTextChanged.connect(self._on_edited)
        for field in (self.inner, self.outer, self.avoid, self.position, self.blend):
            field.valueChanged.connect(self._on_edited)

    def _unit_arcsec(self) -> float:
        return self.session.fwhm_arcsec if self.unit.currentText() == _FWHM else 1.0

    def _on_resized(self, value: float) -> None:
        self._radius = value * self._unit_arcsec()
        self.resized.emit(self._radius)

    def _on_fwhm(self, value: float) -> None:
        """Take another width; radii in units of it stay as many."""
        radius = self.radius.value() * (value if self.unit.currentText() == _FWHM else 1.0)
        self.session.fwhm_arcsec = value
        self._on_edited()
        if radius != self._radius and self.unit.currentText() == _FWHM:
            self._radius = radius
            self.resized.emit(radius)

    def _on_method(self, method: str) -> None:
        self.session.extract_method = method
        self.show_state()

    def _on_edited(self) -> None:
        """Take the parameters over; while they make no sense, the last ones hold."""
        typed = {
            name: field.currentText() if isinstance(field, QComboBox) else field.value()
            for name, field in self._fields().items()
        }
        self._is_typed = True
        try:
            self.session.extract_parameters = dataclasses.replace(
                self.parameters(), **typed, fwhm_arcsec=self.session.fwhm_arcsec
            )
        except KmosError as err:
            self.refused.emit(str(err))
        self._is_typed = False
        self.show_state()

    def _on_sky(self) -> None:
        """Show how the spaxels of this sky make one, and take it."""
        with QSignalBlocker(self.statistic):
            self.statistic.setCurrentText(getattr(self.parameters(), self._statistic()))
        self._on_edited()

    def _statistic(self) -> str:
        return "areas_statistic" if self.sky.currentText() == "areas" else "ring_statistic"


def _show(field: QComboBox | QDoubleSpinBox, value: str | float) -> None:
    """Show a value; does not tell."""
    with QSignalBlocker(field):
        (field.setCurrentText if isinstance(field, QComboBox) else field.setValue)(value)


def _choice(names: tuple[str, ...], chosen: str = "", *, tip: str = "") -> QComboBox:
    """Make a box to choose from; each choice tells what it is."""
    box = QComboBox()
    box.setToolTip(tip)
    for name in names:
        box.addItem(name)
        box.setItemData(box.count() - 1, _TIPS.get(name, tip), Qt.ItemDataRole.ToolTipRole)
    box.setCurrentText(chosen or names[0])
    return box
