"""The dock *Align IFUs*: rows to choose from, a layer to move over another, decisions; all of it kept and undone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from napari.layers import Layer
from napari.viewer import Viewer

from napari_kmos._napari import alignment
from napari_kmos._napari.align_rows import AlignRow, Identity, in_spaxels, next_doubtful
from napari_kmos._napari.bench import Bench
from napari_kmos._napari.errors import notified
from napari_kmos._napari.keeper import keeper_of, where_kept
from napari_kmos._napari.layers import cube_layers, ifu_layers, kmos_of
from napari_kmos._napari.mover import Mover
from napari_kmos._napari.pair import Pair, references_of
from napari_kmos._napari.widgets.align_parts import AlignParts
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.zero_points import mixed_zeros


class AlignDock(Dock):
    """Offsets of IFUs, seen while they are made.

    Parameters
    ----------
    napari_viewer : Viewer
        Its cube layers are what is moved.
    """

    least_lines = 3

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.bench = Bench(self.viewer, self.session)
        self.keeper = keeper_of(self.viewer)
        self.mover = Mover(self.viewer)
        self.pair = Pair(self.viewer)
        self.bench.zero_of = self.pair.zero_shown
        self.parts = AlignParts(self)
        self.edit, self.table = self.parts.edit, self.parts.table
        self.move_button, self.colours = self.parts.move, self.parts.pair.shown
        self.automatic = self.parts.measure.automatic
        self.keeper.kept.connect(self._on_kept)

    def links(self) -> Iterable[Link]:
        """Layers that come and go, their moves, what the bench did, offsets and apertures that others change."""
        layers, session = self.viewer.layers.events, self.session.events
        return (
            (layers.inserted, self._on_layers_changed),
            (layers.removed, self._on_layers_changed),
            (self.mover.moved, self._on_moved),
            (self.mover.settled, self.bench.take_over),
            (self.mover.refused, self.say),
            (self.bench.changed, self._on_changed),
            (self.bench.restored, self.say),
            (session.offsets, self.bench.replace),
            (session.apertures, self.bench.look_at_apertures),
        )

    def choose(self, reference: Layer, moving: Layer) -> None:
        """Choose the pair."""
        self.pair.choose(reference, moving)
        self._on_pair_chosen()

    def choose_row(self, identity: Identity) -> None:
        """Choose the row that moves."""
        with notified(self.say):
            rows = self.bench.rows()
            row = next((one for one in rows if one.identity == identity), None)
            if row is not None:
                self.pair.choose_row(rows, row)
                self.say(self.pair.other_told(rows))
                self.colours.setChecked(True)
                self.move_button.setChecked(not self.parts.pair.click.isChecked())
                self._on_pair_chosen()
                self.parts.take_keys()

    def choose_reference(self, path: Path | None) -> None:
        """Choose the file that rows are compared with; None for the catalogue that is shown."""
        self.pair.choose_reference(path)
        self.parts.measure.suit(by_catalogue=path is None)
        if self.pair.identity is not None:
            self.choose_row(self.pair.identity)

    def read(self, path: Path) -> None:
        """Read offsets and put the open layers there."""
        self.parts.files.read(path)

    def write(self, path: Path) -> None:
        """Write the offsets of the table."""
        self.parts.files.write(path)

    def give_back(self) -> None:
        """Show everything as it was."""
        self.colours.setChecked(False)
        self.move_button.setChecked(False)
        self.show_pair()

    def show_pair(self) -> None:
        """Show the pair and let it be moved, as the buttons say."""
        self.mover.end()
        self.parts.pair.show_pair(self.pair.shown(), self.pair.moving)
        if self.move_button.isChecked():
            self.mover.begin()

    def tell(self, text: str) -> None:
        """Say what was done, and whether the rows still belong together."""
        self.say(text + mixed_zeros(self.bench.written()))

    def accept(self) -> None:
        """Accept the chosen row where it stands."""
        self.decide("accepted")

    def decide(self, decision: str, *, whole: bool = False) -> None:
        """Accept, reject or skip the chosen row, or its whole exposure."""
        if self.pair.identity is None:
            self.say("Open exposures first")
            return
        row = self.bench.decide(self.pair.identity, decision, reference=self.pair.base, whole=whole)
        if row is not None:
            what = f"exposure {row.exposure}, here " if whole else ""
            self.tell(f"{decision.capitalize()} {what}{row.dra_arcsec:+.3f}″ {row.ddec_arcsec:+.3f}″ ({row.method}). ")

    def next_doubtful(self) -> None:
        """Choose the next row that somebody has to look at."""
        row = next_doubtful(self.bench.rows(), self.pair.identity)
        if row is None:
            self.say("No doubtful row is left")
        else:
            self.choose_row(row.identity)

    def _show_state(self) -> None:
        self.parts.keys.take()
        if self.pair.catalogue is not None:  # other columns may have been chosen in the dock Catalogue
            self.pair.choose_reference(None)
        with notified(self.say):
            self.bench.replace(self.session.offsets)
            self._show_layers()

    def _on_layers_changed(self, event: object) -> None:
        """Take note of layers of ours that came or went."""
        if kmos_of(event.value) is not None and not self.pair.is_choosing:
            self._show_layers()

    def _show_layers(self) -> None:
        """List the rows of the layers; the choice stays while its layers do."""
        with notified(self.say):
            self.bench.adopt()
        if not self.pair.stays():
            self.pair.choose(*alignment.default_pair(self.viewer))
        if self.pair.moving is not self.mover.layer:
            self._on_pair_chosen()
        whole = [layer for layer in cube_layers(self.viewer) if layer not in ifu_layers(self.viewer)]
        if whole and self.pair.moving is None:
            self.say(f"{whole[-1].name}: {alignment.SPLIT_FIRST}, or choose a row")

    def _show_offset(self) -> None:
        if self.mover.layer is not None:
            here = self.mover.offset()
            self.edit.show_offset(*here, in_spaxels(kmos_of(self.mover.layer).cube, *here))

    def _on_changed(self) -> None:
        """Show what the bench did."""
        with notified(self.say):
            rows = self.bench.rows()
            self.table.show_rows([row for row in rows if row.is_listed], self.pair.identity)
            self._show_references(rows)
        self.parts.decisions.show_steps(self.bench.log.undoable, self.bench.log.redoable)

    def _show_references(self, rows: Sequence[AlignRow]) -> None:
        references = references_of(self.viewer, rows, catalogue=self.pair.catalogue)
        self.parts.reference.show_references(references, self.pair.path)

    def _on_pair_chosen(self) -> None:
        self.mover.choose(self.pair.moving)
        self.show_pair()
        self._show_offset()
        self.table.show_chosen(self.pair.identity)
        with notified(self.say):
            self._show_references(self.bench.rows())

    def _on_hidden(self) -> None:
        self.parts.keys.release()
        self.parts.pair.hide_pair()
        self.mover.choose(None)
        self.keeper.finish()

    def _on_moved(self, _east: float, _north: float) -> None:
        self._show_offset()
        self.say("")  # what was said before is true no more

    def _on_kept(self, places: tuple[Path, ...]) -> None:
        """Say where decisions are kept."""
        self.say(f"{self.message.text()} (kept in {where_kept(places)})".strip())
