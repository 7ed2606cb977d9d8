"""What is seen of the selected apertures and beneath the cursor: spectra in the plot, spaxels over the cubes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from qtpy.QtCore import QObject, QTimer

from napari_kmos._napari import live
from napari_kmos._napari.extracting import snr_by_id
from napari_kmos._napari.live import NOTHING, Hover
from napari_kmos._napari.pixels import hide_pixels, pixels_of, show_pixels
from napari_kmos._napari.pointing import Pointer
from napari_kmos._napari.under import cube_holding
from napari_kmos._napari.widgets.aperture_table import Known
from napari_kmos._napari.widgets.live_plot import LivePlot
from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.errors import KmosError
from napari_kmos.extract import PSF_METHODS, ExtractParameters
from napari_kmos.io.source import Box
from napari_kmos.session import Session
from napari_kmos.spectrum import StarSpectrum

_UNFITTED = "the sum over the aperture, until Extract all fits it"
#: Between two drawings of the spaxels, for the hand that drags.
_PAUSE_MS = 40


class LiveView(QObject):
    """Asks for spectra whenever something was pointed at, and draws what they are made of.

    Parameters
    ----------
    pointer : Pointer
        Knows the apertures and the cursor.
    session : Session
        How spectra are taken.
    plot : LivePlot
        Where they are drawn.
    """

    def __init__(self, pointer: Pointer, session: Session, plot: LivePlot) -> None:
        super().__init__()
        self.pointer, self.session, self.plot = pointer, session, plot
        self.shows_pixels = True
        self._box: Box | None = None
        self._drawing = QTimer(self, singleShot=True, interval=_PAUSE_MS)
        self._drawing.timeout.connect(self.show_pixels)

    @property
    def parameters(self) -> ExtractParameters:
        """How spectra are taken."""
        return self.session.extract_parameters or ExtractParameters()

    def request(self) -> None:
        """Ask for the spectra of the selected apertures; those of a fit of all stars serve until one is moved."""
        wanted, cubes = self.pointer.sync.selected(), live.cubes_as_seen(self.pointer.viewer)
        method = self.session.extract_method
        fitted = self._fitted() if method in PSF_METHODS else {}
        ready = tuple(fitted[one.id] for one in wanted if one.id in fitted and fitted[one.id].aperture == one)
        if ready and len(ready) == len(wanted):
            self.plot.request(wanted, lambda progress: ready)
            return
        stars = ", ".join(one.id for one in wanted if one.kind == "star")
        note = f"{stars}: {_UNFITTED} by {method}" if stars and method in PSF_METHODS else ""
        known, parameters = self.session.apertures, self.parameters
        self.plot.request(wanted, partial(live.spectra_of, cubes, wanted, known, parameters), note=note)
        if wanted:
            self._read_ahead(cubes, wanted[0])

    def hover(self) -> None:
        """Ask for the spectrum beneath the cursor."""
        found = None if self.session.hovering == NOTHING else self.pointer.cursor()
        if found is None:
            self.plot.show_hovered(None)
            return
        under, aperture = found
        hover = Hover(cube=under.cube, aperture=aperture, how=self.session.hovering)
        self.plot.request_hover(partial(live.hover_curve, hover, self.session.apertures, self.parameters))
        self._read_ahead([under.cube], aperture)

    def show_pixels(self) -> None:
        """Draw the spaxels that the first of the selected apertures takes, or none."""
        selected, viewer = self.pointer.sync.selected(), self.pointer.viewer
        star = selected[0] if self.shows_pixels and selected else None
        under = None if star is None else cube_holding(viewer, star.ra, star.dec)
        if star is None or under is None or star.kind != "star":
            hide_pixels(viewer)
            return
        shown = next((one for one in self.plot.spectra if one.aperture == star), None)
        known = list(self.session.apertures)
        try:
            show_pixels(viewer, under, pixels_of(under, star, known, self.parameters, spectrum=shown))
        except KmosError:  # told with the spectrum
            hide_pixels(viewer)

    def show_pixels_soon(self) -> None:
        """Draw the spaxels in a moment: napari takes longer for it than a step of a drag may, so not at each."""
        if not self._drawing.isActive():
            self._drawing.start()

    def switch_pixels(self, on: bool) -> None:
        """Draw the spaxels from now on, or no more."""
        self.shows_pixels = on
        self.show_pixels()

    def hide(self) -> None:
        """Take away what is drawn over the cubes, and what is beneath the cursor."""
        self._drawing.stop()
        hide_pixels(self.pointer.viewer)
        self.plot.show_hovered(None)

    def known(self) -> Known:
        """Return what is known of the spectra of all apertures, the live ones first."""
        spectra = (*self.plot.spectra, *self.session.spectra)
        remarks: dict[str, str] = {}
        for one in spectra:
            remarks.setdefault(one.aperture.id, _remark(one))
        before = self.session.snr_before
        change = {id_: snr / before[id_] for id_, snr in snr_by_id(self.session.spectra).items() if before.get(id_)}
        return Known(snr=snr_by_id(spectra), change=change, remarks=remarks)

    def _read_ahead(self, cubes: Sequence[Cube], aperture: Aperture) -> None:
        """Have what lies around an aperture read unless it is there; of a file that vanished its spectrum tells."""
        with suppress(KmosError):
            if ahead := live.ahead_of(cubes, aperture, self.parameters, before=self._box):
                self._box = ahead[1]
                self.plot.request_ahead(partial(live.read_ahead, *ahead))

    def _fitted(self) -> dict[str, StarSpectrum]:
        """Return the last spectra by the method in use, of the first cube of each."""
        found: dict[str, StarSpectrum] = {}
        for one in self.session.spectra:
            if one.method == self.session.extract_method:
                found.setdefault(one.aperture.id, one)
        return found


def _remark(spectrum: StarSpectrum) -> str:
    """Tell what is missing of a spectrum, and with which stars it is blended."""
    blended = () if spectrum.psf is None else tuple(spectrum.psf.blended)
    told = f"blended with {', '.join(blended)}" if blended and "blended" not in spectrum.note else ""
    return "; ".join(part for part in (spectrum.note, told) if part)
