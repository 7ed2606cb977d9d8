"""One `Session` a viewer, and one log of what is decided in it."""

from __future__ import annotations

from napari.components import ViewerModel

from napari_kmos._napari.once import once_a_viewer
from napari_kmos.session import ActionLog, Session


@once_a_viewer
def session_of(_viewer: ViewerModel) -> Session:
    """Return the session of a viewer; made when first asked for, gone with the viewer."""
    return Session()


@once_a_viewer
def log_of(viewer: ViewerModel) -> ActionLog:
    """Return the log of actions of a viewer; made when first asked for, gone with the viewer."""
    return ActionLog(session_of(viewer))
