"""The plain files: JSON and ECSV tables; and checksums."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from napari_kmos.errors import KmosError, NotKmosError, WriteError
from napari_kmos.io import cache
from napari_kmos.io.atomic import atomic_path
from napari_kmos.io.text import check_first_lines, read_text

#: Checksums of files from this size on are kept on disk.
_KEPT_BYTES = 64 * 2**20


def checksum(path: Path | str) -> str:
    """Return the SHA-256 of a file's content, read in pieces, and once for each size and date it has.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    """
    try:
        state = Path(path).stat()
        return _digest(Path(path).resolve(), state.st_mtime_ns, state.st_size)
    except OSError as err:
        msg = f"{path}: cannot be read ({err.strerror})"
        raise NotKmosError(msg) from err


@functools.lru_cache(maxsize=4096)
def _digest(path: Path, mtime_ns: int, size: int) -> str:
    """SHA-256 of a file in a state: a step with many products from the same inputs reads them once.

    That of a large file, which takes longer than many a step, is kept for the next step too.
    """
    digests: list[str] = []

    def write(target: Path) -> None:
        digests.append(_read_digest(path))
        target.write_text(digests[0], encoding="ascii")

    if size >= _KEPT_BYTES:
        with suppress(WriteError):  # no room, or none to be kept: then it is computed each time
            kept = cache.find_or_make((str(path), size, mtime_ns), "sha256", 64, write)
            digests = digests or [kept.read_text(encoding="ascii")]
    return digests[0] if digests else _read_digest(path)


def _read_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(content: Mapping[str, Any], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a JSON file, atomically; NaN and infinity become null, numpy scalars plain numbers."""
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(json_text(content) + "\n", encoding="utf-8")
    return Path(path)


def json_text(content: Any) -> str:
    """Return JSON that any reader takes: no NaN, numpy numbers and paths as plain values."""
    return json.dumps(_plain(content), indent=2, allow_nan=False)


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON object.

    Raises
    ------
    NotKmosError
        If the file cannot be read or holds something else.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as err:
        reason = str(err).removeprefix(f"{path}: ")
        msg = f"{path}: cannot be read as JSON ({reason})"
        raise NotKmosError(msg) from err
    if not isinstance(content, dict):
        msg = f"{path}: holds a {type(content).__name__}; expected a JSON object"
        raise NotKmosError(msg)
    return content


def write_table(table: Table, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write an ECSV table, atomically."""
    with atomic_path(path, overwrite) as temporary:
        table.write(temporary, format="ascii.ecsv", overwrite=True)
        _quote_hashes(temporary)
    return Path(path)


def _quote_hashes(path: Path) -> None:
    """Quote the first value of a row where it starts with ``#``: astropy reads such a row as a comment."""
    lines = path.read_text(encoding="utf-8").split("\n")
    names = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    lines[names + 1 :] = [re.sub(r"^#\S*", r'"\g<0>"', line) for line in lines[names + 1 :]]
    path.write_text("\n".join(lines), encoding="utf-8")


def read_table(path: Path | str, *, required: Iterable[str] = ()) -> Table:
    """Read an ECSV table and check that it has the columns needed.

    Raises
    ------
    NotKmosError
        If the file cannot be read as a table.
    KmosError
        If a required column is missing.
    """
    try:
        check_first_lines(Path(path))
        table = Table.read(read_text(path).split("\n"), format="ascii.ecsv")  # a path may be of something compressed
    except Exception as err:  # table readers raise whatever their parsers meet
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        msg = f"{path}: cannot be read as an ECSV table ({reason})"
        raise NotKmosError(msg) from err
    missing = [name for name in required if name not in table.colnames]
    if missing:
        msg = f"{path}: column {', '.join(missing)} missing; it has {', '.join(table.colnames) or 'no columns'}"
        raise KmosError(msg)
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, (bool, int, str)) or value is None else str(value)
