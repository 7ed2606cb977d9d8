"""The spectra of the plot: read from files, extracted as they are seen, made ready to be drawn; in threads."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari.components import ViewerModel
from qtpy.QtCore import QObject, QTimer, Signal

from napari_kmos._napari import live
from napari_kmos._napari.errors import notify, overheard
from napari_kmos._napari.workers import Latest
from napari_kmos.aperture import Aperture
from napari_kmos.errors import KmosError
from napari_kmos.extract import ExtractParameters
from napari_kmos.io import read_line_list
from napari_kmos.measure import LineFit, LineParameters
from napari_kmos.measure.line_window import fit_window
from napari_kmos.progress import Progress
from napari_kmos.recipes.star_spectra import read_star_spectra
from napari_kmos.report.traces import Continuum, Look, Sourced, Trace, Traces, fit_trace, prepare_traces
from napari_kmos.session import Session
from napari_kmos.spectral.lines import moved_lines
from napari_kmos.spectral.windows import Window
from napari_kmos.spectrum import SpectralLine

#: Where spectra come from that are in no file.
LIVE, LIST = "as seen", "list"
#: While windows are dragged, continua are fitted for so long a step, so that plot and hand stay together.
_STEP_S = 0.006
#: Those of the other stars are fitted when the hand has rested for so long.
_REST_MS = 300


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Drawn:
    """What is to be drawn.

    Parameters
    ----------
    traces : Traces
        The spectra.
    fit : LineFit, optional
        The line in the window of the session, of the first spectrum that is selected.
    fitted : Trace, optional
        How it lies on that spectrum.
    """

    traces: Traces
    fit: LineFit | None = None
    fitted: Trace | None = None


class Plotted(QObject):
    """What is plotted, kept as the session says; asked for again before it is there, only the newest is made.

    Parameters
    ----------
    viewer : ViewerModel
        Its visible cubes are what is seen.
    session : Session
        Says which spectra, and how they are looked at.
    """

    #: A `Drawn`.
    ready = Signal(object)
    #: Why something is not there, if anything.
    told = Signal(str)

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        super().__init__()
        self._viewer, self._session = viewer, session
        self._drawn: tuple[Drawn, Mapping[str, Continuum]] | None = None
        self._steps = 0
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self.prepare)
        self._files: tuple[Sourced, ...] = ()
        self._live: tuple[Sourced, ...] = ()
        self._reading, self._seeing, self._preparing = Latest(), Latest(), Latest()
        self._reading.ready.connect(self._on_read)
        self._seeing.ready.connect(self._on_seen)
        self._preparing.ready.connect(self._on_prepared)
        self._reading.failed.connect(self._on_unread)
        self._seeing.failed.connect(self._on_unseen)
        self._preparing.failed.connect(self._on_failed)

    def spectra(self) -> tuple[Sourced, ...]:
        """Return what is plotted: files first, then the list, then what is seen."""
        listed = self._session.spectra if self._session.plots_list else ()
        from_list = tuple(Sourced(spectrum=one, source=LIST) for one in listed)
        return (*self._files, *from_list, *(self._live if self._session.plots_live else ()))

    def read(self) -> None:
        """Read the files of the session."""
        files = self._session.plotted
        self._reading.request(functools.partial(_read, files))

    def look(self) -> None:
        """Extract the selected stars from what is seen."""
        session = self._session
        wanted = tuple(one for one in session.apertures if one.id in session.selected)
        if not (session.plots_live and wanted):
            self._on_seen(())
            return
        cubes, how = live.cubes_as_seen(self._viewer), session.extract_parameters or ExtractParameters()
        known: tuple[Aperture, ...] = session.apertures
        self._seeing.request(lambda progress: live.spectra_of(cubes, wanted, known, how, progress=progress))

    def prepare(self) -> None:
        """Make what is plotted ready to be drawn."""
        session = self._session
        self._rest.stop()
        look, continua, step = session.look or Look(), dict(session.continua), self._steps
        spectra, fit = self.spectra(), None
        place = chosen_place(spectra, session.selected)
        if session.fit_um is not None and place is not None:
            how = LineParameters(profile=session.fit_profile)
            known = {"lines": lines_of(session), "velocity_kms": session.velocity_kms, "parameters": how}
            fit = functools.partial(fit_window, spectra[place].spectrum, session.fit_um, **known)
        self._preparing.request(lambda _progress: (_prepared(spectra, look, continua, place, fit), continua, step))

    def follow(self) -> None:
        """Draw anew at once as continua change: those of the selected stars first, what takes long after a rest.

        A thread would have to wait while the plot is painted with windows that have moved and spectra that have not.
        """
        spectra, wanted = self.spectra(), self._session.continua
        if self._drawn is None or not (self._session.look or Look()).normalised:
            self.prepare()
            return
        self._steps += 1
        continua = _in_time(spectra, self._session, self._drawn[1])
        place, fit = chosen_place(spectra, self._session.selected), self._drawn[0].fit
        kept = None if fit is None or place is None else lambda: fit
        drawn = _prepared(spectra, self._session.look, continua, place, kept)
        self._on_prepared((drawn, continua, self._steps))
        if continua != wanted:
            self._rest.start()

    def _on_read(self, answer: tuple[tuple[Sourced, ...], str]) -> None:
        self._files, text = answer
        self.told.emit(text)
        self.prepare()

    def _on_unread(self, problem: BaseException) -> None:
        self._on_read(((), _text(problem)))

    def _on_unseen(self, problem: BaseException) -> None:
        self._on_seen(())
        self._on_failed(problem)

    def _on_seen(self, spectra: Sequence) -> None:
        self._live = tuple(Sourced(spectrum=one, source=LIVE) for one in spectra)
        self.prepare()

    def _on_prepared(self, answer: tuple[Drawn, Mapping[str, Continuum], int]) -> None:
        drawn, continua, step = answer
        if step != self._steps:  # windows were dragged since it was asked for
            self._rest.start()
            return
        self._drawn = drawn, continua
        self.ready.emit(drawn)
        if drawn.traces.notes:
            self.told.emit("; ".join(drawn.traces.notes))

    def _on_failed(self, problem: BaseException) -> None:
        self.told.emit(_text(problem))


def _text(problem: BaseException) -> str:
    """Return what is said of a problem; one of the user's is said in the dock alone, as it may come with every move."""
    return str(problem) if isinstance(problem, KmosError) else notify(problem)


def chosen_place(spectra: Sequence[Sourced], selected: Sequence[str]) -> int | None:
    """Return the place of the first spectrum of a selected star, else of the first of all; None if there is none."""
    places = range(len(spectra))
    return next((place for place in places if spectra[place].id in selected), next(iter(places), None))


def lines_of(session: Session) -> tuple[SpectralLine, ...]:
    """Return the lines of a session: its own, or the packaged list."""
    return _packaged() if session.lines is None else session.lines


@functools.cache
def _packaged() -> tuple[SpectralLine, ...]:
    return read_line_list()


def marked_lines(session: Session, span_um: Window) -> tuple[SpectralLine, ...]:
    """Return the lines that are marked, as they are seen at the velocity of the session, in a range of wavelengths."""
    moved = moved_lines((line for line in lines_of(session) if line.marked), session.velocity_kms)
    return tuple(line for line in moved if span_um[0] <= line.wavelength_um <= span_um[1])


def _read(files: Sequence[Path], progress: Progress) -> tuple[tuple[Sourced, ...], str]:
    """Read files, and tell what of them cannot be used."""
    if not files:
        return (), ""
    with overheard() as heard:
        given = read_star_spectra(files, progress)
    several = len({one.path.parent for one in given}) > 1
    names = [f"{one.path.parent.name}/{one.path.name}" if several else one.path.name for one in given]
    spectra = (
        Sourced(spectrum=one.spectrum, source=name) for one, name in zip(given, names, strict=True) if one.spectrum
    )
    return tuple(spectra), "; ".join(heard)


def _prepared(spectra, look, continua, place, fit) -> Drawn:
    """Make spectra ready, and fit the line of one of them."""
    traces = prepare_traces(spectra, look=look, continua=continua)
    found = None if fit is None else fit()
    if found is None or found.reason or len(traces.spectra) != len(spectra):
        return Drawn(traces=traces, fit=found)
    return Drawn(traces=traces, fit=found, fitted=fit_trace(traces.spectra[place], found))


def _in_time(spectra: Sequence[Sourced], session: Session, before: Mapping[str, Continuum]) -> Mapping[str, Continuum]:
    """Fit the continua for which there is time, of one star at least; return these, and those before of the others."""
    start, continua = time.perf_counter(), dict(before)
    for one in sorted(spectra, key=lambda one: one.id not in session.selected):
        new = session.continua.get(one.id)
        if new is None or new == continua.get(one.id):
            continue
        if continua != before and time.perf_counter() - start > _STEP_S:
            break
        same = [other for other in spectra if other.id == one.id]
        prepare_traces(same, look=session.look, continua={one.id: new})  # kept there
        continua[one.id] = new
    return continua
