"""A session comes back: its files are opened, and everything is where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import napari
from napari.components import ViewerModel

from napari_kmos._napari.align_rows import read_file
from napari_kmos._napari.commands import look_at_all
from napari_kmos._napari.errors import notified, notify
from napari_kmos._napari.keeper import keeper_of
from napari_kmos._napari.layers import open_paths
from napari_kmos._napari.points import drawable
from napari_kmos._napari.positions import layout_of, show_layout
from napari_kmos._napari.reader import add_file
from napari_kmos._napari.session import log_of, session_of
from napari_kmos._napari.stage import stage_of
from napari_kmos.errors import KmosError
from napari_kmos.io.session_file import ENDING
from napari_kmos.session.saved import load


def session_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[tuple[None]]] | None:
    """Return napari's reader of session files, or None if a path is surely none."""
    paths = [path] if isinstance(path, str) else list(path)
    return _restore_here if paths and all(one.endswith(ENDING) for one in paths) else None


def _restore_here(path: str | Sequence[str]) -> list[tuple[None]]:
    """Restore a session in the viewer that napari reads for."""
    viewer = napari.current_viewer()
    if viewer is None:
        msg = "a session is restored in a window: open it in napari"
        raise KmosError(msg)
    for one in [path] if isinstance(path, str) else path:
        with notified():
            problems = restore(viewer, Path(one))
            notify("; ".join((f"Restored {Path(one).name}", *problems)))
    return [(None,)]  # napari's word for a file without layers


def restore(
    viewer: ViewerModel, path: Path, *, ask: Callable[[Path], Path | None] = lambda _path: None
) -> tuple[str, ...]:
    """Have a viewer be as a session says, and go on with that session; one step, which can be taken back.

    Files that are open and not of the session stay open.

    Parameters
    ----------
    viewer : ViewerModel
        What it is restored in.
    path : Path
        Session file.
    ask : callable
        As in `napari_kmos.session.saved.load`.

    Returns
    -------
    tuple of str
        What could not be restored, and what is to be known.

    Raises
    ------
    NotKmosError
        If it cannot be read, is none, or was written by a newer version.
    """
    saved = load(path, ask=ask)
    keeper, session = keeper_of(viewer), session_of(viewer)
    with log_of(viewer).step(f"Restored {path.name}"):
        _open(viewer, saved.values["files"])
        with notified():
            stars = drawable(viewer, saved.values["apertures"])
        rows = tuple(path for path in saved.values["row_files"] if _is_usable(path))
        for name, value in {**saved.values, "apertures": tuple(stars), "row_files": rows}.items():
            if name not in ("files", "layout"):
                setattr(session, name, value)
        _lay_out(viewer, saved.values)
        missing = (path for path in saved.values["files"] if path in saved.missing)
        session.files = tuple(dict.fromkeys((*session.files, *missing)))
    log_of(viewer).walked.emit()
    keeper.go_on_in(None if saved.is_in_use else path.absolute())
    in_use = (
        (f"{path.name} is open in another window: this one goes on in a file of its own",) if saved.is_in_use else ()
    )
    return (*saved.problems, *in_use)


def _open(viewer: ViewerModel, files: Sequence[Path]) -> None:
    """Open files that are there and not open yet; what cannot be read is told."""
    for path in files:
        if path.exists() and path not in open_paths(viewer):
            with notified():
                add_file(viewer, path)


def _is_usable(path: Path) -> bool:
    """Tell whether a file can be aligned, or may be when it is found again; one that cannot is told."""
    if path.is_file():
        with notified():
            read_file(path)
            return True
        return False
    return True


def _lay_out(viewer: ViewerModel, values: Mapping[str, Any]) -> None:
    """Draw everything where it was."""
    stage = stage_of(viewer)
    if values["layout"] != layout_of(viewer):
        with notified():
            show_layout(viewer, values["layout"])
    stage.place()
    stage.note_files()
    look_at_all(viewer)
