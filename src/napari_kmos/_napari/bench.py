"""The work on the offsets of a viewer: every change is a step that can be undone, and layers stand where rows say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer
from numpy.typing import NDArray
from psygnal import Signal

from napari_kmos._napari import alignment, bench_state
from napari_kmos._napari.align_rows import (
    BY_CLICKS,
    BY_HAND,
    HEADER,
    AlignRow,
    Identity,
    read_file,
    rows_of,
)
from napari_kmos._napari.anchors import Anchors
from napari_kmos._napari.bench_state import named, place_of
from napari_kmos._napari.layers import layers_by_identity
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.session import log_of
from napari_kmos._napari.stage import stage_of
from napari_kmos.io.decisions import read_decisions
from napari_kmos.offset import Offset
from napari_kmos.session import Alignment, Session
from napari_kmos.words import counted

_SAME_ARCSEC = 1e-6


class Bench:
    """Holds offsets, proposals and decisions, and has the layers and apertures follow them.

    Parameters
    ----------
    viewer : ViewerModel
        Its cube layers are what is aligned.
    session : Session
        Its ``alignment`` is what the bench works on.

    Attributes
    ----------
    changed : Signal
        After each step, whoever took it, and after rows came or went.
    restored : Signal
        Text, after what was kept on disk was brought back.
    by_half : bool
        Whether what is moved by hand and decided holds for all exposures of an IFU in the same epoch and half.
    zero_of : callable
        Tells of all rows and one of them what that is counted from while it is moved by hand.
    """

    changed = Signal()
    restored = Signal(str)

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self.viewer, self.session = viewer, session
        self.by_half = False
        self.zero_of: Callable[[Sequence[AlignRow], AlignRow], str] = lambda _rows, _row: ""
        self.log, self._stage = log_of(viewer), stage_of(viewer)
        self._anchors = Anchors(viewer, session)
        self._adopted: WeakSet[Layer] = WeakSet()
        self._paths: set[Path] = set()
        self._busy = False
        self.log.walked.connect(self._on_walked)

    @property
    def state(self) -> Alignment:
        """What is known now."""
        return self.session.alignment

    @property
    def files(self) -> tuple[Path, ...]:
        """Files without layers that have rows, too; one that is gone has none until it is back."""
        return tuple(path for path in self.session.row_files if path.is_file())

    def rows(self) -> tuple[AlignRow, ...]:
        """Return the rows, by IFU, then by exposure; those too that are there to be compared with only."""
        return rows_of(self.viewer, self.files, offsets=self.state.offsets, proposals=self.state.proposals)

    def row(self, identity: Identity | None) -> AlignRow | None:
        """Return a row; None if there is none."""
        return next((row for row in self.rows() if row.identity == identity), None)

    def add_files(self, paths: Sequence[Path]) -> None:
        """Give files without layers rows, too.

        Raises
        ------
        KmosError
            If one of them cannot be read; none is added then.
        """
        for path in paths:
            read_file(path)
        self.session.row_files = tuple(dict.fromkeys((*self.session.row_files, *paths)))
        self.adopt()

    def set_by_half(self, by_half: bool) -> None:
        """Choose whether the exposures of a half are moved and decided together."""
        self.by_half = by_half

    def adopt(self) -> None:
        """Take note of layers and files that came: put them where their rows say, and bring back what was decided."""
        if self._busy:
            return
        rows = self.rows()
        new = [path for path in dict.fromkeys(row.path for row in rows) if path not in self._paths]
        self._paths.update(new)
        restored = bench_state.restored(self.state, rows, read_decisions(new))
        if restored != self.state:
            offsets = set(restored.offsets) - set(self.state.offsets)
            decided = sum(bool(one.decision) for one in offsets)
            what = f"Restored {counted(len(offsets), 'offset')}, {decided} of them decided"
            self._step(restored, what, by_itself=True)
            self.restored.emit(what)
        known = {row.identity for row in self.rows() if bench_state.has(self.state, row)}
        layers = layers_by_identity(self.viewer)
        self._stage.place([one for one, layer in layers.items() if one in known and layer not in self._adopted])
        self._adopted.update(layers.values())
        self.take_over()
        self._anchors.look()
        self.changed.emit()

    def take_over(self) -> None:
        """Take the places of layers that were moved by hand as their offsets: one step."""
        if self._busy:
            return
        known = {row.identity: row for row in self.rows()}
        moved = {
            known[one]: layer
            for one, layer in layers_by_identity(self.viewer).items()
            if not np.allclose(offset_of(layer), place_of(known[one]), rtol=0, atol=_SAME_ARCSEC)
        }
        if moved:
            rows = [
                self._told(row, alignment.offset_row(self.viewer, layer, measured=row.proposal))
                for row, layer in moved.items()
            ]
            for row, layer in moved.items():
                by = np.subtract(offset_of(layer), place_of(row))
                others = [one for one in self._half_of(known.values(), row) if one not in moved]
                rows += [self._moved(one, *(place_of(one) + by)) for one in others]
            self._step(bench_state.put(self.state, rows), f"Moved {', '.join(layer.name for layer in moved.values())}")

    def decide(
        self, identity: Identity, decision: str, *, reference: Identity | None = None, whole: bool = False
    ) -> Offset | None:
        """Decide of a row, or its exposure; what it was compared with is then right by definition. None: it is gone."""
        self.take_over()
        known, row = self.rows(), self.row(identity)
        if row is None:
            return None
        along = bench_state.others_of_file if whole else self._half_of
        chosen = [row, *(one for one in along(known, row) if one.identity != reference)]
        rows = [self._decided(one, decision) for one in chosen]
        base = None if reference in (None, identity) else self.row(reference)
        if base is not None and base.is_listed and not bench_state.has(self.state, base):
            rows.append(bench_state.right(base))
        self._step(bench_state.put(self.state, rows), f"{decision.capitalize()} {row.label}")
        return rows[0]

    def propose(self, found: Mapping[Identity, Offset], zeros: Mapping[Identity, str] | None = None) -> int:
        """Take measured offsets as proposals; rows that nobody moved or decided are put there if they are accepted.

        Returns
        -------
        int
            How many were put there.
        """
        rows, proposals = bench_state.proposed(self.rows(), found, zeros or {})
        self._step(bench_state.put(self.state, rows, proposals), f"Proposals for {counted(len(proposals), 'row')}")
        return len(rows)

    def take(self, identity: Identity) -> bool:
        """Put a row where it was measured; False if it was not."""
        row = self.row(identity)
        if row is None or row.proposal is None or not np.isfinite(row.proposal.dra_arcsec):
            return False
        self._step(bench_state.put(self.state, [row.proposal]), f"Took the proposal for {row.label}")
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
            self._step(bench_state.put(self.state, [self._told(row, offset)]), f"Moved {row.label}")

    def read(self, offsets: Sequence[Offset]) -> int:
        """Take offsets of a file; rows it does not have stay. Return how many are for open layers."""
        with self._own():
            n_found = alignment.show_offsets(self.viewer, offsets)
        known = bench_state.of_rows(self.rows(), offsets)
        usable = [one for one in known if one.accepted or one.decision]
        self._step(
            bench_state.put(self.state, usable, [one for one in known if one not in usable]),
            f"Read {counted(len(offsets), 'offset')}",
        )
        return n_found

    def replace(self, offsets: Sequence[Offset]) -> None:
        """Take offsets that somebody else put into the session."""
        if not self._busy and tuple(offsets) != alignment.short_names(self.state.offsets):
            known = bench_state.of_rows(self.rows(), offsets)
            self._step(dataclasses.replace(self.state, offsets=known), "Offsets from elsewhere")

    def undo(self) -> str:
        """Take the last step back, and tell which it was."""
        return self.log.undo()

    def redo(self) -> str:
        """Take the last step that was undone again, and tell which it is."""
        return self.log.redo()

    def look_at_apertures(self) -> None:
        """Take note of apertures that were set, moved or removed."""
        if not self._busy and not self.log.is_walking:
            self._anchors.look()

    def written(self) -> tuple[Offset, ...]:
        """Return what a table of offsets holds: the offsets, and proposals of rows that have no other; whole paths."""
        return bench_state.told_of(self.state, self.rows())

    def _half_of(self, rows: Iterable[AlignRow], row: AlignRow) -> list[AlignRow]:
        """Return the other rows that go along with one."""
        return bench_state.others_of_half(rows, row) if self.by_half else []

    def _moved(self, row: AlignRow, east: float, north: float) -> Offset:
        """Return the offset of a row that somebody put there: as it was measured, if that is the place."""
        return self._told(row, alignment.placed(row.cube, east, north, measured=row.proposal, before=row.offset))

    def _told(self, row: AlignRow, offset: Offset) -> Offset:
        """Return an offset as one of a row that waits for a decision; by hand, it is counted from what is shown."""
        is_by_hand = offset.method in (BY_HAND, BY_CLICKS)
        against = self.zero_of(self.rows(), row) if is_by_hand else offset.against
        return bench_state.unsure(named(row, dataclasses.replace(offset, against=against)))

    def _decided(self, row: AlignRow, decision: str) -> Offset:
        """Return the offset of a row with a decision; at its header it is right as well as a person sees."""
        here = self._moved(row, *place_of(row)) if row.offset.method == HEADER else row.offset
        return dataclasses.replace(named(row, here), accepted=decision == "accepted", decision=decision)

    def _step(self, state: Alignment, what: str, *, by_itself: bool = False) -> None:
        """Take a step: layers and apertures follow."""
        before = self._places()
        with self.log.step(what, by_itself=by_itself), self._own():
            self._anchors.look()
            self.session.alignment = state  # the stage puts layers there
            moves = {one: place - before.get(one, place) for one, place in self._places().items()}
            self._anchors.follow({one: tuple(move) for one, move in moves.items() if move.any()})
        self.changed.emit()

    def _on_walked(self) -> None:
        """Take note that layers and apertures stand where they stood."""
        self._anchors.keep()
        self.changed.emit()

    def _places(self) -> dict[Identity, NDArray[np.float64]]:
        """Return where rows stand, (east, north)."""
        return {row.identity: place_of(row) for row in self.rows()}

    @contextmanager
    def _own(self) -> Iterator[None]:
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before
