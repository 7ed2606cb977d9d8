"""Knowing whether a widget is seen: docks that lie behind others count as visible for Qt."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDockWidget, QWidget


class Seen(QWidget):
    """A widget that is told when it comes into view, and when it is hidden or goes behind another tab."""

    is_seen = False

    def __init__(self) -> None:
        super().__init__()
        self._frame: QDockWidget | None = None

    def showEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Be seen, and follow the dock that holds this."""
        super().showEvent(event)
        frame = self.parentWidget()
        while frame is not None and not isinstance(frame, QDockWidget):
            frame = frame.parentWidget()
        if frame is not None and frame is not self._frame:
            self._frame = frame
            frame.visibilityChanged.connect(self._see)
        self._see(True)

    def hideEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Be seen no more."""
        self._see(False)
        super().hideEvent(event)

    def _see(self, is_seen: bool) -> None:
        if is_seen != self.is_seen:
            self.is_seen = is_seen
            (self._on_seen if is_seen else self._on_unseen)()

    def _on_seen(self) -> None:
        """Begin; for subclasses."""

    def _on_unseen(self) -> None:
        """End; for subclasses."""
