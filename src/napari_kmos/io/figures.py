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
    _say_dollars(figure)
    with atomic_path(path, overwrite) as temporary:
        figure.savefig(temporary)
    return Path(path)


def _say_dollars(figure: Figure) -> None:
    """Let names with dollars stand as they are: between two of them matplotlib reads mathematics, or raises."""
    from matplotlib.axis import Axis, Tick
    from matplotlib.text import Text

    numbers = {one for tick in figure.findobj(Tick) for one in (tick.label1, tick.label2)}
    numbers |= {axis.offsetText for axis in figure.findobj(Axis)}
    for text in figure.findobj(Text):
        if text not in numbers and r"\$" not in text.get_text():
            text.set_parse_math(False)
