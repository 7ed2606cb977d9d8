"""Session files: all that was decided in a viewer, kept while it is decided, in one JSON file beside the data.

The file holds plain data only. What they mean is known by `napari_kmos.session`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from napari_kmos._version import __version__
from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io.atomic import is_running, safe_name
from napari_kmos.io.names import relative_name
from napari_kmos.io.records import checksum, read_json, write_json

#: How the names of session files end.
ENDING = "_session.json"
_FORMAT, _VERSION = "napari-kmos session", 1
_KEYS = {"decisions": dict, "files": list}
#: Of so many session files of a folder, the newest ones, is looked whether they were left open.
_MOST_LOOKED_AT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file as a session knows it.

    Parameters
    ----------
    path : Path
        Where it is, or was.
    size, mtime_ns : int, optional
        In bytes; in ns. None where it was not there.
    sha256 : str, optional
        Its checksum; None where it was not computed.
    """

    path: Path
    size: int | None = None
    mtime_ns: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFile:
    """What a session file holds.

    Parameters
    ----------
    decisions : mapping
        Plain data by the name of the field; files by their names relative to the folder of the session file.
    files : tuple of DataFile
        The data files that are named there.
    host, pid : str, int
        Computer and process that have it open; empty and 0 if it was closed.
    saved : str
        When it was written.
    """

    decisions: Mapping[str, Any]
    files: tuple[DataFile, ...] = ()
    host: str = ""
    pid: int = 0
    saved: str = ""

    @property
    def is_left_open(self) -> bool:
        """Whether who wrote it ended without closing it."""
        return self.pid != 0 and not self.is_in_use

    @property
    def is_in_use(self) -> bool:
        """Whether who wrote it is still at work; of other computers nobody knows, and they are believed to be."""
        return self.pid != 0 and (self.host != socket.gethostname() or is_running(self.pid))


def known_file(path: Path, *, with_checksum: bool = True) -> DataFile:
    """Return a data file as it is now."""
    try:
        stat = path.stat()
        digest = checksum(path) if with_checksum and path.is_file() else None
    except (OSError, KmosError):
        return DataFile(path=path)
    return DataFile(path=path, size=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=digest)


def new_places(files: Sequence[Path], moment: datetime) -> tuple[Path, Path]:
    """Return where a new session on some files may be written: beside the first of them, or else for the user."""
    folder, name = files[0].absolute().parent, f"kmos_{moment:%Y%m%d-%H%M%S}-{os.getpid()}{ENDING}"
    return folder / name, _state_folder(folder) / name


def write_session(content: SessionFile, path: Path, *, is_closed: bool = False) -> Path:
    """Write a session, in place of what is there; atomically.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    folder = path.absolute().parent
    whole = {
        "format": _FORMAT,
        "version": _VERSION,
        "program": f"napari-kmos {__version__}",
        "saved": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "open_in": None if is_closed else {"host": socket.gethostname(), "pid": os.getpid()},
        "files": [{**dataclasses.asdict(one), "path": relative_name(one.path, folder)} for one in content.files],
        "decisions": content.decisions,
    }
    return write_json(_sorted(whole), path, overwrite=True)


def close_session(path: Path) -> None:
    """Note that a session which was left open is not to be offered any more; nothing else of it changes.

    Raises
    ------
    KmosError
        If it cannot be read or written.
    """
    write_json({**read_json(path), "open_in": None}, path, overwrite=True)


def read_session(path: Path) -> SessionFile:
    """Read a session file; one of an earlier version is understood, too.

    Raises
    ------
    NotKmosError
        If it cannot be read, is none, or was written by a newer version.
    """
    content = read_json(path)
    version = content.get("version")
    if content.get("format") != _FORMAT or not isinstance(version, int) or isinstance(version, bool):
        msg = f"{path}: is no session of napari-kmos; expected a file as its docks write it"
        raise NotKmosError(msg)
    if version > _VERSION or version < 0:
        msg = (
            f"{path}: is of version {version}, and this program knows versions up to {_VERSION}; "
            "open it with a newer napari-kmos (pip install --upgrade napari-kmos)"
        )
        raise NotKmosError(msg)
    while version < _VERSION:
        content = _MIGRATIONS[version](content)
        version += 1
    wrong = [name for name, kind in _KEYS.items() if not isinstance(content.get(name), kind)]
    if wrong:
        msg = f"{path}: {wrong[0]} is missing or damaged; take an older copy of the file"
        raise NotKmosError(msg)
    folder = path.absolute().parent
    files = tuple(one for entry in content["files"] if (one := _data_file(entry, folder)) is not None)
    return SessionFile(decisions=content["decisions"], files=files, **_opener(content), saved=str(content.get("saved")))


def sessions_among(paths: Iterable[Path | str]) -> list[Path]:
    """Return the session files among some files.

    Raises
    ------
    NotKmosError
        As `read_session`, if one of them cannot be restored.
    """
    sessions = [path for path in map(Path, paths) if path.name.endswith(ENDING)]
    for path in sessions:
        read_session(path)
    return sessions


def path_in(folder: Path, name: str) -> Path:
    """Return the file of a name that stands in a session file in a folder."""
    return Path(os.path.normpath(folder.absolute() / name))


def found_again(known: DataFile, folder: Path) -> Path | None:
    """Return where a data file is: where it was, else a file of its name and content in a folder; None if nowhere."""
    there = folder / known.path.name
    with suppress(OSError):  # names that no system takes
        if known.path.is_file():
            return known.path
        if there.is_file() and is_the_same(known, there):
            return there
    return None


def is_the_same(known: DataFile, path: Path) -> bool:
    """Tell whether a file is what a data file was: by size and time, else by its checksum."""
    now = known_file(path, with_checksum=False)
    if now.size is None or (known.size is not None and now.size != known.size):
        return False
    if known.mtime_ns == now.mtime_ns and known.size is not None:
        return True
    return known.sha256 is not None and known_file(path).sha256 == known.sha256


def left_open(files: Iterable[Path]) -> list[Path]:
    """Return the sessions on any of some files that nobody closed, as after a crash; the newest first."""
    files = {path.absolute() for path in files}
    folders = dict.fromkeys(path.parent for path in files)
    found: dict[Path, str] = {}
    for place in (one for folder in folders for one in _sessions_of(folder)):
        with suppress(KmosError):
            content = read_session(place)
            if content.is_left_open and files & {one.path for one in content.files}:
                found[place] = content.saved
    return sorted(found, key=lambda place: found[place], reverse=True)


def _sessions_of(folder: Path) -> list[Path]:
    """Return the newest session files of a folder, beside the data and those for the user."""
    found = []
    for place in (one for each in (folder, _state_folder(folder)) for one in each.glob(f"*{ENDING}")):
        with suppress(OSError):
            found.append((place.stat().st_mtime, place))
    return [place for _, place in sorted(found, reverse=True)[:_MOST_LOOKED_AT]]


def _state_folder(folder: Path) -> Path:
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return user_state_path("napari-kmos", appauthor=False) / "sessions" / f"{safe_name(folder.name)}-{key}"


def _data_file(entry: Any, folder: Path) -> DataFile | None:
    """Return a data file of an entry; None if it names none."""
    name = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name or not name.isprintable():
        return None
    size, mtime_ns = (entry.get(key) if isinstance(entry.get(key), int) else None for key in ("size", "mtime_ns"))
    digest = entry.get("sha256") if isinstance(entry.get("sha256"), str) else None
    return DataFile(path=path_in(folder, name), size=size, mtime_ns=mtime_ns, sha256=digest)


def _opener(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return who has a session open."""
    opener = content.get("open_in")
    host, pid = (opener.get("host"), opener.get("pid")) if isinstance(opener, dict) else ("", 0)
    is_known = isinstance(host, str) and isinstance(pid, int) and 0 < pid < 2**31
    return {"host": host, "pid": pid} if is_known else {}


def _sorted(value: Any) -> Any:
    """Return a value with its names in the order of the alphabet, so that two files can be compared."""
    if isinstance(value, Mapping):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def _from_0(content: Mapping[str, Any]) -> dict[str, Any]:
    """Version 0 called the decisions state, and named the data files only."""
    names = content.get("open_files", [])
    files = [{"path": name} for name in names] if isinstance(names, list) else None
    return {**content, "version": 1, "decisions": content.get("state"), "files": files}


#: What makes a file of a version one of the next.
_MIGRATIONS: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = {0: _from_0}
