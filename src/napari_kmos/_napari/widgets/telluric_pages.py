"""What can be set when the atmosphere is taken out, and when counts become flux: files, standard, parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_kmos._napari.telluric import STAR, WAYS, typed_edges, typed_ifu, typed_number
from napari_kmos._napari.widgets.airmass_field import AirmassField
from napari_kmos._napari.widgets.files import CUBES, SPECTRA, FileList, PathField
from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.parts import Message, Scrolled, button, folded, scrolled_past
from napari_kmos.recipes.standards import Standard
from napari_kmos.telluric import StandardParameters, TelluricParameters


class _Page(QWidget):
    """Fields in a form that is scrolled, a button below them; wishes are told.

    Parameters
    ----------
    open_paths : callable
        Returns cubes and spectra that are open.
    """

    run_requested = Signal()
    keeps: tuple[str, ...] = ()

    def __init__(self, open_paths: Callable[[], Sequence[Path]], *, does: str, tip: str) -> None:
        super().__init__()
        self.files, self.ifu = FileList(open_paths), QLineEdit()
        self.ifu.setPlaceholderText("all with data")
        self.run_button = button(does, tip, self.run_requested.emit)
        fields = QWidget()
        self.form = QFormLayout(fields)
        self.form.setContentsMargins(0, 4, 0, 0)
        self.form.addRow(QLabel("Cubes and spectra"))
        self.form.addRow(self.files)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(Scrolled(fields), stretch=1)
        column.addWidget(self.run_button)

    def kept(self) -> dict[str, QWidget]:
        """Return the fields in ``keeps``, which are kept with the session, by their names there."""
        fields = {name: getattr(self, name) for name in self.keeps}
        return {name: getattr(field, "line", field) for name, field in fields.items()}

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for no more width than is needed: the rest is for the spectra."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())


class CorrectPage(_Page):
    """By which star the atmosphere is taken out of which files, and how."""

    keeps = (
        *("way", "standard", "standard_airmass", "magnitude", "standard_ifu", "template"),
        *("airmass", "ifu", "reference", "edges"),
    )

    def __init__(self, open_paths: Callable[[], Sequence[Path]]) -> None:
        tip = "Take out the absorption of the atmosphere, in the background; cubes come back as layers"
        super().__init__(open_paths, does="Correct", tip=tip)
        self.way = QComboBox()
        self.way.addItems(list(WAYS))
        scrolled_past(self.way)
        self.standard = PathField("The standard star", pattern=CUBES, placeholder="STAR_SPEC, spectrum, or cube")
        self.template = PathField("Spectrum of such a star", pattern=SPECTRA, placeholder="none: a black body")
        self.reference = PathField("A bright star", pattern=CUBES, placeholder="each itself, of a cube its brightest")
        self.airmass, self.standard_airmass = AirmassField(), AirmassField()
        self.standard_ifu, self.magnitude, self.edges = QLineEdit(), QLineEdit(), QLineEdit()
        self.dividing = ParameterForm(StandardParameters)
        self.scaling = ParameterForm(TelluricParameters, exclude=("edges",))
        self.said = Message()
        self._build()

    def chosen(self) -> dict[str, Any]:
        """Return what the step is told.

        Raises
        ------
        KmosError
            If something typed makes no sense.
        """
        return {
            "way": self.way.currentText(),
            "standard": self._standard(),
            "parameters": self.scaling.parameters(edges=typed_edges(self.edges.text())),
            "airmass": self.airmass.number(),
            "reference": self.reference.path(),
            "ifu": typed_ifu(self.ifu.text()),
        }

    def look(self) -> None:
        """Ask the headers of the files for their airmasses."""
        standard = self.standard.path()
        self.airmass.look(self.files.paths())
        self.standard_airmass.look(() if standard is None else (standard,))

    def _standard(self) -> Standard | None:
        """Return the star; None if no file is chosen."""
        path = self.standard.path()
        if path is None:
            return None
        return Standard(
            file=path,
            airmass=self.standard_airmass.number(),
            ifu=typed_ifu(self.standard_ifu.text()),
            template=self.template.path(),
            magnitude=typed_number(self.magnitude.text(), "magnitude"),
            parameters=self.dividing.parameters(),
        )

    def _build(self) -> None:
        self.standard_ifu.setPlaceholderText("the target's, else the brightest")
        self.magnitude.setPlaceholderText("2MASS: the response gets a zero point")
        self.edges.setPlaceholderText("micron, two at most; empty: those of the band")
        rows = {
            "By": self.way,
            "Standard": self.standard,
            "Its airmass": self.standard_airmass,
            "Its magnitude": self.magnitude,
            "Its IFU": self.standard_ifu,
            "Its template": self.template,
            "Target's airmass": self.airmass,
            "Target's IFU": self.ifu,
            "Fitted to": self.reference,
            "Windows meet at": self.edges,
        }
        for name, field in rows.items():
            self.form.addRow(name, field)
        self.form.addRow(folded("Division by its own model", self.dividing))
        self.form.addRow(folded("Scaling to the target", self.scaling))
        self.form.addRow(self.said)
        self._of_the_star = (self.standard, self.standard_airmass, self.standard_ifu, self.magnitude, self.template)
        self.way.currentTextChanged.connect(self._on_way)
        self.files.changed.connect(self.airmass.look)
        self.standard.changed.connect(self._on_standard)
        for field in (self.airmass, self.standard_airmass):
            field.told.connect(self.said.say)

    def _on_standard(self) -> None:
        self.said.say("")
        self.look()

    def _on_way(self, way: str) -> None:
        for field in (*self._of_the_star, self.dividing):
            field.setEnabled(way == STAR)


class CalibratePage(_Page):
    """By which response and zero point files become flux."""

    keeps = ("response", "telluric", "zero_point", "check_magnitude", "ifu")

    def __init__(self, open_paths: Callable[[], Sequence[Path]]) -> None:
        tip = "Bring counts to flux, in the background; cubes come back as layers"
        super().__init__(open_paths, does="Calibrate", tip=tip)
        self.response = PathField("The response", pattern=SPECTRA, placeholder="RESPONSE, or what Correct wrote")
        self.telluric = PathField("Its zero point", pattern=CUBES, placeholder="TELLURIC or STAR_SPEC with ZPOINT")
        self.zero_point, self.check_magnitude = QLineEdit(), QLineEdit()
        self.zero_point.setPlaceholderText("that of the file, else of the response")
        self.check_magnitude.setPlaceholderText("2MASS, of the brightest star: is compared")
        rows = {
            "Response": self.response,
            "Zero point from": self.telluric,
            "Zero point": self.zero_point,
            "Catalogue says": self.check_magnitude,
            "IFU": self.ifu,
        }
        for name, field in rows.items():
            self.form.addRow(name, field)

    def chosen(self) -> dict[str, Any]:
        """Return what the step is told.

        Raises
        ------
        KmosError
            If something typed makes no sense.
        """
        return {
            "response": self.response.path(),
            "telluric": self.telluric.path(),
            "zero_point": typed_number(self.zero_point.text(), "zero point"),
            "check_magnitude": typed_number(self.check_magnitude.text(), "magnitude by a catalogue"),
            "ifu": typed_ifu(self.ifu.text()),
        }
