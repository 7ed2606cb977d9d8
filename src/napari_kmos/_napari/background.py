"""The index of large cubes, made while the user works: one at a time, and given up when no longer wanted."""

from __future__ import annotations

import os
import sys
import threading
from weakref import ref

import numpy as np
from napari.components import ViewerModel
from qtpy.QtCore import QObject, Signal

from napari_kmos._napari.errors import notified, notify
from napari_kmos._napari.layers import cube_layers, kmos_of
from napari_kmos._napari.once import once_a_viewer
from napari_kmos._napari.workers import Task
from napari_kmos.cube import Cube
from napari_kmos.io import source_of
from napari_kmos.io.cache import cache_limit
from napari_kmos.progress import Cancelled, Progress, silent
from napari_kmos.summary import index, is_indexed

#: Smaller cubes are quick without.
_LARGE_BYTES = 64 * 2**20
#: How far the thread steps back behind those that somebody waits for.
_NICE = 10

Key = tuple[str, int | None, str]


class Indexer(QObject):
    """Makes the index of the large cubes that a viewer shows, in a thread, while a dock that needs it exists.

    What was cancelled or failed is not begun again by itself.

    Parameters
    ----------
    viewer : ViewerModel
        Viewer of the cubes; for a cube that is removed nothing more is done.

    Attributes
    ----------
    done : float
        How far it is, 0 to 1.
    text : str
        What it does; empty while it does nothing.
    """

    #: `done` or `text` changed.
    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = ref(viewer)
        self._n_docks = 0
        self._task: Task | None = None
        self._key: Key | None = None
        self._tried: set[Key] = set()
        self.done = 0.0
        self.text = ""
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def is_running(self) -> bool:
        """True while an index is made."""
        return self._task is not None

    def join(self) -> None:
        """Begin to work for a dock."""
        self._n_docks += 1

    def leave(self) -> None:
        """Work for a dock no longer: with the last one gone give up, to begin anew when there is another."""
        self._n_docks -= 1
        if not self._n_docks:
            self._tried.discard(self._key)
            self.cancel()

    def look(self) -> None:
        """Begin with the topmost visible cube that may need an index, unless one is made already."""
        waiting = {key: cube for key, cube in self._large(visible=True).items() if key not in self._tried}
        with notified():
            if waiting and self._n_docks and self._task is None and cache_limit() > 0:
                self._begin(*next(iter(waiting.items())))

    def cancel(self) -> None:
        """Give up; what is half done is removed."""
        if self._task is not None:
            self._task.cancel()

    def _begin(self, key: Key, cube: Cube) -> None:
        self._tried.add(key)
        self._key = key
        self._task = Task(make_index, cube)
        self._task.progressed.connect(self._on_progressed)
        self._task.failed.connect(self._on_failed)
        self._task.ended.connect(self._on_ended)
        self._task.start()

    def _large(self, *, visible: bool) -> dict[Key, Cube]:
        """Return the cubes on the screen that are large and lie in a file, the topmost first."""
        viewer = self._viewer()
        layers = [] if viewer is None else [one for one in cube_layers(viewer) if one.visible or not visible]
        shown = [part for layer in reversed(layers) for part in kmos_of(layer).parts]
        return {
            (*part.identity, part.cube.source): part.cube
            for part in shown
            if 4 * np.prod(part.cube.shape) > _LARGE_BYTES and source_of(part.cube.flux) is not None
        }

    def _on_removed(self) -> None:
        left = self._large(visible=False)
        self._tried.intersection_update(left)  # opened again, it is begun again
        if self._key is not None and self._key not in left:
            self.cancel()

    def _on_progressed(self, done: int, total: int, text: str) -> None:
        self.done, self.text = done / max(total, 1), text
        self.changed.emit()

    def _on_failed(self, problem: BaseException) -> None:
        if not isinstance(problem, Cancelled):
            notify(problem)

    def _on_ended(self) -> None:
        self._task = self._key = None
        self.done, self.text = 0.0, ""
        self.changed.emit()
        self.look()


@once_a_viewer
def indexer_of(viewer: ViewerModel) -> Indexer:
    """Return the indexer of a viewer; made when first asked for, gone with the viewer."""
    return Indexer(viewer)


def make_index(cube: Cube, *, progress: Progress = silent) -> None:
    """Make the index of a cube if it has none, in a thread that lets others go first."""
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    if not is_indexed(cube):
        index(cube, progress=progress)
