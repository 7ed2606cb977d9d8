"""The windows of the maps: as numbers, and on the plot; one of the line, any number of the continuum."""

from __future__ import annotations

import numpy as np
from napari.viewer import Viewer
from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_kmos._napari import commands
from napari_kmos._napari.line_maps import windows_around
from napari_kmos._napari.widgets.maps_plot import WindowPlot
from napari_kmos._napari.widgets.parts import button, number, row_of
from napari_kmos.session import Session
from napari_kmos.spectral.windows import Window

_LINE, _CONTINUUM = "Line", "Continuum"
_LONGEST_UM = 100.0
_STEP_UM = 0.0005
_DECIMALS = 5
_LABEL_SHARE, _END_SHARE = 3, 4
_BUTTON_WIDTH = 28
_SPACING = 4


class WindowRow(QWidget):
    """The two ends of a window, and for those of the continuum a button to remove it."""

    changed = Signal()
    removed = Signal(object)

    def __init__(self, what: str) -> None:
        super().__init__()
        self._width = 0.0
        tips = (f"{which} wavelength of the window in micron" for which in ("First", "Last"))
        self.ends = [number(0.0, _LONGEST_UM, 0.0, unit=" µm", step=_STEP_UM, tip=tip) for tip in tips]
        self.remove = button("✕", "Remove this window", lambda: self.removed.emit(self))
        self.remove.setFixedWidth(_BUTTON_WIDTH)
        policy = self.remove.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.remove.setSizePolicy(policy)
        self.remove.setVisible(what == _CONTINUUM)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(QLabel(what), stretch=_LABEL_SHARE)  # shares of the width: so that rows stand below each other
        for end in self.ends:
            end.setDecimals(_DECIMALS)
            end.valueChanged.connect(self._on_typed)
            end.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
            row.addWidget(end, stretch=_END_SHARE)
        row.addWidget(self.remove)

    def window(self) -> Window:
        """Return what stands in the fields."""
        first, last = (end.value() for end in self.ends)
        return first, last

    def show_window(self, window: Window) -> None:
        """Show a window; does not tell."""
        self._width = window[1] - window[0]
        for end, value in zip(self.ends, window, strict=True):
            with QSignalBlocker(end):
                end.setValue(value)

    def _on_typed(self) -> None:
        """Tell; an end typed beyond the other takes that with it, so that a window can be moved by typing."""
        first, last = self.window()
        if first >= last:
            is_first = self.sender() is self.ends[0]
            first, last = (first, first + self._width) if is_first else (last - self._width, last)
        self.show_window((first, last))
        self.changed.emit()


class WindowsPanel(QWidget):
    """A row a window; shows the windows of the session there and on a plot, and takes over what is done to them.

    Parameters
    ----------
    viewer : Viewer
        Its slider is where new windows are put.
    session : Session
        Keeps the windows.
    plot : WindowPlot
        On which they are dragged.
    """

    #: The windows have changed, and no drag goes on.
    settled = Signal()

    def __init__(self, viewer: Viewer, session: Session, plot: WindowPlot) -> None:
        super().__init__()
        self._viewer, self._session, self._plot = viewer, session, plot
        self.line, self.continuum = WindowRow(_LINE), []
        self._rows = QVBoxLayout()
        self._rows.setSpacing(_SPACING)
        self._rows.addWidget(self.line)
        around = button("To slider", "Put the windows around the wavelength the slider shows", self.put_around_slider)
        add = button("Add continuum", "Add a continuum window; drag it where it belongs", self.add_continuum)
        zoom = button("Zoom", "Show the windows large; A in the corner of the plot shows all", plot.zoom_to_windows)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._rows)
        column.addLayout(row_of(around, add, zoom))
        self.line.changed.connect(self._on_typed)
        plot.dragged.connect(self._take)
        plot.dropped.connect(self.settled.emit)

    def show_state(self) -> None:
        """Show the windows of the session; does not tell."""
        line, continuum = self._session.line_um, self._session.continuum_um
        self._plot.show_windows(line, continuum)
        self.line.setEnabled(line is not None)
        while len(self.continuum) > len(continuum):
            self._drop(self.continuum[-1])
        while len(self.continuum) < len(continuum):
            row = WindowRow(_CONTINUUM)
            row.changed.connect(self._on_typed)
            row.removed.connect(self._on_removed)
            self.continuum.append(row)
            self._rows.addWidget(row)
        for row, window in zip((self.line, *self.continuum), () if line is None else (line, *continuum), strict=False):
            row.show_window(window)

    def put_around_slider(self) -> None:
        """Put the windows around the wavelength that the slider shows."""
        wavelength_um = commands.current_wavelength(self._viewer)
        if np.isfinite(wavelength_um):
            self._take(*windows_around(wavelength_um))
            self.settled.emit()

    def add_continuum(self) -> None:
        """Add a continuum window as wide as the line's, above all others."""
        line, continuum = self._session.line_um, self._session.continuum_um
        if line is not None:
            last, width = max(end for _, end in (line, *continuum)), line[1] - line[0]
            self._take(line, (*continuum, (last + width / 2, last + 3 * width / 2)))
            self.settled.emit()

    def _take(self, line: Window, continuum: tuple[Window, ...]) -> None:
        """Take over windows; the session tells all who show them."""
        self._session.line_um, self._session.continuum_um = line, continuum

    def _drop(self, row: WindowRow) -> None:
        self.continuum.remove(row)
        self._rows.removeWidget(row)
        row.hide()
        row.deleteLater()

    def _on_removed(self, row: WindowRow) -> None:
        self._drop(row)
        self._on_typed()

    def _on_typed(self) -> None:
        self._take(self.line.window(), tuple(row.window() for row in self.continuum))
        self.settled.emit()
