"""Fields of a dock that are kept in the session: what is typed goes there, and what others set there is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QWidget

from napari_kmos._napari.widgets.form import ParameterForm
from napari_kmos.errors import KmosError
from napari_kmos.provenance import parameters_of
from napari_kmos.session import Session

_OF_NUMBERS = "value", "setValue", "valueChanged"


class Remembered:
    """Fields of a form, by their names in the session; only what is not as it was at first is kept there.

    Parameters
    ----------
    session : Session
        Its ``forms`` hold the values.
    name : str
        Of the form; that of the step of a plan, if it is one.
    fields : mapping of str to QWidget
        Lists to choose from, lines, boxes to tick and numbers.
    form : ParameterForm, optional
        Further fields, by the names of the parameters.
    """

    def __init__(
        self, session: Session, name: str, fields: Mapping[str, QWidget], form: ParameterForm | None = None
    ) -> None:
        self._session, self._name, self._fields, self._form = session, name, dict(fields), form
        self._is_own = False
        self._first = self._values()
        for field in self._fields.values():
            _signal_of(field).connect(self._on_edited)
        if form is not None:
            form.changed.connect(self._on_edited)
        session.events.forms.connect(self.show_state)

    def show_state(self) -> None:
        """Show what the session says, if somebody else said it; what a field cannot be stays as it is."""
        if self._is_own:
            return
        wanted = {**self._first, **self._session.forms.get(self._name, {})}
        self._is_own = True
        try:
            for name, field in self._fields.items():
                if type(wanted[name]) is type(_value_of(field)):
                    _show(field, wanted[name])
            if self._form is not None:
                self._form.show_values({name: wanted[name] for name in self._form.rows if name in wanted})
        finally:
            self._is_own = False

    def _values(self) -> dict[str, Any]:
        """Return what is typed; parameters that make no sense are left out."""
        values = {name: _value_of(field) for name, field in self._fields.items()}
        try:
            typed = {} if self._form is None else parameters_of(self._form.parameters())
        except KmosError:
            typed = {}
        return {**values, **{name: typed[name] for name in typed if self._form and name in self._form.rows}}

    def _on_edited(self, *_value: object) -> None:
        if self._is_own:
            return
        others = {name: one for name, one in self._session.forms.items() if name != self._name}
        mine = {name: one for name, one in self._values().items() if one != self._first[name]}
        self._is_own = True
        try:
            self._session.forms = {**others, **({self._name: mine} if mine else {})}
        finally:
            self._is_own = False


def _ways(field: QWidget) -> tuple[str, str, str]:
    """Return the names of what reads a field, of what sets it, and of the signal of its changes."""
    if isinstance(field, QComboBox):
        return "currentText", "setCurrentText", "currentTextChanged"
    if isinstance(field, QLineEdit):
        return "text", "setText", "textChanged"
    return ("isChecked", "setChecked", "toggled") if isinstance(field, QAbstractButton) else _OF_NUMBERS


def _value_of(field: QWidget) -> Any:
    """Return the value of a field; of a list what the choice stands for, if that is a word."""
    word = field.currentData() if isinstance(field, QComboBox) else None
    return word if isinstance(word, str) else getattr(field, _ways(field)[0])()


def _show(field: QWidget, value: Any) -> None:
    """Show a value, and let the dock do what belongs to it."""
    if isinstance(field, QComboBox) and (place := field.findData(value)) >= 0:
        field.setCurrentIndex(place)
    else:
        getattr(field, _ways(field)[1])(value)


def _signal_of(field: QWidget) -> Any:
    return getattr(field, _ways(field)[2])
