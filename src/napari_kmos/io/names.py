"""How a file is named in another one."""

from __future__ import annotations

import os
from pathlib import Path


def relative_name(path: Path, folder: Path) -> str:
    """Return a path relative to a folder where the two have more in common than the root."""
    absolute = path.absolute()
    try:
        shared = Path(os.path.commonpath([absolute, folder]))
    except ValueError:  # two drives
        return str(absolute)
    return str(absolute) if shared == Path(shared.anchor) else Path(os.path.relpath(absolute, folder)).as_posix()
