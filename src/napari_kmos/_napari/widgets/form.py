"""A form for a parameter dataclass: a row a field, its text as the tooltip."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, get_type_hints

from magicgui.widgets import Container, create_widget
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_kmos.errors import KmosError
from napari_kmos.provenance import descriptions_of

_LARGEST = 1e9


class ParameterForm(QWidget):
    """Fields of a parameter dataclass, with its defaults.

    Parameters
    ----------
    parameters : type
        A dataclass whose fields all have defaults.
    exclude : tuple of str
        Fields that the dock sets by other means.
    """

    changed = Signal()

    def __init__(self, parameters: type, *, exclude: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._type = parameters
        hints = get_type_hints(parameters)
        texts = descriptions_of(parameters)
        fields = [field for field in dataclasses.fields(parameters) if field.name not in exclude]
        rows = [_row(field, hints[field.name], texts.get(field.name, "")) for field in fields]
        self.container = Container(widgets=rows, labels=True)
        self.container.margins = (0, 0, 0, 0)
        self.container.changed.connect(self._on_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.container.native)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def parameters(self, **fixed: Any) -> Any:
        """Return the parameters as typed.

        Raises
        ------
        KmosError
            If the dataclass refuses a value.
        """
        typed = {row.name: row.value for row in self.container}
        try:
            return self._type(**typed, **fixed)
        except KmosError:
            raise
        except (TypeError, ValueError) as err:
            raise KmosError(str(err)) from err

    def show_parameters(self, parameters: Any) -> None:
        """Fill the form."""
        for row in self.container:
            row.value = getattr(parameters, row.name)

    def _on_changed(self) -> None:
        self.changed.emit()


def _row(field: dataclasses.Field[Any], hint: Any, text: str) -> Any:
    """Widget of one field."""
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    choices = field.metadata.get("choices")
    options: dict[str, Any] = {"choices": list(choices)} if choices else {"nullable": True} if value is None else {}
    if isinstance(value, int | float) and not isinstance(value, bool) and not choices:
        options |= {"min": -_LARGEST, "max": _LARGEST}
    if isinstance(value, float):
        options |= {"step": _step(value)}
    row = create_widget(value=value, annotation=hint, name=field.name, label=field.name, options=options)
    row.tooltip = re.sub(r"`+", "", text)
    return row


def _step(value: float) -> float:
    """Return what a click on an arrow adds: a tenth of the order of the value."""
    return 0.1 if value == 0 else float(f"{abs(value) / 10:.0e}")
