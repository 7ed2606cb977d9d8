"""The plot of the spectra that follow the apertures and the cursor: asked for, awaited, drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from napari.components import ViewerModel
from qtpy.QtCore import Signal

from napari_kmos._napari import commands, live
from napari_kmos._napari.curves import Curve
from napari_kmos._napari.errors import notify
from napari_kmos._napari.plots import SpectrumPlot
from napari_kmos._napari.workers import Latest, begin_thread
from napari_kmos.aperture import Aperture
from napari_kmos.errors import KmosError
from napari_kmos.spectrum import StarSpectrum

Spectra: TypeAlias = tuple[StarSpectrum, ...]

_OUTSIDE = "no visible cube has data there"


class LivePlot(SpectrumPlot):
    """Spectra of the selected apertures and of what is beneath the cursor.

    Moved again before they are there, they are asked for anew; what lies around is read meanwhile.
    """

    #: The spectra are drawn; what is to be said of them, if anything.
    answered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.spectra: Spectra = ()
        self.hovered: Curve | None = None
        self._told, self._names_method = "", False
        self.latest, self.hover, self.ahead = Latest(), Latest(), Latest()
        self.latest.ready.connect(self._on_ready)
        self.latest.failed.connect(self._on_failed)
        self.hover.ready.connect(self.show_hovered)
        begin_thread(live.prepare)

    def request(self, wanted: tuple[Aperture, ...], extract: Callable[..., Spectra], *, note: str = "") -> None:
        """Ask for the spectra of some apertures, which ``extract(progress=...)`` returns, in a thread.

        The note is said of them when they are there; with one, their names tell the method.
        """
        self.latest.request(lambda progress: (wanted, extract(progress=progress), note))

    def request_hover(self, read: Callable[..., Curve]) -> None:
        """Ask for the spectrum beneath the cursor, which ``read(progress=...)`` returns, in a thread."""
        self.hover.request(lambda progress: read(progress=progress))

    def request_ahead(self, read: Callable[[], None]) -> None:
        """Have ``read()`` read what may be wanted soon, in a thread; not given up, or a drag would let none end."""
        self.ahead.request(lambda _progress: read())

    def show_hovered(self, curve: Curve | None) -> None:
        """Draw what is beneath the cursor beside the spectra of the apertures; None takes it away."""
        if curve is not self.hovered:
            self.hovered = curve
            self._draw_all()

    def show_slider(self, viewer: ViewerModel) -> None:
        """Put the marker at the wavelength that the slider of a viewer shows."""
        grid = commands.wavelengths_um(viewer)
        self.show_marker(commands.current_wavelength(viewer), None if grid is None else (grid[0], grid[-1]))

    def _on_ready(self, answer: tuple[tuple[Aperture, ...], Spectra, str]) -> None:
        wanted, spectra, note = answer
        outside = () if spectra else wanted[:1]
        notes = [
            *(f"{one.aperture.id}: {one.note}" for one in spectra if one.note),
            *(f"{one.id}: {_OUTSIDE}" for one in outside),
        ]
        self._names_method = bool(note)
        self._show(spectra, "; ".join([*([note] if note else []), *notes]))

    def _on_failed(self, problem: BaseException) -> None:
        """Say why there is no spectrum, and show none: a notification a step of the mouse would bury the user."""
        text = str(problem)
        if not isinstance(problem, KmosError) and text != self._told:
            notify(problem)
            self._told = text
        self._show((), text)

    def _show(self, spectra: Spectra, text: str) -> None:
        self.spectra = spectra
        self._draw_all()
        self.answered.emit(text)

    def _draw_all(self) -> None:
        curves, unit = live.curves_of(self.spectra, with_method=self._names_method)
        beneath = [] if self.hovered is None else [self.hovered]
        self.show_curves([*curves, *beneath], unit=unit or next((one.unit for one in beneath), ""))
