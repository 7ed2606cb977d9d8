"""Windows of wavelength as a line of text, as the command line takes them."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from napari_kmos._napari.widgets.parts import button
from napari_kmos.errors import KmosError
from napari_kmos.spectral.windows import Window, parse_windows, windows_text

_LABEL_WIDTH, _BUTTON_WIDTH = 74, 28
#: Of the range in view, a new window is so wide.
_SHARE = 0.08


class WindowsEdit(QWidget):
    """Windows to type, with a button that adds one in the middle of what is in view.

    Parameters
    ----------
    name, tip : str
        What they are of, and what to know of them.
    view : callable
        Returns the range in view in micron.
    most : int
        Of a kind of which there is one, the last one counts.
    placeholder : str
        What holds without any.
    """

    changed = Signal(object)
    #: What is typed cannot be understood, and why.
    refused = Signal(str)

    def __init__(self, name: str, tip: str, view: Callable[[], Window], *, most: int = 99, placeholder: str) -> None:
        super().__init__()
        self._view, self._most = view, most
        self.windows: tuple[Window, ...] = ()
        self.line = QLineEdit()
        self.line.setPlaceholderText(placeholder)
        self.line.setToolTip(f"{tip} In micron: 2.10-2.15,2.20-2.28; drag them on the plot, Shift and drag draws one")
        self.line.editingFinished.connect(self._on_edited)
        label = QLabel(name)
        label.setMinimumWidth(_LABEL_WIDTH)
        add = button("+", "Add a window in the middle of what is in view", self._on_add)
        clear = button("✕", "Remove all", lambda: self.take(()))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (label, self.line, add, clear):
            row.addWidget(widget)
        for small in (add, clear):
            small.setFixedWidth(_BUTTON_WIDTH)

    def show_windows(self, windows: tuple[Window, ...]) -> None:
        """Show windows; does not tell."""
        self.windows = windows
        with QSignalBlocker(self.line):
            self.line.setText(windows_text(windows))

    def take(self, windows: tuple[Window, ...]) -> None:
        """Take over windows, and tell."""
        self.show_windows(windows[-self._most :])
        self.changed.emit(self.windows)

    def _on_add(self) -> None:
        first, last = self._view()
        middle, half = 0.5 * (first + last), 0.5 * _SHARE * (last - first)
        self.take((*self.windows, (middle - half, middle + half)))

    def _on_edited(self) -> None:
        text = self.line.text().strip()
        if text == windows_text(self.windows):
            return
        try:
            self.take(parse_windows(text) if text else ())
        except KmosError as err:
            self.show_windows(self.windows)
            self.refused.emit(str(err))
