"""Stamps beside the files of the cache: what a file was made from, and how its bytes begin and end."""

from __future__ import annotations

import functools
import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_kmos.io.atomic import atomic_path

#: Resolved path, size in bytes and modification time in ns of the source file, then whatever else decides the values.
Identity = tuple[Any, ...]

_ENDING = ".stamp.json"
#: So much of a file's beginning and end is checked whenever it is looked up.
_END_BYTES = 64 * 2**10
_KEYS = {"source", "source_bytes", "source_mtime_ns", "n_bytes", "crc32"}


def read_stamp(path: Path) -> dict[str, Any] | None:
    """Return what the stamp of a file says; None without one that can be read."""
    try:
        stamp = json.loads(_stamp_of(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(stamp, dict) and stamp.keys() >= _KEYS and isinstance(stamp["source"], str)
    return stamp if is_whole else None


def write_stamp(path: Path, made: Path, identity: Identity) -> None:
    """Write the stamp of a file that was made under another name."""
    stat = made.stat()
    source, size, mtime_ns = identity[:3]
    stamp = {
        "source": str(source),
        "source_bytes": size,
        "source_mtime_ns": mtime_ns,
        "n_bytes": stat.st_size,
        "crc32": _ends(made, stat.st_mtime_ns),
    }
    with atomic_path(_stamp_of(path), overwrite=True) as temporary:
        temporary.write_text(json.dumps(stamp, indent=1), encoding="utf-8")


def is_current(stamp: dict[str, Any]) -> bool:
    """Tell whether the source is what it was when a file was made from it."""
    try:
        stat = Path(stamp["source"]).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (stamp["source_bytes"], stamp["source_mtime_ns"])


def is_sound(path: Path, stamp: dict[str, Any]) -> bool:
    """Tell whether a file has the length, the beginning and the end that it was written with."""
    try:
        stat = path.stat()
        return bool(stat.st_size == stamp["n_bytes"] and _ends(path, stat.st_mtime_ns) == stamp["crc32"])
    except OSError:
        return False


def touch(path: Path) -> None:
    """Note that a file was used."""
    with suppress(OSError):
        os.utime(_stamp_of(path))


def current_files(folder: Path) -> list[Path]:
    """Return the files whose sources are what they were, the least recently used first; the others are removed."""
    current = []
    for stamp in sorted(folder.glob(f"*/*{_ENDING}"), key=_last_use):
        path = stamp.with_name(stamp.name.removesuffix(_ENDING))
        said = read_stamp(path)
        if said is None or not is_current(said):
            remove(path)
        elif path.exists():  # the stamp comes first: the file of another process may just be about to
            current.append(path)
    return current


def size_of(path: Path) -> int:
    """Return the size of a file; 0 of a folder, and where another process has removed it."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def remove(path: Path) -> None:
    """Remove a file, its stamp, and their folder if it is empty then; another process may do the same."""
    for one in (path, _stamp_of(path)):
        with suppress(OSError):
            one.unlink()
    with suppress(OSError):
        path.parent.rmdir()


def _stamp_of(path: Path) -> Path:
    return path.with_name(path.name + _ENDING)


@functools.lru_cache(maxsize=256)
def _ends(path: Path, _mtime_ns: int) -> int:
    """Checksum of the first and last bytes of a file, taken once for each state of it."""
    with path.open("rb") as stream:
        start = stream.read(_END_BYTES)
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
        return zlib.crc32(stream.read(_END_BYTES), zlib.crc32(start))


def _last_use(stamp: Path) -> float:
    try:
        return stamp.stat().st_mtime
    except OSError:
        return 0.0
