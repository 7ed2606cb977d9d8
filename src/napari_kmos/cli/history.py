"""``napari-kmos history``: how a product came to be."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.recipes.history import history, told_changed

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "history"
HELP = (
    "Tell how a product came to be: the tree of steps from it back to the pipeline's files, with the parameters that "
    "are not at their defaults, and whether each input is still there and unchanged."
)
#: Letters of a line: what a file says of itself shall not fill the screen.
_WIDEST = 240


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("file", type=Path, metavar="FILE", help="a product, or the record beside it (.json)")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Read records and headers."""
    return history(args.file, progress=progress)


def describe(outcome: Outcome) -> str:
    """Return the tree, a line a file, indented by what it was made for."""
    lines = _lines(outcome.measured["tree"], 0)
    return "\n".join("  " * depth + _cut(" ".join(text.split())) for depth, text in lines)


def _lines(node: Mapping[str, Any], depth: int) -> Iterator[tuple[int, str]]:
    """Yield depth and text of each line of a file and of what it was made from."""
    state = "" if node["state"] == "given" else f": {node['state']}"
    told = ", told above" if node.get("again") else ""
    yield depth, f"{node['file'] if node['state'] in ('given', 'missing') else Path(node['file']).name}{state}{told}"
    if node.get("step"):
        yield depth + 1, _step(node)
    for earlier in node.get("earlier", ()):
        yield depth + 1, f"before: {_step({'told_by': 'header', **earlier})}"
    for each in node.get("inputs", ()):
        yield from _lines(each, depth + 2)
    if node.get("pipeline") and not any(each.get("pipeline") for each in node.get("inputs", ())):
        yield depth + 1, f"by ESO's pipeline: {node['pipeline']}"


def _step(node: Mapping[str, Any]) -> str:
    """Return what made a file."""
    text = " ".join(part for part in (node["step"], node["version"], node.get("time", "")) if part)
    changed = told_changed(node["changed"])
    text += f"; {changed}" if changed else "; all at their defaults"
    if node["told_by"] == "header":
        text += f"; from {', '.join(node['names']) or 'no file'} (no record: this is what the header says)"
    return text


def _cut(line: str) -> str:
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 3]}..."
