"""The log of actions: every change of a decision, whoever made it, to be read, taken back and done again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psygnal import EmissionInfo, Signal

from napari_kmos.session.state import Session, decisions, kinds_of_decisions
from napari_kmos.session.telling import tell_changes

#: Changes of one field that follow each other faster are one action: a number is spun, a window is drawn.
_GESTURE_S = 1.0
#: Changes that come so soon after each other are made by one hand at once, whatever fields they are of.
_TOGETHER_S = 0.05
_MOST_ACTIONS = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Action:
    """What was done.

    Parameters
    ----------
    what : str
        In words.
    before, after : mapping
        Values of the fields that changed.
    by_itself : bool
        Whether the program did it, and nobody decided anything.
    """

    what: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    by_itself: bool = False


class ActionLog:
    """Listens to the decisions of a session.

    A change is an action by itself; those made in one `step` are one, whatever fields they are of, and so are those of
    one field that follow each other within a gesture, and those that come at once.

    Parameters
    ----------
    session : Session
        Whose decisions they are.
    gesture_s : float
        Time within which changes of one field are one action.
    together_s : float
        Time within which changes of different fields are.
    most_actions : int
        So many are kept; the oldest are forgotten first.
    clock : callable
        Tells the time in seconds.

    Attributes
    ----------
    changed : Signal
        After an action came, was taken back or done again.
    walked : Signal
        After decisions were set to what they were, back or forth, or as a session file has them; after `changed`.
    """

    changed = Signal()
    walked = Signal()

    def __init__(
        self,
        session: Session,
        *,
        gesture_s: float = _GESTURE_S,
        together_s: float = _TOGETHER_S,
        most_actions: int = _MOST_ACTIONS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session, self._clock = session, clock
        self._gesture_s, self._together_s, self._most = gesture_s, together_s, most_actions
        self._actions: tuple[Action, ...] = ()
        self._n_done = 0
        self._known = self._now()
        self._gesture: frozenset[str] = frozenset()
        self._until, self._together = 0.0, -math.inf
        self._depth = 0
        self.is_walking = False
        session.events.connect(self._on_event)

    @property
    def actions(self) -> tuple[Action, ...]:
        """All actions, the oldest first; those that were taken back are the last."""
        return self._actions

    @property
    def n_done(self) -> int:
        """How many of them are done, and not taken back."""
        return self._n_done

    @property
    def undoable(self) -> str:
        """What undoing takes back; empty if there is nothing."""
        return self._actions[self._n_done - 1].what if self._n_done else ""

    @property
    def redoable(self) -> str:
        """What redoing does again; empty if there is nothing."""
        return self._actions[self._n_done].what if self._n_done < len(self._actions) else ""

    @property
    def is_worth_keeping(self) -> bool:
        """Whether anybody decided anything."""
        return any(not one.by_itself for one in self._actions)

    @contextmanager
    def step(self, what: str = "", *, gesture: str = "", by_itself: bool = False) -> Iterator[None]:
        """Make what is decided in the block one action; in a step within a step it is the outer one's.

        Parameters
        ----------
        what : str
            What was done; told by what changed if empty.
        gesture : str
            Name of what goes on: one action with the step before, if that was of the same gesture.
        by_itself : bool
            Whether the program does it by itself, as when it brings back what is known of a file.
        """
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0 and not self.is_walking:
                self._take(what, frozenset({gesture} - {""}), math.inf, by_itself=by_itself)

    def settle(self) -> None:
        """End the gesture that goes on: what comes is another action."""
        self._gesture, self._together = frozenset(), -math.inf

    def undo(self) -> str:
        """Take the last action back, and tell which it was; empty if there is none."""
        what = self.undoable
        self.go_to(self._n_done - 1)
        return what

    def redo(self) -> str:
        """Do the action again that was taken back last, and tell which it is; empty if there is none."""
        what = self.redoable
        self.go_to(self._n_done + 1)
        return what

    def go_to(self, n_done: int) -> None:
        """Take actions back, or do them again, until so many are done."""
        target = min(max(n_done, 0), len(self._actions))
        if self._depth or target == self._n_done:
            return
        values: dict[str, Any] = {}
        while self._n_done > target:
            self._n_done -= 1
            values |= self._actions[self._n_done].before
        while self._n_done < target:
            values |= self._actions[self._n_done].after
            self._n_done += 1
        self._set(values)
        self.changed.emit()
        self.walked.emit()

    def _now(self) -> dict[str, Any]:
        return decisions(self._session, undone=True)

    def _set(self, values: Mapping[str, Any]) -> None:
        """Set fields; what others made of that is set right at the end, so that everything is exactly as it was."""
        wanted = {**self._known, **values}
        self.is_walking = True
        try:
            for _ in range(2):
                for name, value in wanted.items():
                    if getattr(self._session, name) is not value:
                        setattr(self._session, name, value)
        finally:
            self.is_walking = False
        self._known = self._now()
        self.settle()

    def _on_event(self, info: EmissionInfo) -> None:
        name = info.signal.name
        if not self._depth and not self.is_walking and name in kinds_of_decisions(undone=True):
            self._take("", frozenset({name}), self._clock() + self._gesture_s)

    def _take(self, what: str, gesture: frozenset[str], until: float, *, by_itself: bool = False) -> None:
        """Take note of what has changed, as a part of the gesture that goes on if it is the same."""
        now_s, is_step = self._clock(), until == math.inf
        is_same = bool(gesture & self._gesture) and now_s <= self._until
        goes_on = self._n_done > 0 and (is_same or (not is_step and now_s <= self._together))
        now = self._now()
        after = {name: one for name, one in now.items() if one is not self._known[name] and one != self._known[name]}
        if goes_on or after:
            self._gesture, self._until = gesture | (self._gesture if goes_on else frozenset()), until
            self._together = -math.inf if is_step else now_s + self._together_s
        if not after:
            return
        before = {name: self._known[name] for name in after}
        done = self._actions[: self._n_done]
        if goes_on:
            done, last = done[:-1], done[-1]
            before, after = {**before, **last.before}, {**last.after, **after}
        self._known = now
        if any(before[name] != after[name] for name in after):
            what = what or tell_changes(before, after)
            done = (*done, Action(what=what, before=before, after=after, by_itself=by_itself))
        else:
            self.settle()
        self._actions = done[-self._most :]
        self._n_done = len(self._actions)
        self.changed.emit()
