"""What esorex and its recipes say while they run."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MESSAGE = re.compile(r"^(?:\d\d:\d\d:\d\d\s+)?\[\s*(DEBUG|INFO|WARNING|ERROR)\s*\]\s*(.*)$")
#: The dump of an error: its number, text, code and place.
_DUMPED = re.compile(r"^(?:\[tid=\d+\]\s*)?\[\d+/\d+\]\s*'(.*)' \(\d+\) at \S+$")
_SPEAKER = re.compile(r"^[\w.]*:\s+(?:\[tid=\d+\]\s*)?")
#: Errors that only say that there was one.
_GENERIC = ("Dumping all", "Execution of recipe", "Unable to continue parsing")


def message_of(line: str) -> tuple[str, str]:
    """Return level and text of a line of the terminal or the log; the level of other lines is empty.

    Examples
    --------
    >>> message_of("[ INFO  ] kmos_combine: Combining IFU 3")
    ('INFO', 'Combining IFU 3')
    """
    match = _MESSAGE.match(line.strip())
    if match is None:
        return "", line.strip()
    return match[1], _SPEAKER.sub("", match[2], count=1).strip()


def last_error(lines: Iterable[str]) -> str:
    """Return the last error that says what was wrong; empty if there is none."""
    errors = [text for level, text in map(message_of, lines) if level == "ERROR"]
    telling = [text for text in errors if text and not text.startswith(_GENERIC)] or errors
    if not telling:
        return ""
    dumped = _DUMPED.match(telling[-1])
    return dumped[1] if dumped else telling[-1]
