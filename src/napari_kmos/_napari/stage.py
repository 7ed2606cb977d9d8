"""Has a viewer show what its session says, whoever changed that: a dock, an undo, or a session that was restored."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import ref

from napari.components import ViewerModel

from napari_kmos._napari import alignment
from napari_kmos._napari.align_rows import Identity, rows_of
from napari_kmos._napari.bench_state import place_of
from napari_kmos._napari.errors import notified
from napari_kmos._napari.layers import layers_by_identity, open_paths
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.points import show_points
from napari_kmos._napari.positions import layout_of, stands_at
from napari_kmos._napari.session import log_of, session_of
from napari_kmos.session import Alignment


class Stage:
    """Puts layers where the alignment says, draws the apertures, and takes note of what is open.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly, as the stage goes with it.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = ref(viewer)
        session = session_of(viewer)
        session.events.alignment.connect(self._on_alignment)
        log_of(viewer).walked.connect(self._on_walked)
        viewer.layers.events.inserted.connect(self.note_files)
        viewer.layers.events.removed.connect(self.note_files)
        self.note_files()

    def note_files(self) -> None:
        """Take note of the files that are open, and of how they are drawn; one that was looked for in vain stays."""
        if (viewer := self._viewer()) is not None:
            session, there = session_of(viewer), open_paths(viewer)
            missing = [path for path in session.files if path not in there and not path.exists()]
            session.files = (*there, *missing)
            session.layout = layout_of(viewer)

    def place(self, identities: Iterable[Identity] | None = None) -> None:
        """Put layers where the alignment says: all of them, or some."""
        if (viewer := self._viewer()) is None:
            return
        known, layers = session_of(viewer).alignment, layers_by_identity(viewer)
        layers = layers if identities is None else {one: layers[one] for one in identities}
        with notified():
            for row in rows_of(viewer, offsets=known.offsets, proposals=known.proposals):
                layer, place, turn = layers.get(row.identity), place_of(row), row.offset.rotation_deg
                if layer is not None and not stands_at(layer, place, turn):
                    alignment.move_all(viewer, layer, *map(float, place), turn)

    def _on_alignment(self, known: Alignment) -> None:
        if (viewer := self._viewer()) is not None:
            self.place()
            session_of(viewer).offsets = alignment.short_names(known.offsets)

    def _on_walked(self) -> None:
        """Draw the apertures as they were."""
        viewer = self._viewer()
        if viewer is not None:
            show_points(viewer, session_of(viewer).apertures)


@once_a_viewer
def stage_of(viewer: ViewerModel) -> Stage:
    """Have a viewer show what its session says from now on; once for each viewer."""
    return Stage(viewer)
