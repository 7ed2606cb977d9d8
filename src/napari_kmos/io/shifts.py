"""Files for the pipeline's `kmos_combine`: shifts of the frames, and sets of frames (SOF)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from napari_kmos.errors import KmosError, KmosWarning, NotKmosError
from napari_kmos.io.text import read_text, write_text

#: Tag of a frame by the product category of its file. Cubes after the sky subtraction stand in for single cubes.
_TAGS = {"SINGLE_CUBES": "SINGLE_CUBES", "SKY_TWEAK": "SINGLE_CUBES", "OBJECT_S": "SINGLE_CUBES"}
_DEFAULT_TAG = "SCI_RECONSTRUCTED"
#: Tags of frames that `kmos_combine` reads beside those it combines.
_OTHER_TAGS = ("OH_SPEC",)


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
    return write_text(shifts_text(displacements), path, overwrite=overwrite)


def shifts_text(displacements: Iterable[tuple[float, float]]) -> str:
    """Return what a shift file holds, see `write_shifts`."""
    # adding zero turns -0.0 into 0.0
    return "".join(f"{round(dx, 4) + 0.0:.4f} {round(dy, 4) + 0.0:.4f}\n" for dx, dy in displacements)


def combine_tag(category: str) -> str:
    """Return the tag of a frame that `kmos_combine` combines by its product category."""
    return _TAGS.get(category, _DEFAULT_TAG)


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
    lines = [f"{frame.absolute()} {combine_tag(category)}\n" for frame, category in frames]
    return write_text("".join(lines), path, overwrite=overwrite)


def read_shifts(path: Path | str) -> tuple[tuple[float, float], ...]:
    """Read a shift file; empty lines and those that begin with ``#`` do not matter.

    Parameters
    ----------
    path : path
        Two columns, dx and dy in pixels, a line a frame but the first.

    Returns
    -------
    tuple of (dx, dy)
        dx = x_i - x_0 and dy = y_0 - y_i of one point of the sky, for each frame i after the first.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    KmosError
        If a line is not two numbers, or there is none.
    """
    shifts = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            dx, dy = map(float, words)
        except ValueError:
            dx = dy = math.nan
        if not (math.isfinite(dx) and math.isfinite(dy)):
            msg = f"{path}, line {number}: {line.strip()[:80]!r}; expected a shift file: two numbers a line, dx and dy "
            raise KmosError(msg + "in pixels")
        shifts.append((dx, dy))
    if not shifts:
        msg = f"{path}: has no shift; expected a line a frame but the first, with dx and dy in pixels"
        raise KmosError(msg)
    return tuple(shifts)


def read_sof(path: Path | str) -> tuple[Path, ...]:
    """Read which frames a set of frames combines, in its order.

    Parameters
    ----------
    path : path
        A line a frame: its path and its tag. Empty lines, those that begin with ``#`` and frames that are not combined
        (OH_SPEC) do not matter; relative paths are relative to the folder of the file.

    Raises
    ------
    NotKmosError
        If the file cannot be read, or holds no frame.
    """
    lines = [
        line.strip().rsplit(maxsplit=1) for line in read_text(path).splitlines() if line.strip()[:1] not in ("", "#")
    ]
    frames = tuple(Path(path).parent / words[0] for words in lines if words[-1] not in _OTHER_TAGS)
    if not frames:
        msg = f"{path}: names no frame; expected a set of frames (SOF): a line a frame, its path and its tag"
        raise NotKmosError(msg)
    return frames
