"""A session on disk: what is written of it, and what becomes of that when it is read again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import WriteError
from napari_kmos.io.names import relative_name
from napari_kmos.io.session_file import (
    DataFile,
    SessionFile,
    found_again,
    is_the_same,
    path_in,
    read_session,
    write_session,
)
from napari_kmos.session.state import Alignment, Session, decisions
from napari_kmos.session.values import from_plain, to_plain

if TYPE_CHECKING:
    from napari_kmos.offset import Offset

#: Fields that name data files.
_DATA = ("files", "row_files", "objects", "skies", "inputs", "plotted")
_CHANGED = "the file has changed since: look at it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was read of a session.

    Parameters
    ----------
    values : mapping
        Every decision, by the name of the field; what the file does not tell is as in a new session.
    problems : tuple of str
        What was left out, and which files are missing or others now.
    missing : tuple of Path
        Data files that were not found; decisions about them stay.
    is_in_use : bool
        Whether another process has the session open.
    """

    values: Mapping[str, Any]
    problems: tuple[str, ...]
    missing: tuple[Path, ...]
    is_in_use: bool


def data_files(values: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the data files of which decisions speak, whole paths, each once; folders of them are none."""
    named = dict.fromkeys(path.absolute() for name in _DATA for path in values[name])
    return tuple(path for path in named if not path.is_dir())


def save(
    values: Mapping[str, Any], places: Sequence[Path], *, files: Iterable[DataFile] = (), is_closed: bool = False
) -> Path:
    """Write what was decided to the first of some places that can be written to, and return which.

    Raises
    ------
    WriteError
        If none of them can.
    """
    nothing = decisions(Session())
    made = {name: value for name, value in values.items() if value != nothing[name]}
    files, problem = tuple(files), None
    for place in places:
        folder = place.absolute().parent
        plain = to_plain(made, partial(relative_name, folder=folder))
        try:
            return write_session(SessionFile(decisions=plain, files=files), place, is_closed=is_closed)
        except WriteError as err:
            problem = err
    msg = f"the session cannot be kept, neither beside the data nor for the user: {problem}"
    raise WriteError(msg) from problem


def load(path: Path, *, ask: Callable[[Path], Path | None] = lambda _path: None) -> Saved:
    """Read a session.

    Parameters
    ----------
    path : Path
        Session file.
    ask : callable
        Asked for each data file that is neither where it was nor beside the session file; returns where it is now, or
        None if nobody knows.

    Raises
    ------
    NotKmosError
        If it cannot be read, is none, or was written by a newer version.
    """
    content, folder = read_session(path), path.absolute().parent
    places = {one.path: found_again(one, folder) or ask(one.path) for one in content.files}
    others = [one.path for one in content.files if (place := places[one.path]) and not is_the_same(one, place)]
    missing = tuple(name for name, place in places.items() if place is None)

    def path_of(name: str) -> Path:
        named = path_in(folder, name)
        return places.get(named) or named

    values, problems = from_plain(content.decisions, path_of)
    problems += tuple(f"{name.name}: has changed since" for name in others)
    problems += tuple(f"{name.name}: is not at {name}, and what was decided of it is kept" for name in missing)
    if not values.get("out_dir", folder).is_relative_to(folder):
        problems += (f"products do not go to {values.pop('out_dir')}, which is elsewhere: choose the folder again",)
    changed = {str(places[name]) for name in others}
    alignment = values.get("alignment", Alignment())
    offsets = tuple(doubted(one) if one.file in changed else one for one in alignment.offsets)
    values["alignment"] = dataclasses.replace(alignment, offsets=offsets)
    return Saved(
        values={**decisions(Session()), **values}, problems=problems, missing=missing, is_in_use=content.is_in_use
    )


def doubted(offset: Offset) -> Offset:
    """Return what was decided of a file that is another now: it has to be looked at."""
    return dataclasses.replace(offset, accepted=False, decision="", note=_CHANGED)
