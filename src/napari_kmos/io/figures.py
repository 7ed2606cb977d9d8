"""Pictures as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: Figure, path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a matplotlib figure, atomically; the suffix says the format (.png, .pdf).

    Raises
    ------
    WriteError
        If the file exists and may not be replaced, or cannot be written.
    """
    with atomic_path(path, overwrite) as temporary:
        figure.savefig(temporary)
    return Path(path)
