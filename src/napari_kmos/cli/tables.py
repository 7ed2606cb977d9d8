"""Tables in the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from napari_kmos.recipes.info import told_calibrations, told_changes

#: Letters in a line of text, and in the last column of a history, which would be too narrow with less.
WIDTH = 110
_LEAST_WIDTH = 40


def aligned(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """Align cells in columns; a column that is empty everywhere is left out."""
    if not rows:
        return []
    titles = [title for title in rows[0] if any(row[title] for row in rows)]
    cells = [titles, *([row[title] for title in titles] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(titles))]
    return ["  " + "  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]


def history_lines(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a row a step, and below the table the calibrations, which may be many.

    Parameters
    ----------
    steps : sequence of mapping
        As `recipe_facts` returns them.
    """
    rows = [
        {
            "step": str(number),
            "recipe": step["recipe"] or "-",
            "version": step["version"],
            "files": str(step["inputs"] or ""),
            "parameters that are not the default": told_changes(step) or "none",
        }
        for number, step in enumerate(steps, start=1)
    ]
    used = [
        f"  step {number} with {told_calibrations(step)}"
        for number, step in enumerate(steps, start=1)
        if step["calibrations"]
    ]
    return [*aligned(_folded(rows)), *(line for text in used for line in wrapped(text, indent=4))]


def wrapped(text: str, *, width: int = WIDTH, indent: int = 0) -> list[str]:
    """Return text in lines, those after the first indented."""
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_on_hyphens=False) or [""]


def _folded(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return rows whose last cell is in several where it is long; the other cells of these are empty."""
    if not rows:
        return []
    *others, last = rows[0]
    taken = sum(max(len(row[title]) for row in (dict(zip(others, others, strict=True)), *rows)) + 2 for title in others)
    folded = []
    for row in rows:
        first, *rest = wrapped(row[last], width=max(WIDTH - taken, _LEAST_WIDTH))
        folded.append({**row, last: first})
        folded += [{**dict.fromkeys(others, ""), last: part} for part in rest]
    return folded
