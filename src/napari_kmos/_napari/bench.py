"""The work on the offsets of a viewer: every change is a step that can be undone, and layers stand where rows say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from psygnal import Signal

from napari_kmos._napari import alignment
from napari_kmos._napari.align_rows import (
    BY_HAND,
    HEADER,
    REFERENCE,
    AlignRow,
    Identity,
    next_doubtful,
    read_file,
    rows_of,
)
from napari_kmos._napari.anchors import Anchors
from napari_kmos._napari.bench_state import State, named, of_rows
from napari_kmos._napari.history import History
from napari_kmos._napari.layers import ifu_layers, kmos_of
from napari_kmos._napari.positions import offset_of
from napari_kmos.io.decisions import Decisions, read_decisions
from napari_kmos.offset import Offset
from napari_kmos.session import Session

_SAME_ARCSEC = 1e-6


class Bench:
    """Holds offsets, proposals and decisions, and has the layers and apertures follow them.

    Parameters
    ----------
    viewer : ViewerModel
        Its cube layers are what is aligned.
    session : Session
        Its ``offsets`` are those of the bench.

    Attributes
    ----------
    changed : Signal
        After each step, and after rows came or went.
    restored : Signal
        Text, after what was kept on disk was brought back.
    files : tuple of Path
        Files without layers that have rows, too.
    """

    changed = Signal()
    restored = Signal(str)

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self.viewer, self.session = viewer, session
        self.files: tuple[Path, ...] = ()
        self.history = History(State(offsets=session.offsets))
        self._anchors = Anchors(viewer, session)
        self._stood: dict[Identity, tuple[float, float]] = {}
        self._paths: dict[Path, None] = {}
        self._shared = session.offsets
        self._busy = False

    @property
    def state(self) -> State:
        """What is known now."""
        return self.history.state

    def rows(self) -> tuple[AlignRow, ...]:
        """Return the rows, by IFU, then by exposure."""
        return rows_of(self.viewer, self.files, offsets=self.state.offsets, proposals=self.state.proposals)

    def row(self, identity: Identity | None) -> AlignRow | None:
        """Return a row; None if there is none."""
        return next((row for row in self.rows() if row.identity == identity), None)

    def next_doubtful(self, after: Identity | None) -> AlignRow | None:
        """Return the next row that somebody has to look at; None if there is none."""
        return next_doubtful(self.rows(), after)

    def add_files(self, paths: Sequence[Path]) -> None:
        """Give files without layers rows, too.

        Raises
        ------
        KmosError
            If one of them cannot be read; none is added then.
        """
        for path in paths:
            read_file(path)
        self.files = tuple(dict.fromkeys((*self.files, *paths)))
        self.adopt()

    def adopt(self) -> None:
        """Take note of layers and files that came: put them where their rows say, and bring back what was decided."""
        if self._busy:
            return
        rows = self.rows()
        new = [path for path in dict.fromkeys(row.path for row in rows) if path not in self._paths]
        self._paths |= dict.fromkeys(new)
        restored = self.state.restored(rows, read_decisions(new))
        if restored != self.state:
            offsets = set(restored.offsets) - set(self.state.offsets)
            decided = sum(bool(one.decision) for one in offsets)
            self._step(restored, what := f"Restored {len(offsets)} offsets, {decided} of them decided")
            self.restored.emit(what)
        known = {row.identity for row in self.rows() if self.state.has(row)}
        layers = self._layers()
        self._place([identity for identity in layers if identity in known or identity in self._stood])
        self._stood |= {one: (0.0, 0.0) for one in layers if one not in self._stood}
        self.take_over()
        self._anchors.look()
        self.changed.emit()

    def take_over(self) -> None:
        """Take the places of layers that were moved by hand as their offsets: one step."""
        if self._busy:
            return
        moved = {
            identity: layer
            for identity, layer in self._layers().items()
            if not np.allclose(offset_of(layer), self._stood.get(identity, (0, 0)), rtol=0, atol=_SAME_ARCSEC)
        }
        if moved:
            known = {row.identity: row for row in self.rows()}
            rows = [
                _unsure(named(known[one], alignment.offset_row(self.viewer, layer, measured=known[one].proposal)))
                for one, layer in moved.items()
            ]
            self._step(self.state.put(rows), f"Moved {', '.join(layer.name for layer in moved.values())}")

    def decide(self, identity: Identity, decision: str, *, reference: Identity | None = None) -> Offset | None:
        """Accept, reject or skip a row where it stands; what it was compared with is then right by definition.

        Returns
        -------
        Offset, optional
            The row; None if there is no such row any more.
        """
        self.take_over()
        row = self.row(identity)
        if row is None:
            return None
        here = row.offset
        if here.method == HEADER:  # a person looked
            here = self._moved(row, here.dra_arcsec, here.ddec_arcsec)
        decided = dataclasses.replace(named(row, here), accepted=decision == "accepted", decision=decision)
        rows = [decided]
        base = None if reference in (None, identity) else self.row(reference)
        if base is not None and not self.state.has(base):
            fixed = dataclasses.replace(base.offset, method=REFERENCE, err_arcsec=0.0, accepted=True)
            rows.append(named(base, fixed))
        self._step(self.state.put(rows), f"{decision.capitalize()} {row.label}")
        return decided

    def propose(self, found: Mapping[Identity, Offset]) -> int:
        """Take measured offsets as proposals; rows that nobody moved or decided are put there if they are accepted.

        Returns
        -------
        int
            How many were put there.
        """
        proposals, rows = [], []
        for row in self.rows():
            if row.identity in found:
                proposals.append(named(row, found[row.identity]))
                is_free = not row.offset.decision and row.offset.method != BY_HAND
                if is_free and found[row.identity].accepted:
                    rows.append(proposals[-1])
        self._step(self.state.put(rows, proposals), f"Proposals for {len(proposals)} rows")
        return len(rows)

    def take(self, identity: Identity) -> bool:
        """Put a row where it was measured; False if it was not."""
        row = self.row(identity)
        if row is None or row.proposal is None or not np.isfinite(row.proposal.dra_arcsec):
            return False
        self._step(self.state.put([row.proposal]), f"Took the proposal for {row.label}")
        return True

    def move(self, identity: Identity, east: float, north: float) -> None:
        """Put a row at an offset, whether it has a layer or not."""
        row = self.row(identity)
        if row is not None:
            self.put(identity, self._moved(row, east, north))

    def put(self, identity: Identity, offset: Offset) -> None:
        """Put a row where an offset says, measured in whatever way; nothing is decided by that."""
        row = self.row(identity)
        if row is not None:
            self._step(self.state.put([named(row, offset)]), f"Moved {row.label}")

    def read(self, offsets: Sequence[Offset]) -> int:
        """Take offsets of a file; rows it does not have stay. Return how many are for open layers."""
        with self._own():
            n_found = alignment.show_offsets(self.viewer, offsets)
        known = of_rows(self.rows(), offsets)
        usable = [one for one in known if one.accepted or one.decision]
        self._step(self.state.put(usable, [one for one in known if one not in usable]), f"Read {len(offsets)} offsets")
        return n_found

    def replace(self, offsets: Sequence[Offset]) -> None:
        """Take offsets that somebody else put into the session."""
        if not self._busy and offsets is not self._shared:
            known = of_rows(self.rows(), offsets)
            self._step(dataclasses.replace(self.state, offsets=known), "Offsets from elsewhere")

    def undo(self) -> str:
        """Take the last step back, and tell which it was."""
        return self._walked(self.history.undo())

    def redo(self) -> str:
        """Take the last step that was undone again, and tell which it is."""
        return self._walked(self.history.redo())

    def look_at_apertures(self) -> None:
        """Take note of apertures that were set, moved or removed."""
        if not self._busy:
            self._anchors.look()

    def written(self) -> tuple[Offset, ...]:
        """Return what a table of offsets holds: the offsets, and proposals of rows that have no other; whole paths."""
        only = [row.proposal for row in self.rows() if row.proposal is not None and not self.state.has(row)]
        return alignment.with_rows(self.state.offsets, only)

    def known(self) -> dict[Path, Decisions]:
        """Return what is known of each file that is or was open, to be kept."""
        return {path: self.state.of_file(path) for path in self._paths}

    def _moved(self, row: AlignRow, east: float, north: float) -> Offset:
        """Return the offset of a row that somebody put there: as it was measured, if that is the place."""
        return _unsure(named(row, alignment.placed(row.cube, east, north, measured=row.proposal)))

    def _step(self, state: State, what: str) -> None:
        self.history.push(state, what)
        self._follow()

    def _walked(self, what: str) -> str:
        if what:
            self._follow()
        return what

    def _follow(self) -> None:
        """Have session, layers and apertures follow the state."""
        with self._own():
            self.session.offsets = self._shared = alignment.short_names(self.state.offsets)
        self._place(list(self._layers()))
        self.changed.emit()

    def _place(self, identities: Iterable[Identity]) -> None:
        """Put layers where their rows say, and apertures along with them."""
        rows = {row.identity: row.offset for row in self.rows()}
        layers = self._layers()
        moves = {}
        with self._own():
            self._anchors.look()
            for identity in identities:
                offset = rows[identity]
                place = offset.dra_arcsec, offset.ddec_arcsec
                if not np.isfinite(place).all():
                    continue
                if not np.allclose(offset_of(layers[identity]), place, rtol=0, atol=_SAME_ARCSEC):
                    alignment.move_all(self.viewer, layers[identity], *place)
                east, north = self._stood.get(identity, place)
                self._stood[identity] = place
                if place != (east, north):
                    moves[identity] = place[0] - east, place[1] - north
            self._anchors.follow(moves)

    def _layers(self) -> dict[Identity, Layer]:
        """Return a layer of each IFU that has one."""
        return {kmos_of(layer).identity: layer for layer in reversed(ifu_layers(self.viewer))}

    @contextmanager
    def _own(self) -> Iterator[None]:
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before


def _unsure(offset: Offset) -> Offset:
    """Return an offset that waits for a decision: what was moved by hand is not vouched for by a measurement."""
    return dataclasses.replace(offset, accepted=offset.accepted and offset.method != BY_HAND)
