"""``napari-kmos view``: napari with files opened by this plugin and the KMOS docks ready."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from napari_kmos.cli.options import add_files
from napari_kmos.cli.window import window_problem
from napari_kmos.errors import EngineError
from napari_kmos.io.session_file import sessions_among
from napari_kmos.recipes.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from napari_kmos.progress import Progress

NAME = "view"
HELP = "Open KMOS files in napari, read by this plugin without a question, with the KMOS docks ready."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_files(
        parser,
        "exposures, combined cubes, mosaics, images; or *_session.json for all as it was",
    )


def run(args: argparse.Namespace, progress: Progress) -> Outcome:
    """Open the window; return when it is closed."""
    open_viewer(args.files)
    return Outcome()


def open_viewer(files: Sequence[Path]) -> None:
    """Open files in napari and wait until the window is closed.

    Raises
    ------
    KmosError
        If a file holds nothing we know.
    EngineError
        If napari, Qt or a screen is missing.
    """
    from napari_kmos.recipes.info import info

    sessions = sessions_among(files)
    info([path for path in files if path not in sessions])  # whatever cannot be read is told before a window opens
    problem = window_problem()
    if problem:
        msg = f"no window can be opened: {problem}"
        raise EngineError(msg)
    from napari_kmos._napari.app import view

    view(list(files))
