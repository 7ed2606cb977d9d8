"""How a file is named in another one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def relative_name(path: Path, folder: Path) -> str:
    """Return a path relative to a folder where the two have more in common than the root."""
    absolute = path.absolute()
    try:
        shared = Path(os.path.commonpath([absolute, folder]))
    except ValueError:  # two drives
        return str(absolute)
    return str(absolute) if shared == Path(shared.anchor) else Path(os.path.relpath(absolute, folder)).as_posix()


def names_apart(paths: Sequence[Path]) -> list[str]:
    """Return names of files, with as many of their folders as tell them apart; of a file given twice the same twice.

    Examples
    --------
    >>> names_apart([Path("/a/first/cube.fits"), Path("/a/second/cube.fits")])
    ['first/cube.fits', 'second/cube.fits']
    """
    whole = [path.resolve() for path in paths]
    depths = range(1, max(len(path.parts) for path in whole) + 1)
    tails = ([Path(*path.parts[-depth:]).as_posix() for path in whole] for depth in depths)
    return next(names for names in tails if len(set(names)) == len(set(whole)))
