"""One `Session` a viewer."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from napari.components import ViewerModel

from napari_kmos.session import Session

_SESSIONS: WeakKeyDictionary[ViewerModel, Session] = WeakKeyDictionary()


def session_of(viewer: ViewerModel) -> Session:
    """Return the session of a viewer; made when first asked for, gone with the viewer."""
    return _SESSIONS.setdefault(viewer, Session())
