"""Plain text and TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from napari_kmos.errors import NotKmosError
from napari_kmos.io.atomic import atomic_path


def write_text(text: str, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a text file, atomically.

    Raises
    ------
    WriteError
        If it exists or cannot be written.
    """
    with atomic_path(path, overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(path)


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    NotKmosError
        If the file cannot be read or is not TOML.
    """
    try:
        with Path(path).open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else str(err)
        msg = f"{path}: cannot be read as TOML ({reason})"
        raise NotKmosError(msg) from err
