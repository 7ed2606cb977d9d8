"""What is cut out of a mosaic, and what tells where it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from napari_kmos.errors import KmosError
from napari_kmos.instrument import ARMS, N_ARMS
from napari_kmos.io import find_log


@dataclass(frozen=True, slots=True, kw_only=True)
class CutParameters:
    """What is cut out of a mosaic.

    Parameters
    ----------
    ifus : str
        IFUs to cut out, as 1,3,5-13, or all of them.
    halves : bool
        Cut an IFU out for each half of an interrupted OB: what was exposed before and after its sky. Halves of a table
        are cut as the table has them.
    gap_minutes : float
        Shortest time without an exposure that counts as the interruption; the longest of each night is taken.
    origin : tuple of int, optional
        For a log: x, y of the mosaic's pixel, 1-based, with which an IFU of shift zero begins. By default the shifted
        IFUs end with the last row and column of the mosaic, as kmos_combine places them.

    Raises
    ------
    KmosError
        If a value makes no sense.
    """

    ifus: str = field(default="all", metadata={"metavar": "LIST"})
    halves: bool = True
    gap_minutes: float = 3.0
    origin: tuple[int, int] | None = field(default=None, metadata={"metavar": "X,Y"})

    def __post_init__(self) -> None:
        parse_ifus(self.ifus)
        if not 0 <= self.gap_minutes < math.inf:
            msg = f"gap_minutes is {self.gap_minutes:g}; expected a number of minutes, 0 or more"
            raise KmosError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutSource:
    """What tells where the IFUs lie in a mosaic: exposures, a log or a table.

    Parameters
    ----------
    exposures : sequence of path
        The exposures it is made of, by their coordinates and times; with a log, by their times alone.
    offsets : path, optional
        Offset table with which these were combined.
    log : path, optional
        Log of `kmos_combine`, or the folder that holds ``esorex.log``.
    table : path, optional
        ECSV, CSV or other text: ``ifu``, ``x``, ``y`` and, if need be, ``half``, ``n_x``, ``n_y``; x and y are the
        first pixel of the cut, 1-based as in ds9.

    Raises
    ------
    KmosError
        If none of the three is given, a table and another, or offsets with anything but exposures.
    """

    exposures: Sequence[Path] = ()
    offsets: Path | None = None
    log: Path | None = None
    table: Path | None = None

    def __post_init__(self) -> None:
        found = bool(self.exposures) or self.log is not None
        if found == (self.table is not None):
            msg = "where the IFUs are is told by exposures (--from), a log (--log), or a table (--table): give "
            raise KmosError(msg + ("one of them" if not found else "the table or the others"))
        if self.offsets is not None and (not self.exposures or self.log is not None):
            msg = "offsets correct the coordinates of exposures; expected these (--from) and neither log nor table"
            raise KmosError(msg)

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        log = None if self.log is None else find_log(self.log)
        single = (one for one in (self.offsets, log, self.table) if one is not None)
        return (*map(Path, self.exposures), *map(Path, single))


def parse_ifus(text: str) -> frozenset[int]:
    """Return the IFUs that a text such as ``"1,3,5-13"`` names; none if it is ``"all"``.

    Raises
    ------
    KmosError
        If it is written in another way, or KMOS has no such IFU.
    """
    if text.strip().lower() == "all":
        return frozenset()
    found: set[int] = set()
    try:
        for part in filter(None, text.replace(";", ",").replace(" ", "").split(",")):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1)) or {0}
    except ValueError as err:
        msg = f"ifus is {text!r}; expected numbers and ranges such as 1,3,5-13"
        raise KmosError(msg) from err
    if not found or not found <= set(ARMS):
        msg = f"ifus is {text!r}; expected numbers from 1 to {N_ARMS} and ranges that go upwards, such as 1,3,5-13"
        raise KmosError(msg)
    return frozenset(found)
