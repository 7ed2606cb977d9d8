"""How things are said."""

import html
import unicodedata
from collections.abc import Sequence


def counted(number: int, name: str) -> str:
    """Return how many there are of something, in words: 1 row, 2 rows."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def shortened(names: Sequence[str], most: int = 3) -> str:
    """Return names in a row, of many the first.

    Examples
    --------
    >>> shortened(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def printable(text: str) -> str:
    r"""Return text that a terminal shows and does not obey: but for ends of lines, no control characters.

    Examples
    --------
    >>> printable("star \x1b[2J")
    'star \\x1b[2J'
    """
    return "".join(letter if _is_shown(letter) else ascii(letter)[1:-1] for letter in text)


def one_line(text: str, most: int = 1000) -> str:
    """Return text as one line that a terminal shows, its middle left out where it is longer than somebody reads.

    Examples
    --------
    >>> one_line("first   and last")
    'first and last'
    """
    line = printable(" ".join(text.split()))
    return line if len(line) <= most else f"{line[: most // 2]} ... {line[-most // 2 :]}"


def tip_text(text: str) -> str:
    """Return text that Qt shows as it is in a tip: what looks like a tag is not taken for one.

    Examples
    --------
    >>> tip_text("star 1"), tip_text("<b>star")
    ('star 1', '<qt>&lt;b&gt;star</qt>')
    """
    return f"<qt>{'<br>'.join(html.escape(text).splitlines())}</qt>" if "<" in text else text


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter == "\n" or unicodedata.category(letter) == "Zs"
