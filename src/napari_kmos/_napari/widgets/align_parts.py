"""What the dock *Align IFUs* is made of, and what its keys and buttons do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QApplication, QCheckBox

from napari_kmos._napari.keys import Keys, bind, focus_canvas
from napari_kmos._napari.widgets.align_files import AlignFiles
from napari_kmos._napari.widgets.decision_bar import (
    ACCEPT,
    DROP,
    NEXT,
    REDO,
    REJECT,
    SKIP,
    TAKE,
    UNDO,
    DecisionBar,
    key_text,
)
from napari_kmos._napari.widgets.offset_edit import OffsetEdit
from napari_kmos._napari.widgets.pair_bar import PairBar
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos._napari.widgets.proposal_bar import ProposalBar
from napari_kmos._napari.widgets.reference_edit import ReferenceEdit
from napari_kmos._napari.widgets.remembered import Remembered
from napari_kmos._napari.widgets.row_table import RowTable

if TYPE_CHECKING:
    from napari_kmos._napari.widgets.align import AlignDock


class AlignParts:
    """The widgets, in the body of the dock.

    Parameters
    ----------
    dock : AlignDock
        What they belong to.
    """

    def __init__(self, dock: AlignDock) -> None:
        self.table = RowTable()
        self.decisions = DecisionBar()
        self.reference = ReferenceEdit()
        self.edit = OffsetEdit()
        self.files = AlignFiles(dock)
        self.measure = ProposalBar(dock)
        tip = "Drag the moving layer in the canvas, or nudge it with the arrow keys (Ctrl: ten steps, Shift: a tenth)"
        self.move = button("Move", tip, self._on_move)
        self.move.setCheckable(True)
        self.pair = PairBar(dock)
        self.by_half = QCheckBox("Whole half")
        self.by_half.setToolTip("Move and decide all exposures of the IFU in the same epoch and half together")
        kept = {"method": self.measure.method, "refine_rotation": self.measure.turns, "by_half": self.by_half}
        self.remembered = Remembered(dock.session, "align", kept)
        self._actions = {
            ACCEPT: dock.accept,
            REJECT: lambda: dock.decide("rejected"),
            DROP: lambda: dock.decide("rejected", whole=True),
            SKIP: lambda: dock.decide("skipped"),
            NEXT: dock.next_doubtful,
            TAKE: self.measure.take,
            UNDO: dock.undo,
            REDO: dock.redo,
        }
        self._show_pair, self._viewer = dock.show_pair, dock.viewer
        self.keys = Keys(dock.viewer, self._actions)
        self._connect(dock)
        self._lay_out(dock)

    def take_keys(self) -> None:
        """Let keys do here what they do, also in the canvas, and also where another dock took them since."""
        self.keys.take()
        focus_canvas(self._viewer)

    def _on_move(self) -> None:
        """Let the layer be dragged, and no stars be clicked meanwhile."""
        if self.move.isChecked():
            self.pair.end_clicks()
        self._show_pair()

    def _connect(self, dock: AlignDock) -> None:
        self.table.chosen.connect(dock.choose_row)
        self.decisions.pressed.connect(lambda key: self._actions[key]())
        self.reference.chosen.connect(dock.choose_reference)
        self.reference.open_requested.connect(self.files.open_reference)
        self.reference.rows_requested.connect(self.files.add_rows)
        self.edit.typed.connect(dock.mover.move_to)
        self.edit.step.valueChanged.connect(dock.mover.set_step)
        self.by_half.toggled.connect(dock.bench.set_by_half)
        for key in self._actions.keys() - {UNDO, REDO}:  # these all docks have
            bind(dock, key_text(key), partial(_unless_choosing, self._actions[key]))

    def _lay_out(self, dock: AlignDock) -> None:
        dock.body.addWidget(self.table, stretch=1)
        dock.body.addWidget(self.decisions)
        dock.body.addWidget(self.reference)
        dock.body.addWidget(self.pair)
        dock.body.addLayout(row_of(self.move, self.measure.take_button, self.measure.header, self.by_half))
        dock.body.addWidget(self.edit)
        dock.body.addWidget(self.measure)
        dock.body.addWidget(self.files)


def _unless_choosing(function: Callable[[], object]) -> None:
    """Do what a key says, unless a list is open, where letters go to the entries that begin with them."""
    if QApplication.activePopupWidget() is None:
        function()
