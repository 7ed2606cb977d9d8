"""A form for a parameter dataclass: a row a field, its text as the tooltip."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from magicgui.widgets import LineEdit, create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QSizePolicy, QWidget

from napari_kmos._napari.widgets.parts import folded, scrolled_past
from napari_kmos.errors import KmosError
from napari_kmos.provenance import descriptions_of, groups_of

_LARGEST = 1e9


class ParameterForm(QWidget):
    """Fields of a parameter dataclass, with its defaults; those of each base class folded away.

    Parameters
    ----------
    parameters : type
        A dataclass whose fields all have defaults.
    exclude : tuple of str
        Fields that the dock sets by other means.
    """

    #: Something was typed or chosen.
    changed = Signal()

    def __init__(self, parameters: type, *, exclude: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._type = parameters
        hints = get_type_hints(parameters)
        texts = descriptions_of(parameters)
        self._optional = {name: kind for name, hint in hints.items() if (kind := _optional(hint)) is not None}
        fields = [field for field in dataclasses.fields(parameters) if field.name not in exclude]
        self.rows = {field.name: _row(field, hints[field.name], texts.get(field.name, "")) for field in fields}
        for row in self.rows.values():
            row.changed.connect(self._on_edited)
            scrolled_past(row.native)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for number, (title, names) in enumerate(groups_of(parameters).items()):
            rows = [self.rows[name] for name in names if name in self.rows]
            if number == 0:
                _fill(layout, rows)
            elif rows:
                part = QWidget()
                _fill(QFormLayout(part), rows)
                layout.addRow(folded(title, part))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def parameters(self, **fixed: Any) -> Any:
        """Return the parameters as typed.

        Raises
        ------
        KmosError
            If the dataclass refuses a value.
        """
        try:
            typed = {name: self._value(row) for name, row in self.rows.items()}
            return self._type(**typed, **fixed)
        except KmosError:
            raise
        except (TypeError, ValueError) as err:
            raise KmosError(str(err)) from err

    def show_parameters(self, parameters: Any) -> None:
        """Show parameters; does not tell."""
        self._show({name: getattr(parameters, name) for name in self.rows})

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Show parameters by their names, as somebody may have written them; others, and those that are none, stay."""
        before = {name: row.value for name, row in self.rows.items()}
        try:
            self._show({name: values[name] for name in self.rows if name in values})
            self.parameters()
        except (KmosError, TypeError, ValueError):
            for name, row in self.rows.items():
                with row.changed.blocked():
                    row.value = before[name]

    def _show(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            row = self.rows[name]
            with row.changed.blocked():
                row.value = ("" if value is None else str(value)) if name in self._optional else value

    def _on_edited(self, _value: object) -> None:
        self.changed.emit()

    def _value(self, row: Any) -> Any:
        """Value of a row; an empty line is None where that is allowed."""
        if row.name not in self._optional:
            return row.value
        text = row.value.strip()
        return self._optional[row.name](text) if text else None


def _fill(layout: QFormLayout, rows: list[Any]) -> None:
    """Put rows below each other, named."""
    for row in rows:
        label = QLabel(row.name)
        label.setToolTip(row.tooltip)
        layout.addRow(label, row.native)


def _optional(hint: Any) -> type | None:
    """Type of a field that may be None; None if it may not."""
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()
    rest = [part for part in parts if part is not type(None)]
    return rest[0] if len(rest) == 1 and len(parts) == 2 else None


def _row(field: dataclasses.Field[Any], hint: Any, text: str) -> Any:
    """Widget of one field."""
    if _optional(hint) is not None:
        default = "" if field.default is None else str(field.default)
        return LineEdit(value=default, name=field.name, tooltip=re.sub(r"`+", "", text))
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    choices = field.metadata.get("choices")
    options: dict[str, Any] = {"choices": list(choices)} if choices else {}
    if isinstance(value, int | float) and not isinstance(value, bool) and not choices:
        options |= {"min": -_LARGEST, "max": _LARGEST}
    if isinstance(value, float):
        options |= {"step": _step(value)}
    row = create_widget(value=value, annotation=hint, name=field.name, options=options)
    if isinstance(value, bool):
        row.native.setText("")  # the label says it
    row.tooltip = re.sub(r"`+", "", text)
    return row


def _step(value: float) -> float:
    """Return what a click on an arrow adds: a tenth of the order of the value."""
    return 0.1 if value == 0 else float(f"{abs(value) / 10:.0e}")
