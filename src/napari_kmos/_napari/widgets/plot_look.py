"""How spectra are looked at, and the continuum of each star."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos._napari.widgets.plot_windows import WindowsEdit
from napari_kmos.errors import KmosError
from napari_kmos.measure import ContinuumParameters
from napari_kmos.report.traces import Continuum, Look
from napari_kmos.session import Session
from napari_kmos.spectral.windows import Window

_OF_ALL = "Continuum of every star"


class LookEdit(QWidget):
    """The fields of `Look`, kept in the session.

    Parameters
    ----------
    session : Session
        Its ``look`` is shown and set.
    """

    refused = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.form = ParameterForm(Look)
        self.form.changed.connect(self._on_changed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.form)
        column.addStretch()

    def show_state(self) -> None:
        """Show what the session says; does not tell."""
        self.form.show_parameters(self._session.look or Look())

    def _on_changed(self) -> None:
        try:
            self._session.look = self.form.parameters()
        except KmosError as err:
            self.refused.emit(str(err))


class ContinuumEdit(QWidget):
    """Windows and method of the continuum, of the selected stars or of all, kept in the session by id.

    Parameters
    ----------
    session : Session
        Its ``continua`` are shown and set.
    ids : callable
        Returns the ids of all stars that are plotted.
    view : callable
        Returns the range in view in micron.
    """

    refused = Signal(str)

    def __init__(self, session: Session, ids: Callable[[], tuple[str, ...]], view: Callable[[], Window]) -> None:
        super().__init__()
        self._session, self._ids = session, ids
        self.divide = QCheckBox("divide by it")
        self.divide.setToolTip("The same as normalised on the page Look")
        self.whose = QLabel(_OF_ALL)
        self.whose.setTextFormat(Qt.TextFormat.PlainText)
        self.whose.setToolTip("Select stars in the results, in the panel Spectra or on the image to set theirs alone")
        tip = "Where the continuum is found."
        self.windows = WindowsEdit("Windows", tip, view, placeholder="all of the spectrum")
        self.form = ParameterForm(ContinuumParameters)
        self.windows.changed.connect(self._on_changed)
        self.windows.refused.connect(self.refused)
        self.form.changed.connect(self._on_changed)
        self.divide.toggled.connect(self._on_divide)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row_of(self.whose, self.divide))
        column.addWidget(self.windows)
        column.addWidget(self.form)
        column.addLayout(row_of(button("Same for all", "Use this for every star that is plotted", self.take_for_all)))
        column.addStretch()

    def show_state(self) -> None:
        """Show the continuum of the first star that is meant; does not tell."""
        with QSignalBlocker(self.divide):
            self.divide.setChecked((self._session.look or Look()).normalised)
        mine = self._mine()
        self.whose.setText(f"Continuum of {', '.join(mine)}" if self._chosen() else _OF_ALL)
        found = self._session.continua.get(mine[0], Continuum()) if mine else Continuum()
        self.windows.show_windows(found.windows)
        self.form.show_parameters(found.parameters)

    def take_for_all(self) -> None:
        """Use what is shown for every star that is plotted."""
        self._take(self._ids())

    def _chosen(self) -> tuple[str, ...]:
        return tuple(id_ for id_ in dict.fromkeys(self._ids()) if id_ in self._session.selected)

    def _mine(self) -> tuple[str, ...]:
        """Return the ids of the selected stars that are plotted, or of all."""
        return self._chosen() or self._ids()

    def _on_divide(self, is_on: bool) -> None:
        self._session.look = dataclasses.replace(self._session.look or Look(), normalised=is_on)

    def _on_changed(self, _windows: object = None) -> None:
        self._take(self._mine())

    def _take(self, ids: tuple[str, ...]) -> None:
        try:
            continuum = Continuum(windows=self.windows.windows, parameters=self.form.parameters())
        except KmosError as err:
            self.refused.emit(str(err))
            return
        self._session.continua = {**self._session.continua, **dict.fromkeys(ids, continuum)}
