"""Keeps what was decided on disk, soon after each change and without holding up the window."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from weakref import ref

from napari.components import ViewerModel
from psygnal import EmissionInfo
from qtpy.QtCore import QEvent, QObject, QTimer, Signal

from napari_kmos._napari import bench_state
from napari_kmos._napari.errors import notified, notify
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.session import log_of, session_of
from napari_kmos._napari.stage import stage_of
from napari_kmos._napari.workers import Latest
from napari_kmos.io.decisions import NAME, Decisions, write_decisions
from napari_kmos.io.session_file import DataFile, known_file, left_open, new_places
from napari_kmos.progress import Progress
from napari_kmos.session import Alignment, decisions, kinds_of_decisions
from napari_kmos.session.saved import data_files, save

#: Changes that come together are written once; well within a second of the first.
_PATIENCE_MS = 250


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Order:
    """What is to be written: decisions to one of some places, if there are any, and what is known of data files."""

    turn: int
    values: Mapping[str, Any]
    places: tuple[Path, ...]
    files: tuple[Path, ...]
    known: Mapping[Path, Decisions]
    is_closed: bool


#: Where the session was written, if at all; what was written of data files, and where.
_Written = tuple[Path | None, Mapping[Path, Decisions], tuple[Path, ...]]


class Keeper(QObject):
    """Writes the session of a viewer after each change, and what is known of each data file beside that.

    The session is one file, for this viewer; what was decided of the offsets of a data file is kept for whoever opens
    that file next.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly, as the keeper goes with it.
    """

    #: Where offsets are kept: paths, each once.
    kept = Signal(object)
    #: Where the session is kept, after each time it was written.
    saved = Signal(object)
    #: A session on the files that are open, which nobody closed: its path.
    offered = Signal(object)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer, self._session, self._log = ref(viewer), session_of(viewer), log_of(viewer)
        stage_of(viewer)
        self.place: Path | None = None
        self.offer: Path | None = None
        self._began = datetime.now().astimezone()
        self._places: set[Path] = set()
        self._last: dict[Path, Decisions] = {}
        self._looked: set[Path] = set()
        self._sums: dict[Path, DataFile] = {}
        self._before: Mapping[str, Any] | None = None
        self._is_closed = False
        self._turn, self._written, self._lock = 0, 0, threading.Lock()
        self._work, self._summing, self._looking = Latest(), Latest(), Latest()
        self._timer = QTimer(self, singleShot=True, interval=_PATIENCE_MS)
        self._connect(viewer)

    def schedule(self) -> None:
        """Write soon; a change that comes meanwhile is written, too, and does not put it off."""
        if not self._timer.isActive() and not self._is_closed:
            self._timer.start()

    def finish(self) -> None:
        """Write now what waits to be written."""
        if self._timer.isActive():
            self._timer.stop()
            with notified():
                self._on_written(self._write(self._order()))

    def close(self) -> None:
        """Write the session as one that was closed, as it was before its layers were removed, if they were just now."""
        self._timer.stop()
        self._is_closed = True
        with notified():
            self._on_written(self._write(self._order()))

    def go_on_in(self, place: Path | None) -> None:
        """Keep the session in a file from now on, or in a new one; what is known of data files is as it is kept."""
        self.place, self._began = place, datetime.now().astimezone()
        self._last = self._of_files(self._session.alignment)
        self.schedule()

    def known_files(self, paths: Iterable[Path]) -> list[DataFile]:
        """Return data files with the checksums that are known."""
        return [self._sums.get(path) or known_file(path, with_checksum=False) for path in paths]

    def leave(self) -> None:
        """Offer no more what was offered."""
        self.offer = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Take note that the window is closed, or after all is not."""
        if event.type() == QEvent.Type.Close and not self._is_closed:
            self.close()
            QTimer.singleShot(0, self._on_asked)
        return super().eventFilter(watched, event)

    def _connect(self, viewer: ViewerModel) -> None:
        self._timer.timeout.connect(self._on_time)
        self._work.ready.connect(self._on_written)
        self._summing.ready.connect(self._on_summed)
        self._looking.ready.connect(self._on_looked)
        for work in (self._work, self._summing):
            work.failed.connect(notify)
        self._session.events.connect(self._on_event)
        viewer.layers.events.removing.connect(self._on_removing)
        window = getattr(viewer, "window", None)
        if window is not None:
            window._qt_window.installEventFilter(self)  # napari tells nobody that it closes
        self._look()

    def _on_event(self, info: EmissionInfo) -> None:
        if info.signal.name in kinds_of_decisions():
            self.schedule()
        if info.signal.name == "files":
            self._look()

    def _on_removing(self) -> None:
        """Remember what is there: a window that closes removes its layers first, in the same turn of the event loop."""
        if self._before is None:
            self._before = decisions(self._session)
            QTimer.singleShot(0, self._forget)

    def _forget(self) -> None:
        self._before = None

    def _look(self) -> None:
        """Look for sessions on files that were opened."""
        new = [path for path in self._session.files if path not in self._looked]
        if new:
            self._looked.update(new)
            self._looking.request(lambda _progress: left_open(new))

    def _on_looked(self, found: Sequence[Path]) -> None:
        if found and self.offer is None:
            self.offer = found[0]
            notify(f"{self.offer.name} was not closed: the dock Session can restore it")
            self.offered.emit(self.offer)

    def _on_asked(self) -> None:
        """Go on if somebody did not want the window to be closed after all."""
        viewer = self._viewer()
        window = None if viewer is None else getattr(viewer.window, "_qt_window", None)
        if window is not None and window.isVisible():
            self._is_closed = False
            self.schedule()

    def _on_time(self) -> None:
        order = self._order()
        self._work.request(lambda _progress: self._write(order))

    def _order(self) -> _Order:
        """Return what is to be written now."""
        values = self._before if self._before is not None else decisions(self._session)
        files, known = data_files(values), self._of_files(values["alignment"])
        is_kept = self.place is not None or (files and self._log.is_worth_keeping)
        self._turn += 1
        return _Order(
            turn=self._turn,
            values=values,
            places=() if not is_kept else (self.place,) if self.place else new_places(files, self._began),
            files=files,
            known={path: one for path, one in known.items() if one != self._last.get(path, Decisions())},
            is_closed=self._is_closed,
        )

    def _write(self, order: _Order) -> _Written:
        """Write, unless something newer was written; in a thread or not."""
        with self._lock:
            if order.turn < self._written:
                return None, {}, ()
            self._written = order.turn
            how = {"files": self.known_files(order.files), "is_closed": order.is_closed}
            place = save(order.values, order.places, **how) if order.places else None
            return place, order.known, write_decisions(order.known)

    def _of_files(self, known: Alignment) -> dict[Path, Decisions]:
        """Return what is known of each file that is or was open."""
        files = dict.fromkeys((*self._looked, *self._session.row_files))
        return {path: bench_state.of_file(known, path) for path in files if path.is_absolute()}

    def _on_written(self, answer: _Written) -> None:
        place, known, places = answer
        self._last |= known
        if place is not None:
            self.place = place
            self.saved.emit(place)
            self._sum()
        new = tuple(one for one in places if one not in self._places)
        self._places.update(new)
        if new:
            self.kept.emit(new)

    def _sum(self) -> None:
        """Compute the checksums of files that have none, which takes longer than a decision may wait."""
        new = [path for path in data_files(decisions(self._session)) if path not in self._sums]
        if new:
            self._summing.request(partial(_known_files, new))

    def _on_summed(self, files: Iterable[DataFile]) -> None:
        self._sums |= {one.path: one for one in files}
        self.schedule()


def _known_files(paths: Sequence[Path], progress: Progress) -> list[DataFile]:
    found = []
    for number, path in enumerate(paths):
        progress(number, len(paths), f"checksum of {path.name}")
        found.append(known_file(path))
    return found


@once_a_viewer
def keeper_of(viewer: ViewerModel) -> Keeper:
    """Keep the session of a viewer from now on; once for each viewer."""
    return Keeper(viewer)


def where_kept(places: Sequence[Path]) -> str:
    """Tell where decisions are kept."""
    others = [str(place) for place in places if place.name != NAME]
    return f"{', '.join(others)}: the data's folder cannot be written to" if others else f"{NAME} beside the data"
