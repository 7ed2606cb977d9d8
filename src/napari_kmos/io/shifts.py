"""Files for the pipeline's `kmos_combine`: shifts of the frames, and sets of frames (SOF)."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_kmos.errors import KmosWarning
from napari_kmos.io.text import write_text

#: Tag of a frame by the product category of its file. Cubes after the sky subtraction stand in for single cubes.
_TAGS = {"SINGLE_CUBES": "SINGLE_CUBES", "SKY_TWEAK": "SINGLE_CUBES", "OBJECT_S": "SINGLE_CUBES"}
_DEFAULT_TAG = "SCI_RECONSTRUCTED"


def write_shifts(displacements: Iterable[tuple[float, float]], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a shift file: two columns, dx and dy in pixels, a line a frame but the first.

    Parameters
    ----------
    displacements : iterable of (dx, dy)
        dx = x_i - x_0 and dy = y_0 - y_i of one point of the sky, for each frame i after the first.
    path : path
        File to write.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If it exists or cannot be written.
    """
    # adding zero turns -0.0 into 0.0
    lines = [f"{round(dx, 4) + 0.0:.4f} {round(dy, 4) + 0.0:.4f}\n" for dx, dy in displacements]
    return write_text("".join(lines), path, overwrite=overwrite)


def write_sof(frames: Sequence[tuple[Path, str]], path: Path | str, *, overwrite: bool = False) -> Path:
    """Write a set of frames: a line a frame, its absolute path and its tag.

    Parameters
    ----------
    frames : sequence of (path, product category)
        In the order in which they are to be combined. Categories that are not known become SCI_RECONSTRUCTED.
    path : path
        File to write.
    overwrite : bool
        Replace an existing file.

    Raises
    ------
    WriteError
        If it exists or cannot be written.
    """
    spaced = [str(frame) for frame, _ in frames if any(letter.isspace() for letter in str(frame.absolute()))]
    if spaced:
        text = f"{spaced[0]}: white space in a path, which esorex cannot read; move or link the files elsewhere"
        warnings.warn(text, KmosWarning, stacklevel=2)
    lines = [f"{frame.absolute()} {_TAGS.get(category, _DEFAULT_TAG)}\n" for frame, category in frames]
    return write_text("".join(lines), path, overwrite=overwrite)
