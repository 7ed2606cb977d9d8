"""What can be set when the sky is subtracted: which IFU is looked at, sky, method, parameters, stars, files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.components import ViewerModel
from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QTabWidget, QVBoxLayout, QWidget

from napari_kmos._napari.sky_preview import Wish
from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.parts import Scrolled, scrolled_past
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.sky_choice import SkyChoice
from napari_kmos._napari.widgets.sky_files import SkyFilesPage
from napari_kmos._napari.widgets.sky_mask_page import SkyMaskPage
from napari_kmos.session import Session
from napari_kmos.sky import DEFAULT_METHOD, SKY_METHODS, SkyParameters

#: Name of the step, as a plan has it.
STEP = "sky-tweak"


class SkySettings(QWidget):
    """What is looked at on top, below it a page each for method, stars and files.

    Parameters
    ----------
    viewer : ViewerModel
        Shows the star mask.
    session : Session
        Has the files.
    open_paths : callable
        Returns the files that are open in the viewer.
    """

    #: Something on which the subtraction of one IFU depends.
    changed = Signal()

    def __init__(self, viewer: ViewerModel, session: Session, open_paths: Callable[[], Sequence[Path]]) -> None:
        super().__init__()
        self._session = session
        self.choice, self.mask, self.files = SkyChoice(), SkyMaskPage(viewer, session), SkyFilesPage(open_paths)
        self.method = QComboBox()
        self.method.addItems(list(SKY_METHODS))
        self.method.setCurrentText(DEFAULT_METHOD)
        scrolled_past(self.method)
        self.form = ParameterForm(SkyParameters)
        page = QWidget()
        form = QFormLayout(page)
        form.setContentsMargins(0, 4, 0, 0)
        form.addRow("Method", self.method)
        form.addRow(self.form)
        self.pages = QTabWidget()
        for content, title in ((page, "Method"), (self.mask, "Stars in the sky")):
            self.pages.addTab(Scrolled(content), title)
        self.pages.addTab(self.files, "Files and run")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.choice)
        column.addWidget(self.pages, stretch=1)
        self.method.currentTextChanged.connect(lambda _: self.changed.emit())
        for part in (self.form, self.mask, self.choice):
            part.changed.connect(self.changed)
        fields = {"method": self.method, "pick": self.choice.sky, "fills_stars": self.mask.fills}
        self.remembered = Remembered(session, STEP, {**fields, "engine": self.files.engine.engine}, self.form)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for no more width than is needed, whatever is written on the pages: the rest is for the spectra."""
        return QSize(self.minimumSizeHint().width(), super().sizeHint().height())

    def show_files(self) -> None:
        """Show the files and the folder of the session."""
        self.files.objects.show_paths(self._session.objects)
        self.files.skies.show_paths(self._session.skies)
        self.files.out_dir.show_path(self._session.out_dir)
        self.choice.show_files(self._session.objects, self._session.skies)
        self.remembered.show_state()  # one sky alone can be chosen now

    def skies(self) -> tuple[Path, ...]:
        """Return the sky exposures that are used."""
        return self.choice.skies(self._session.skies)

    def how(self) -> dict[str, Any]:
        """Return what holds for one IFU and for all.

        Raises
        ------
        KmosError
            If a parameter makes no sense.
        """
        return {
            "pick": self.choice.pick(),
            "method": self.method.currentText(),
            "parameters": self.form.parameters(),
            "fills_stars": self.mask.fills.isChecked(),
            "masks": dict(self.mask.given),
        }

    def wish(self) -> Wish | None:
        """Return what is to be seen; None while exposures are missing.

        Raises
        ------
        KmosError
            If a parameter makes no sense.
        """
        target, skies = self.choice.target.currentData(), self.skies()
        if target is None or not skies or self.choice.ifu.currentIndex() < 0:
            return None
        return Wish(target=target, skies=skies, ifu=self.choice.ifu.currentData(), **self.how())
