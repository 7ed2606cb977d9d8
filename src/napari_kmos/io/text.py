"""Plain text and TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io.atomic import atomic_path

#: A mosaic given by mistake is larger.
_MOST_BYTES = 2**26
_MOST_LETTERS = 100_000


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


def read_text(path: Path | str) -> str:
    """Read a text file.

    Raises
    ------
    NotKmosError
        If the file cannot be read, is larger than 64 MiB, or is not text.
    """
    try:
        if Path(path).stat().st_size > _MOST_BYTES:
            msg = f"{path}: larger than {_MOST_BYTES // 2**20} MiB; expected text that people write or read"
            raise NotKmosError(msg)
        return Path(path).read_text(encoding="utf-8")
    except KmosError:
        raise
    except (OSError, ValueError) as err:
        reason = err.strerror if isinstance(err, OSError) else "it is not UTF-8 text"
        msg = f"{path}: cannot be read ({reason})"
        raise NotKmosError(msg) from err


def check_first_lines(path: Path) -> None:
    """Refuse a text table whose first lines are too long to be names of columns: astropy would take for ever over them.

    Raises
    ------
    NotKmosError
        If a line before the first row is longer than 100,000 letters.
    """
    with path.open("rb") as stream:
        while line := stream.readline(_MOST_LETTERS + 1):
            if len(line) > _MOST_LETTERS:
                msg = f"{path}: its first lines are longer than {_MOST_LETTERS} letters; expected a table"
                raise NotKmosError(msg)
            if line.strip() and not line.startswith(b"#"):
                return


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    NotKmosError
        If the file cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as err:  # whole numbers of thousands of digits, brackets within brackets
        if isinstance(err, NotKmosError):
            raise
        msg = f"{path}: cannot be read as TOML ({err})"
        raise NotKmosError(msg) from err
