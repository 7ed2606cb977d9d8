"""The docks there are, and what becomes of them when Python ends."""

from __future__ import annotations

import atexit
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import QCoreApplication, QEvent

if TYPE_CHECKING:
    from napari_kmos._napari.widgets.dock import Dock

open_docks: WeakSet[Dock] = WeakSet()


@atexit.register
def _end() -> None:
    """Close windows still open, delete docks that have none: taken apart piece by piece after Qt they crash."""
    for dock in tuple(open_docks):
        with suppress(RuntimeError):  # deleted already, with the window
            is_alone = dock.parent() is None
            (dock.deleteLater if is_alone else dock.viewer.close)()
            QCoreApplication.sendPostedEvents(dock if is_alone else None, QEvent.Type.DeferredDelete.value)
