"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def aligned(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Align cells in columns; a column that is empty everywhere is left out."""
    if not rows:
        return []
    titles = [title for title in rows[0] if any(row[title] for row in rows)]
    cells = [titles, *([row[title] for title in titles] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(titles))]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
