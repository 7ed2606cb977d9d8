"""Keeps what was decided on disk, soon after each change and without holding up the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal

from napari_kmos._napari.bench import Bench
from napari_kmos._napari.errors import notified
from napari_kmos._napari.workers import Latest
from napari_kmos.io.decisions import NAME, Decisions, write_decisions

#: What was written, and where.
Written = tuple[Mapping[Path, Decisions], tuple[Path, ...]]

#: Changes that come together are written once; well within a second of the first.
_PATIENCE_MS = 250


class Keeper(QObject):
    """Writes the decisions of a bench after each change of it.

    Parameters
    ----------
    bench : Bench
        What is kept.
    """

    #: Where it is kept: paths, each once.
    kept = Signal(object)
    failed = Signal(object)

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench
        self._places: set[Path] = set()
        self._last: dict[Path, Decisions] = {}
        self._work = Latest()
        self._work.ready.connect(self._on_written)
        self._work.failed.connect(self.failed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PATIENCE_MS)
        self._timer.timeout.connect(self._on_time)

    def schedule(self) -> None:
        """Write soon; a change that comes meanwhile is written, too, and does not put it off."""
        if not self._timer.isActive():
            self._timer.start()

    def finish(self) -> None:
        """Write now what waits to be written."""
        if self._timer.isActive():
            self._timer.stop()
            with notified():
                self._on_written(_write(self._new()))

    def _on_time(self) -> None:
        known = self._new()
        self._work.request(lambda _progress: _write(known))

    def _new(self) -> dict[Path, Decisions]:
        """Return what is not as it was written the last time; nothing is written of files nobody touched."""
        known = self._bench.known()
        return {path: one for path, one in known.items() if one != self._last.get(path, Decisions())}

    def _on_written(self, answer: Written) -> None:
        known, places = answer
        self._last |= known
        new = tuple(place for place in places if place not in self._places)
        self._places.update(new)
        if new:
            self.kept.emit(new)


def where_kept(places: Sequence[Path]) -> str:
    """Tell where decisions are kept."""
    others = [str(place) for place in places if place.name != NAME]
    return f"{', '.join(others)}: the data's folder cannot be written to" if others else f"{NAME} beside the data"


def _write(known: Mapping[Path, Decisions]) -> Written:
    """Write, and tell what was written where."""
    return known, write_decisions(known)
