"""Shifts by whole pixels that were found by eye: ``ifu<n>_half<h>_xy_plus.txt``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from napari_kmos import instrument
from napari_kmos.errors import KmosError
from napari_kmos.io.text import read_text

_NAME = re.compile(r"ifu_?(\d+)(?:_half_?(\d+))?_xy_plus\.txt$", re.IGNORECASE)
_HALVES = (1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class XyPlus:
    """How many pixels further the window of an IFU was cut out of its mosaic, so that its stars fell where they belong.

    Parameters
    ----------
    ifu : int
        1-24.
    half : int, optional
        1 or 2; None is the whole IFU.
    x, y : float
        Columns to the right and rows up: the stars themselves move to the left and down by as much.
    """

    ifu: int
    half: int | None = None
    x: float
    y: float


def is_xy_plus(path: Path | str) -> bool:
    """Tell by its name whether a file is one of these."""
    return _NAME.search(Path(path).name) is not None


def read_xy_plus(path: Path | str) -> XyPlus:
    """Read ``ifu<n>_half<h>_xy_plus.txt`` or ``ifu<n>_xy_plus.txt``: a line of two numbers below ``# xp, yp``.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    KmosError
        If its name tells no IFU or half that there is, or it is not two numbers.
    """
    named = _NAME.search(Path(path).name)
    ifu, half = (int(named[1]), None if named[2] is None else int(named[2])) if named else (0, None)
    if ifu not in instrument.ARMS or half not in (None, *_HALVES):
        msg = f"{path}: its name tells no IFU and half; expected ifu<1 to {instrument.N_ARMS}>_half<1 or 2>_xy_plus.txt"
        raise KmosError(msg)
    lines = [line.partition("#")[0].replace(",", " ").split() for line in read_text(path).splitlines()]
    try:
        ((x, y),) = ((float(one), float(other)) for one, other in filter(None, lines))
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        msg = f"{path}: expected one line of two numbers, columns and rows in pixels, below '# xp, yp'"
        raise KmosError(msg)
    return XyPlus(ifu=ifu, half=half, x=x, y=y)
