"""The dock *Align IFUs*: move one layer over another, by mouse, keys or numbers, and keep the offset."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from napari.layers import Layer
from napari.viewer import Viewer

from napari_kmos._napari import alignment
from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import cube_layers, ifu_layers, kmos_of
from napari_kmos._napari.mover import Mover
from napari_kmos._napari.positions import offset_of
from napari_kmos._napari.widgets.dock import Dock, Link
from napari_kmos._napari.widgets.files import OFFSETS, ask_open, ask_save
from napari_kmos._napari.widgets.offset_edit import OffsetEdit
from napari_kmos._napari.widgets.offset_table import OffsetTable
from napari_kmos._napari.widgets.pair_edit import PairEdit
from napari_kmos._napari.widgets.parts import button, row_of
from napari_kmos.io import read_offsets, write_offsets
from napari_kmos.offset import Offset


class AlignDock(Dock):
    """Offsets of IFUs, seen while they are made.

    Parameters
    ----------
    napari_viewer : Viewer
        Its cube layers are what is moved.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        super().__init__(napari_viewer)
        self.mover = Mover(self.viewer)
        self._measured: tuple[Layer, Offset] | None = None
        self.pair = PairEdit()
        self.pair.chosen.connect(self._on_pair_chosen)
        tip = "Drag the moving layer in the canvas, or nudge it with the arrow keys"
        self.move_button = button("Move", tip, self._on_move)
        self.colours = button("Red and cyan", "Show only the pair: white where the two agree", self._on_move)
        self.automatic = button("Automatic", "Measure the offset from the white-light images", self.measure)
        for one in (self.move_button, self.colours):
            one.setCheckable(True)
        self.edit = OffsetEdit()
        self.table = OffsetTable()
        self._build()

    def links(self) -> Iterable[Link]:
        """Layers that come and go, their moves, offsets that change."""
        events = self.viewer.layers.events
        return (
            (events.inserted, self._show_layers),
            (events.removed, self._show_layers),
            (self.mover.moved, self._on_moved),
            (self.mover.refused, self.say),
            (self.session.events.offsets, self._show_rows),
        )

    def choose(self, reference: Layer, moving: Layer) -> None:
        """Choose the pair."""
        self.pair.show_layers(ifu_layers(self.viewer), (reference, moving))
        self._on_pair_chosen()

    def measure(self) -> None:
        """Measure the offset from the white-light images, in a thread, and move the layer there."""
        reference, moving = self.pair.reference, self.pair.moving
        if reference is None or reference is moving:
            self.say("Choose two different layers")
            return
        self.start(
            alignment.measure,
            kmos_of(reference).cube,
            kmos_of(moving).cube,
            base=offset_of(reference),
            done=lambda found: self._on_measured(moving, found),
        )

    def accept(self) -> None:
        """Keep the offset of the moving layer, and that of the reference where none is kept yet."""
        moving, reference = self.pair.moving, self.pair.reference
        if moving is None:
            self.say("Open exposures first")
            return
        measured = self._measured[1] if self._measured and self._measured[0] is moving else None
        row = alignment.offset_row(self.viewer, moving, measured=measured)
        rows = [row]
        with notified(self.say):
            if reference not in (None, moving) and alignment.row_of(self.session.offsets, reference) is None:
                rows.append(alignment.reference_row(self.viewer, reference))
        self.session.offsets = alignment.with_rows(self.session.offsets, rows)
        self.say(f"Kept {row.dra_arcsec:+.3f}″ {row.ddec_arcsec:+.3f}″ ({row.method})")

    def read(self, path: Path) -> None:
        """Read offsets and put the open layers there; rows kept before stay unless the file has them too."""
        with notified(self.say):
            rows = read_offsets(path)
            n_found = alignment.show_offsets(self.viewer, rows)
            self.session.offsets = alignment.with_rows(self.session.offsets, rows)
            self.session.offsets_file = path
            self.say(f"{path.name}: {len(rows)} offsets, {n_found} of them for open layers")

    def write(self, path: Path) -> None:
        """Write the offsets of the table."""
        with notified(self.say):
            write_offsets(self.session.offsets, path, overwrite=True)
            self.session.offsets_file = path
            self.say(f"Written: {path}")

    def _build(self) -> None:
        self.body.addWidget(self.pair)
        self.body.addLayout(row_of(self.move_button, self.colours))
        self.edit.typed.connect(self.mover.move_to)
        self.edit.step.valueChanged.connect(self._on_step_typed)
        self.body.addWidget(self.edit)
        header = button("Back to header", "Put the layer where its header says", self._on_header)
        accept = button("Accept", "Keep this offset in the table below", self.accept)
        self.body.addLayout(row_of(self.automatic, header, accept))
        self.table.changed.connect(self._on_rows_edited)
        self.body.addWidget(self.table, stretch=1)
        read = button("Read offsets…", "Read an offsets file and move the layers accordingly", self._on_read)
        write = button("Write offsets…", "Write the offsets of this table to a file", self._on_write)
        self.body.addLayout(row_of(read, write))

    def _show_state(self) -> None:
        self._show_layers()
        self._show_rows()

    def _show_layers(self) -> None:
        """List the layers; the choice stays while its layers do."""
        chosen = self.pair.reference, self.pair.moving
        layers = ifu_layers(self.viewer)
        stays = all(one in layers for one in chosen)
        self.pair.show_layers(layers, chosen if stays else alignment.default_pair(self.viewer))
        if self.pair.moving is not self.mover.layer:
            self._on_pair_chosen()
        whole = [layer for layer in cube_layers(self.viewer) if layer not in layers]
        if whole and not layers:
            self.say(f"{whole[-1].name}: {alignment.SPLIT_FIRST}")

    def _show_rows(self) -> None:
        self.table.show_offsets(self.session.offsets)

    def _show_offset(self) -> None:
        if self.mover.layer is not None:
            here = self.mover.offset()
            self.edit.show_offset(*here, alignment.in_spaxels(self.mover.layer, *here))

    def _on_pair_chosen(self) -> None:
        self.mover.choose(self.pair.moving)
        self._on_move()
        self._show_offset()

    def _on_move(self) -> None:
        """Begin or end, as the two buttons say."""
        self.mover.end()
        if self.colours.isChecked():
            self.mover.show_colours(self.pair.reference)
        if self.move_button.isChecked():
            self.mover.begin()

    def _on_hidden(self) -> None:
        self.mover.choose(None)

    def _on_moved(self, _east: float, _north: float) -> None:
        self._show_offset()

    def _on_step_typed(self, step_arcsec: float) -> None:
        self.mover.step_arcsec = step_arcsec

    def _on_header(self) -> None:
        self.mover.move_to(0.0, 0.0)

    def _on_measured(self, layer: Layer, found: Offset) -> None:
        self._measured = layer, found
        alignment.move_all(self.viewer, layer, found.dra_arcsec, found.ddec_arcsec)
        doubt = "" if found.accepted else " (doubtful: look before you accept)"
        self.say(f"Measured to ±{found.err_arcsec:.3f}″{doubt}. {found.note}")

    def _on_rows_edited(self, offsets: tuple[Offset, ...]) -> None:
        self.session.offsets = offsets

    def _on_read(self) -> None:
        if path := ask_open(self, "Read offsets", OFFSETS):
            self.read(path)

    def _on_write(self) -> None:
        if path := ask_save(self, "Write offsets", self.session.offsets_file or Path("offsets.ecsv"), OFFSETS):
            self.write(path)
