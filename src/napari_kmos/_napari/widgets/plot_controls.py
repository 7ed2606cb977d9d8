"""The pages beside the plot, and the windows that are dragged and drawn on it while one of them is open."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSize, Signal
from qtpy.QtWidgets import QTabWidget

from napari_kmos._napari.widgets.parts import Scrolled
from napari_kmos._napari.widgets.plot_canvas import CONTINUUM, LINE, SNR, PlotCanvas
from napari_kmos._napari.widgets.plot_lines import LinesEdit
from napari_kmos._napari.widgets.plot_look import ContinuumEdit, LookEdit
from napari_kmos._napari.widgets.plot_measure import MeasureEdit
from napari_kmos._napari.widgets.plot_sources import PlotSources
from napari_kmos._napari.widgets.plot_windows import WindowsEdit
from napari_kmos.report.traces import Sourced
from napari_kmos.session import Session
from napari_kmos.spectral.windows import Window

_DRAW_HINT = "Shift and drag draws a window while the page Continuum or Measure is open"
_ALL_BANDS = (0.7, 2.6)
_SIZE = (400, 170)


class PlotControls(QTabWidget):
    """Which spectra, how they are looked at, their continuum, the lines, what is measured.

    Parameters
    ----------
    session : Session
        Keeps all of it.
    spectra : callable
        Returns what is plotted.
    canvas : PlotCanvas
        On which windows are dragged and drawn.
    here : callable
        Returns where the wavelength cursor is, in micron.
    """

    told = Signal(str)

    def __init__(
        self,
        session: Session,
        spectra: Callable[[], tuple[Sourced, ...]],
        canvas: PlotCanvas,
        here: Callable[[], float],
    ) -> None:
        super().__init__()
        self._spectra, self._canvas = spectra, canvas
        self._before: tuple[Window, ...] | None = None  # the windows, before one is drawn by the mouse
        self._known: object = None
        self.sources = PlotSources(session)
        self.look = LookEdit(session)
        self.continuum = ContinuumEdit(session, self._ids, canvas.view_um)
        self.lines = LinesEdit(session, self.span, here)
        self.measure = MeasureEdit(session, canvas.view_um)
        self._edits = {CONTINUUM: self.continuum.windows, SNR: self.measure.snr, LINE: self.measure.line}
        pages = {"Spectra": self.sources, "Look": Scrolled(self.look), "Continuum": Scrolled(self.continuum)}
        for name, page in (pages | {"Lines": self.lines, "Measure": Scrolled(self.measure)}).items():
            self.addTab(page, name)
        for part in (self.look.refused, self.continuum.refused, self.lines.told, self.measure.refused):
            part.connect(self.told)
        self.currentChanged.connect(self.show_windows)
        canvas.windows_dragged.connect(self._on_dragged)
        canvas.window_drawn.connect(self._on_drawn)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Ask for little: pages scroll, and the plot gets what is left."""
        return QSize(*_SIZE)

    def show_state(self) -> None:
        """Show what the session says; does not tell."""
        for part in (self.sources, self.look, self.continuum, self.measure):
            part.show_state()
        self.show_windows()

    def show_windows(self) -> None:
        """Show the windows that the open page is about."""
        self._canvas.show_windows({kind: self._edits[kind].windows for kind in self._kinds()})

    def show_spectra(self) -> bool:
        """Show what depends on which spectra are plotted; return whether these are others than before."""
        known = self._ids(), self.span()
        if known == self._known:
            return False
        self._known = known
        self.continuum.show_state()
        return True

    def span(self) -> Window:
        """Return the range of what is plotted; that of all bands if nothing is."""
        ends = [one.spectrum.wavelength_um[[0, -1]].tolist() for one in self._spectra()]
        return (min(one[0] for one in ends), max(one[1] for one in ends)) if ends else _ALL_BANDS

    def _kinds(self) -> tuple[str, ...]:
        """Return the kinds of windows of the open page; the mouse draws those of the last."""
        return {"Continuum": (CONTINUUM,), "Measure": (SNR, LINE)}.get(self.tabText(self.currentIndex()), ())

    def _ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.id for one in self._spectra()))

    def _on_dragged(self, kind: str, windows: tuple[Window, ...]) -> None:
        self._edits[kind].take(windows)

    def _on_drawn(self, first: float, last: float, is_done: bool) -> None:
        """Add the window that is drawn to those there were when that began."""
        if not (kinds := self._kinds()):
            self.told.emit(_DRAW_HINT)
            return
        edit: WindowsEdit = self._edits[kinds[-1]]
        if self._before is None:
            self._before = edit.windows
        edit.take((*self._before, (first, last)))
        if is_done:
            self._before = None
