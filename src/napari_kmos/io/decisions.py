"""What was decided of offsets, kept while it is decided: beside the data, so that nothing is lost with the program.

One JSON file a folder, an entry a data file: its offsets, and the proposals they were decided by. Where the folder
cannot be written to, the file is in the user's state folder, under the name of the folder.
"""

from __future__ import annotations

import dataclasses
import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from napari_kmos.errors import AlignmentError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io.atomic import safe_name
from napari_kmos.io.records import read_json, write_json
from napari_kmos.offset import Offset

NAME = "napari-kmos_decisions.json"
_FORMAT, _VERSION = "napari-kmos decisions", 1
_NUMBERS = ("dra_arcsec", "ddec_arcsec", "err_arcsec")
_BROKEN = ".unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What is known of a data file.

    Parameters
    ----------
    offsets : tuple of Offset
        Where its IFUs were put, with what was decided.
    proposals : tuple of Offset
        What was measured of them.
    has_changed : bool
        Whether the data file is no longer what it was.
    """

    offsets: tuple[Offset, ...] = ()
    proposals: tuple[Offset, ...] = ()
    has_changed: bool = False


def read_decisions(files: Iterable[Path]) -> dict[Path, Decisions]:
    """Return what was kept of data files; those of which nothing is known are left out.

    Warns
    -----
    KmosWarning
        If a file of decisions cannot be read; it is put aside under another name, and nothing is lost.
    """
    found: dict[Path, Decisions] = {}
    for folder, paths in _by_folder(files).items():
        entries: dict[str, Mapping[str, Any]] = {}
        for place in _places(folder):
            for name, entry in _entries(place).items():
                if name not in entries or str(entry.get("saved")) > str(entries[name].get("saved")):
                    entries[name] = entry
        found |= {path: _decisions(path, entries[path.name]) for path in paths if path.name in entries}
    return found


def write_decisions(known: Mapping[Path, Decisions]) -> tuple[Path, ...]:
    """Keep what is known of data files, in place of what was kept of them; entries of other files stay.

    Returns
    -------
    tuple of Path
        The files written, one a folder of the data.

    Raises
    ------
    WriteError
        If neither the folder of the data nor the user's state folder can be written to.
    """
    return tuple(
        _write(folder, {path.name: _entry(path, known[path]) for path in paths})
        for folder, paths in _by_folder(known).items()
    )


def _by_folder(files: Iterable[Path]) -> dict[Path, list[Path]]:
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        folders[path.absolute().parent].append(path)
    return folders


def _places(folder: Path) -> tuple[Path, Path]:
    """Where the decisions of a folder may be: beside the data first."""
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    state = user_state_path("napari-kmos", appauthor=False)
    return folder / NAME, state / "decisions" / f"{safe_name(folder.name)}-{key}.json"


def _write(folder: Path, entries: Mapping[str, Any]) -> Path:
    """Write beside the data, else to the user's state folder."""
    problem = None
    for place in _places(folder):
        content = {"format": _FORMAT, "version": _VERSION, "files": {**_entries(place), **entries}}
        try:
            return write_json(content, place, overwrite=True)
        except WriteError as err:
            problem = err
    msg = f"decisions cannot be kept, neither beside the data nor for the user: {problem}"
    raise WriteError(msg) from problem


def _entries(place: Path) -> dict[str, Any]:
    """Return the entries of a file of decisions; none if there is no such file, or none of ours."""
    if not place.is_file():
        return {}
    try:
        content = read_json(place)
        if (content.get("format"), content.get("version")) != (_FORMAT, _VERSION):
            msg = f"{place}: is {content.get('format')} version {content.get('version')}, expected version {_VERSION}"
            raise NotKmosError(msg)
        return dict(content["files"])
    except (NotKmosError, KeyError, TypeError, ValueError) as err:
        aside = place.with_name(place.name + _BROKEN)
        with suppress(OSError):
            place.replace(aside)
        warnings.warn(f"{err}; it is now {aside.name}, and decisions begin anew", KmosWarning, stacklevel=4)
        return {}


def _entry(path: Path, known: Decisions) -> dict[str, Any]:
    """Return the entry of a data file."""
    rows = {name: [_row(row) for row in getattr(known, name)] for name in ("offsets", "proposals")}
    saved = datetime.now(UTC).isoformat(timespec="milliseconds")
    return {"stamp": _stamp(path), "saved": saved, **rows}


def _row(row: Offset) -> dict[str, Any]:
    """Return a row without what the opened files decide."""
    return {name: value for name, value in dataclasses.asdict(row).items() if name not in ("exposure", "file")}


def _stamp(path: Path) -> list[int]:
    """Size and time of a data file; nothing where it is gone."""
    with suppress(OSError):
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]
    return []


def _decisions(path: Path, entry: Mapping[str, Any]) -> Decisions:
    """Return what an entry tells of a data file."""
    try:
        offsets, proposals = (tuple(_offset(path, row) for row in entry[name]) for name in ("offsets", "proposals"))
    except (KeyError, TypeError, ValueError, AlignmentError) as err:
        text = f"{path.name}: what was kept of its offsets cannot be understood ({err}); it is left out"
        warnings.warn(text, KmosWarning, stacklevel=4)
        return Decisions()
    return Decisions(offsets=offsets, proposals=proposals, has_changed=entry.get("stamp") != _stamp(path))


def _offset(path: Path, row: Mapping[str, Any]) -> Offset:
    numbers = {name: float("nan") if row[name] is None else float(row[name]) for name in _NUMBERS}
    second: Sequence[float] | None = row["runner_up"]
    runner_up = None if second is None else (float(second[0]), float(second[1]))
    return Offset(**{**row, **numbers, "runner_up": runner_up, "exposure": 0, "file": str(path)})
