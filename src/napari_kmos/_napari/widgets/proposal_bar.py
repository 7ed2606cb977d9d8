"""Asking for proposals: by which method, for a row or for all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QWidget

from napari_kmos._napari.align_rows import HEADER, Identity
from napari_kmos._napari.errors import notified
from napari_kmos._napari.proposals import CORRELATION, propose
from napari_kmos._napari.widgets.decision_bar import TAKE, key_text
from napari_kmos._napari.widgets.parts import button
from napari_kmos.align import OFFSET_METHODS, AlignParameters
from napari_kmos.offset import Offset
from napari_kmos.words import counted

if TYPE_CHECKING:
    from napari_kmos._napari.widgets.align import AlignDock


CATALOGUE = "catalogue"


class ProposalBar(QWidget):
    """Method and buttons.

    Parameters
    ----------
    dock : AlignDock
        Whose rows are measured.
    """

    def __init__(self, dock: AlignDock) -> None:
        super().__init__()
        self._dock = dock
        self.method = QComboBox()
        self.method.addItems([name for name in OFFSET_METHODS if name != HEADER])
        self.method.setToolTip("How offsets are measured")
        self.turns = QCheckBox("rotation")
        self.turns.setToolTip("With Propose all: an exposure's rotation, too, where three stars or more are in common")
        self.automatic = button("Automatic", "Measure this row against its reference", self.measure)
        tip = "Measure all rows, target by target: what was decided or moved by hand stays where it is"
        self.all = button("Propose all", tip, self.measure_all)
        self.take_button = button("Proposal", f"Put the row where it was measured. Key: {key_text(TAKE)}", self.take)
        tip = "Put the row where its header says"
        self.header = button("Header", tip, lambda: dock.mover.move_to(0.0, 0.0))
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.method)
        for one in (self.automatic, self.all):
            line.addWidget(one, stretch=1)
        line.addWidget(self.turns)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Measure", line)

    def measure(self) -> None:
        """Measure the offset of the chosen row against its reference, in a thread, and put it there."""
        row, reference = self._dock.bench.row(self._dock.pair.identity), self._dock.pair.against()
        if row is None or reference is None:
            self._dock.say("Choose two different layers")
            return
        method, zero = self.method.currentText(), self._dock.pair.zero_shown(self._dock.bench.rows(), row)

        def done(found: dict[Identity, Offset]) -> None:
            self._on_measured(found, zero)

        self._dock.start(propose, [row], reference=reference, method=method, done=done)

    def measure_all(self) -> None:
        """Propose offsets for all rows, in a thread."""
        dock = self._dock
        with notified(dock.say):
            reference, base = dock.pair.all_against()
            if reference is None:
                dock.say("Open exposures first")
                return
            rows = dock.bench.rows()
            zeros = {row.identity: dock.pair.zero_of(rows, row) for row in rows}
            measured = [row for row in rows if row.is_listed or row.path == reference]
            parameters = AlignParameters(refine_rotation=self.turns.isChecked())
            how = {"method": self.method.currentText(), "parameters": parameters, "reference": reference, "base": base}
            dock.start(propose, measured, **how, done=lambda found: self._on_proposed(found, zeros))

    def suit(self, *, by_catalogue: bool) -> None:
        """Choose a method that can be used with the reference."""
        if by_catalogue != (self.method.currentText() == CATALOGUE):
            self.method.setCurrentText(CATALOGUE if by_catalogue else CORRELATION)

    def take(self) -> None:
        """Put the chosen row where it was measured."""
        identity = self._dock.pair.identity
        if identity is None or not self._dock.bench.take(identity):
            self._dock.say("This row has no proposal: measure it first")

    def _on_measured(self, proposals: dict[Identity, Offset], zero: str) -> None:
        is_there = self._dock.bench.propose(proposals, dict.fromkeys(proposals, zero)) > 0
        (found,) = proposals.values()
        if math.isnan(found.dra_arcsec):
            self._dock.say(f"Not measured: {found.note}")
            return
        why = "decided or moved by hand before" if found.accepted else "doubtful: look"
        doubt = "" if is_there else f" ({why}; {key_text(TAKE)} puts it there)"
        note = f"{found.note}. " if found.note else ""
        self._dock.tell(f"Measured to ±{found.err_arcsec:.3f}″ against {zero}{doubt}. {note}")

    def _on_proposed(self, found: dict[Identity, Offset], zeros: dict[Identity, str]) -> None:
        bench = self._dock.bench
        n_placed = bench.propose(found, zeros)
        listed = [found[row.identity] for row in bench.rows() if row.is_listed and row.identity in found]
        n_sure = sum(one.accepted for one in listed)
        done = f"{counted(len(listed), 'proposal')}, {n_sure} of them sure; {counted(n_placed, 'row')} put there"
        self._dock.tell(f"{done}. ")
