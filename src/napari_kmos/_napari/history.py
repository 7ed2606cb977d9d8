"""What was, to go back to, and forth again."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")

_MOST_STEPS = 500


class History(Generic[State]):
    """Whole states, which are small and never change, one a step.

    Parameters
    ----------
    state : State
        What is at the beginning.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self._before: list[tuple[str, State]] = []
        self._after: list[tuple[str, State]] = []

    @property
    def undoable(self) -> str:
        """What undoing takes back; empty if there is nothing."""
        return self._before[-1][0] if self._before else ""

    @property
    def redoable(self) -> str:
        """What redoing does again; empty if there is nothing."""
        return self._after[-1][0] if self._after else ""

    def push(self, state: State, what: str) -> None:
        """Take a step; what was undone before cannot be redone any more."""
        self._before = [*self._before[-_MOST_STEPS + 1 :], (what, self.state)]
        self._after = []
        self.state = state

    def undo(self) -> str:
        """Go a step back, and tell which; empty if there is none."""
        return self._step(self._before, self._after)

    def redo(self) -> str:
        """Go a step forth again, and tell which; empty if there is none."""
        return self._step(self._after, self._before)

    def _step(self, source: list[tuple[str, State]], target: list[tuple[str, State]]) -> str:
        if not source:
            return ""
        what, state = source.pop()
        target.append((what, self.state))
        self.state = state
        return what
