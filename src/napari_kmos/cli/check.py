"""``napari-kmos check``: how files were made, and whether that suits."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.cli.options import add_files
from napari_kmos.cli.tables import WIDTH, history_lines, wrapped
from napari_kmos.recipes.check import check

if TYPE_CHECKING:
    from napari_kmos.progress import Progress
    from napari_kmos.recipes.outcome import Outcome

NAME = "check"
HELP = (
    "Say by which recipes KMOS cubes were made, with which settings and calibrations, and whether that suits what is "
    "done with them here: each verdict with its reason and what to do. What the header does not tell is unknown."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(parser, "exposures, combined cubes or mosaics")


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Read the headers."""
    return check(args.files, progress=progress)


def describe(outcome: Outcome) -> str:
    """Return history and verdicts of each file."""
    return "\n\n".join("\n".join(_lines(facts)) for facts in outcome.measured["files"])


def _lines(facts: Mapping[str, Any]) -> list[str]:
    """Return the lines of one file."""
    head, history = Path(facts["file"]).name, history_lines(facts["history"])
    verdicts = [line for one in facts["lines"] for line in _verdict(one, facts["lines"])]
    return [head, *(history or ["  no recipe in its header"]), "", *verdicts]


def _verdict(line: Mapping[str, str], all_lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Return a verdict: what was found, below it why, and what to do."""
    wide = max(len(one["topic"]) for one in all_lines)
    head = f"  {line['verdict']:<7}  {line['topic']:<{wide}}  "
    told = [line["found"], line["reason"], *([f"-> {line['todo']}"] if line["todo"] else [])]
    lines = [part for text in told for part in wrapped(text, width=WIDTH - len(head))]
    return [head + lines[0], *(" " * len(head) + part for part in lines[1:])]
