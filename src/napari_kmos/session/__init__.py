"""What the docks of one viewer share: its state, the log of what was decided, and what is made of both."""

from __future__ import annotations

from napari_kmos.session.log import Action, ActionLog
from napari_kmos.session.state import Alignment, PaintedMask, Session, decisions, kinds_of_decisions

__all__ = ["Action", "ActionLog", "Alignment", "PaintedMask", "Session", "decisions", "kinds_of_decisions"]
