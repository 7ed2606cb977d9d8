"""Which cubes of which files are combined into which product."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

MOSAIC = "mosaic"
#: Of what there is a product each, where nothing else is asked for.
EACH = ("target", "ifu", "half")
_SEPARATORS = re.compile(r"[;,\s]+")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Member:
    """A cube that is combined.

    Parameters
    ----------
    exposure : Exposure
        Where it is from.
    cube : Cube
        The cube of an arm, a mosaic, or the window of a mosaic with an IFU in it.
    half : int, optional
        1 before, 2 after the sky of the OB; None is not told, or both.
    own : ndarray of bool, shape (n_y, n_x), optional
        Spaxels of the cube that belong to this IFU; all if not given.
    """

    exposure: Exposure
    cube: Cube
    half: int | None = None
    own: NDArray[np.bool_] | None = None

    @property
    def label(self) -> str:
        """What to call it in a message."""
        half = "" if self.half is None else f" half {self.half}"
        if self.own is not None:
            return f"{self.exposure.label} {self.cube.label}{half}"
        return self.cube.source or f"{self.exposure.label} {self.cube.label}"


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The cubes of one product, and its name."""

    name: str
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        named = [(one, f"{one.cube.label} {one.half or ''}".rstrip()) for one in self.members]
        check_once([(one.exposure.path.resolve(), name) for one, name in named if one.exposure.path])


def check_once(given: Sequence[tuple[Path, str]]) -> None:
    """Refuse a cube or table given twice: noise would be too small, an exposure fit itself, an offset be twice as far.

    Raises
    ------
    KmosError
        If a pair of file and name of the cube, which may be empty, occurs more than once.
    """
    seen: set[tuple[Path, str]] = set()
    for path, cube in given:
        if (path, cube) in seen:
            msg = f"{path}: {cube or 'it'} is given twice; give it once"
            raise KmosError(msg)
        seen.add((path, cube))


def keep_files(paths: Sequence[Path], drop: Sequence[Path | str]) -> list[Path]:
    """Return the files without those that are to be dropped, each named by its path or the last part of it.

    Raises
    ------
    KmosError
        If one of these is not among the files, or nothing is left.
    """
    dropped = set()
    for word in drop:
        named = [path for path in paths if path.name == str(word) or path.resolve() == Path(word).resolve()]
        if not named:
            msg = f"{word} is to be dropped, but is none of the files: {', '.join(path.name for path in paths)}"
            raise KmosError(msg)
        dropped |= set(named)
    kept = [path for path in paths if path not in dropped]
    if not kept:
        msg = "all files are to be dropped; nothing is left"
        raise KmosError(msg)
    return kept


def select(
    members: Sequence[Sequence[Member]],
    *,
    name: str | None = None,
    ifus: str | int | Sequence[int] | None = None,
    mosaic: bool = False,
    each: str = "target",
) -> tuple[Selection, ...]:
    """Return what is to be combined: a product each target, IFU or half, or one target, IFUs by number, or all.

    Parameters
    ----------
    members : sequence of sequence of Member
        Of each file, in the order of the files.
    name : str, optional
        This target only.
    ifus : str, int or sequence of int, optional
        ``"3;1;24"``, one IFU a file in the order of the files, or one number for all files.
    mosaic : bool
        Everything on one grid.
    each : str
        One of `EACH`, if nothing else is asked for.

    Raises
    ------
    KmosError
        If more than one of these is asked for, there is no such target or IFU, the list has another length, an IFU of a
        file is given twice, or a cube does not tell its IFU or half where they matter.
    """
    if each not in EACH:
        msg = f"each is {each!r}, expected one of {', '.join(EACH)}"
        raise KmosError(msg)
    if sum((name is not None, ifus is not None, mosaic, each != "target")) > 1:
        msg = "name, ifus, mosaic and each exclude each other: ask for one target, a list of IFUs, a mosaic of all, or "
        raise KmosError(msg + "a product for each IFU")
    every = tuple(member for group in members for member in group)
    if mosaic:
        return (Selection(MOSAIC, every),)
    if ifus is not None:
        return (_by_ifu(members, ifus),)
    groups: dict[str, list[Member]] = defaultdict(list)
    for member in every:
        groups[_name_of(member, each)].append(member)
    if name is None:
        return tuple(Selection(one, tuple(groups[one])) for one in groups)
    if name not in groups:
        msg = f"no target {name!r} in the files; there are {', '.join(groups)}"
        raise KmosError(msg)
    return (Selection(name, tuple(groups[name])),)


def _name_of(member: Member, each: str) -> str:
    """Return the name of the product that a cube goes into."""
    cube = member.cube
    if each == "target":
        return cube.name or f"IFU{cube.ifu}"
    if cube.ifu is None:
        msg = f"{member.label}: does not tell which IFU it is; combine exposures, or cuts of a mosaic"
        raise KmosError(msg)
    if each == "ifu":
        return f"IFU{cube.ifu}"
    if member.half is None:
        msg = f"{member.label}: nothing tells its half: neither its offset, nor a longer time without an exposure; "
        raise KmosError(msg + "combine each IFU instead, or give offsets with a column half")
    return f"IFU{cube.ifu}_half{member.half}"


def _by_ifu(members: Sequence[Sequence[Member]], ifus: str | int | Sequence[int]) -> Selection:
    """Return one IFU of each file."""
    numbers = _numbers(ifus)
    if len(numbers) not in (1, len(members)):
        msg = f"{len(numbers)} IFUs for {len(members)} files: give one a file, in their order, or one number for all"
        raise KmosError(msg)
    wanted = numbers * len(members) if len(numbers) == 1 else numbers
    chosen = [one for group, ifu in zip(members, wanted, strict=True) for one in _with_ifu(group, ifu)]
    name = f"IFU{numbers[0]}"
    return Selection(name if len(numbers) == 1 else chosen[0].cube.name or name, tuple(chosen))


def _with_ifu(group: Sequence[Member], ifu: int) -> list[Member]:
    """Return the cubes of one IFU of a file."""
    found = [member for member in group if member.cube.ifu == ifu]
    if not found:
        group[0].exposure.cube(ifu)  # raises, naming what there is
    return found


def _numbers(ifus: str | int | Sequence[int]) -> list[int]:
    """Read a list of IFUs as the pipeline writes it."""
    if isinstance(ifus, int):
        return [ifus]
    try:
        words = _SEPARATORS.split(ifus.strip(" ;,")) if isinstance(ifus, str) else ifus
        return [int(word) for word in words]
    except ValueError as err:
        msg = f'ifus is {ifus!r}, expected IFU numbers such as "3;1;24"'
        raise KmosError(msg) from err
