"""The one place where what went wrong becomes a napari notification."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from napari.utils.notifications import notification_manager, show_error, show_info, show_warning

from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.progress import Cancelled

#: Options of commands, as messages name them: docks have a field for the folder, and others by their names.
_FOLDER, _OPTION = re.compile(r" \(-o\)"), re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)(?![\w=-])")
#: Boxes of docks that are called otherwise.
_BOXES = {"overwrite": "tick replace"}


def in_docks(text: str) -> str:
    """Return a message with the names that options have in docks.

    Examples
    --------
    >>> in_docks("star.fits: exists already; choose another name or allow overwriting (--overwrite)")
    'star.fits: exists already; choose another name or allow overwriting (tick replace)'
    >>> in_docks("move the apertures, or lower --min-coverage")
    'move the apertures, or lower min_coverage'
    """
    return _OPTION.sub(lambda found: _BOXES.get(found[1], found[1].replace("-", "_")), _FOLDER.sub("", text))


def notify(problem: BaseException | str) -> str:
    """Tell the user about a problem, and return the line that says it.

    A `KmosError` and a `KmosWarning` are for the user to act on and come as their text; text comes as information;
    anything else is a fault of the program and comes with its traceback.
    """
    if isinstance(problem, str):
        show_info(problem)
        return problem
    text = in_docks(str(problem)) or type(problem).__name__
    if isinstance(problem, KmosError):
        show_error(text)
    elif isinstance(problem, KmosWarning):
        show_warning(text)
    elif isinstance(problem, Cancelled):
        text = "Cancelled"
    else:
        text = f"Internal error: {type(problem).__name__}: {text}"
        notification_manager.receive_error(type(problem), problem, problem.__traceback__)
    return text


@contextmanager
def notified(tell: Callable[[str], None] | None = None) -> Iterator[None]:
    """Turn `KmosError` and `KmosWarning` of the block into notifications; what follows the block still runs.

    Parameters
    ----------
    tell : callable, optional
        Gets the text of the error, too.
    """
    with warnings_shown.once():
        try:
            yield
        except KmosError as err:
            text = notify(err)
            if tell is not None:
                tell(text)


#: A thread that sets ``quiet.thread`` has its warnings told otherwise; ``quiet.heard`` is a list that gets their texts.
quiet = threading.local()


@contextmanager
def overheard() -> Iterator[list[str]]:
    """Collect the texts of the `KmosWarning` of this thread, each once, while warnings are shown."""
    quiet.heard = heard = []
    try:
        yield heard
    finally:
        quiet.heard = None


class _WarningsShown:
    """Shows every `KmosWarning` as a notification while anybody works, from whatever thread it comes.

    Python keeps warning filters for the whole process. They are changed and put back in the window's thread only, by
    the first to begin and the last to end, so that threads cannot leave each other's filters behind.
    """

    def __init__(self) -> None:
        self._users = 0
        self._stack = ExitStack()
        self._elsewhere = warnings.showwarning

    def begin(self) -> None:
        """Show warnings from now on."""
        self._users += 1
        if self._users == 1:
            self._stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("always", KmosWarning)
        if warnings.showwarning != self._show:  # napari sets its own when its window begins to work
            self._elsewhere, warnings.showwarning = warnings.showwarning, self._show

    def end(self) -> None:
        """Leave warnings to Python again, unless somebody else still works."""
        self._users -= 1
        if self._users == 0:
            self._stack.close()
            warnings.showwarning = self._elsewhere

    @contextmanager
    def once(self) -> Iterator[None]:
        """Show the warnings of a block."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    def _show(self, message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        """Show ours, and send the others where they always go."""
        if isinstance(message, KmosWarning):
            heard = getattr(quiet, "heard", None)
            if heard is not None:
                heard.extend([] if str(message) in heard else [str(message)])
            elif not getattr(quiet, "thread", False):
                notify(message)
        else:
            self._elsewhere(message, category, *where, **more)


warnings_shown = _WarningsShown()
