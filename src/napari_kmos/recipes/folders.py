"""What folders hold that somebody named: looked for near, as anybody may name the root of a disk."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

#: Folders below that which was named: those of epochs, and of the spectra in each.
_DEPTH = 2


def files_below(folder: Path, pattern: str, *, depth: int = _DEPTH) -> list[Path]:
    """Return files of a folder and of those below it, sorted by path.

    Parameters
    ----------
    folder : Path
        What cannot be read, or vanishes meanwhile, holds nothing.
    pattern : str
        Of the names of files, as in a shell.
    depth : int
        So many folders below each other are looked into; hidden ones are not.
    """
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return []
    found = [path for path in inside if fnmatchcase(path.name, pattern) and path.is_file()]
    if depth > 0:
        for path in inside:
            if not path.name.startswith(".") and path.is_dir():
                found += files_below(path, pattern, depth=depth - 1)
    return sorted(found)
