"""Which cubes of which files are combined into which product."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosError

if TYPE_CHECKING:
    from pathlib import Path

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

MOSAIC = "mosaic"
_SEPARATORS = re.compile(r"[;,\s]+")


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The cubes of one product, and its name."""

    name: str
    members: tuple[tuple[Exposure, Cube], ...]

    def __post_init__(self) -> None:
        check_once([(exposure.path.resolve(), cube.label) for exposure, cube in self.members if exposure.path])


def check_once(given: Sequence[tuple[Path, str]]) -> None:
    """Refuse a cube of a file given twice: the result's noise would be too small, and an exposure would fit itself.

    Raises
    ------
    KmosError
        If a pair of file and name of the cube, which may be empty, occurs more than once.
    """
    seen: set[tuple[Path, str]] = set()
    for path, cube in given:
        if (path, cube) in seen:
            msg = f"{path}: {cube or 'it'} is given twice; give every exposure once"
            raise KmosError(msg)
        seen.add((path, cube))


def select(
    exposures: Sequence[Exposure],
    *,
    name: str | None = None,
    ifus: str | int | Sequence[int] | None = None,
    mosaic: bool = False,
) -> tuple[Selection, ...]:
    """Return what is to be combined: by target, one target, IFUs by number, or all IFUs together.

    Parameters
    ----------
    exposures : sequence of Exposure
        In the order of the files.
    name : str, optional
        This target only.
    ifus : str, int or sequence of int, optional
        ``"3;1;24"``, one IFU a file in the order of the files, or one number for all files.
    mosaic : bool
        Everything on one grid.

    Raises
    ------
    KmosError
        If more than one of the three is asked for, there is no such target or IFU, the list has another length, or an
        IFU of a file is given twice.
    """
    if sum((name is not None, ifus is not None, mosaic)) > 1:
        msg = "name, ifus and mosaic exclude each other: ask for one target, a list of IFUs, or a mosaic of all"
        raise KmosError(msg)
    every = tuple((exposure, cube) for exposure in exposures for cube in exposure.cubes)
    if not every:
        msg = f"no IFU has data in {', '.join(exposure.label for exposure in exposures) or 'no file'}"
        raise KmosError(msg)
    if mosaic:
        return (Selection(MOSAIC, every),)
    if ifus is not None:
        return (_by_ifu(exposures, ifus),)
    targets: dict[str, list[tuple[Exposure, Cube]]] = defaultdict(list)
    for exposure, cube in every:
        targets[cube.name or f"IFU{cube.ifu}"].append((exposure, cube))
    if name is None:
        return tuple(Selection(target, tuple(members)) for target, members in targets.items())
    if name not in targets:
        msg = f"no target {name!r} in the files; there are {', '.join(targets)}"
        raise KmosError(msg)
    return (Selection(name, tuple(targets[name])),)


def _by_ifu(exposures: Sequence[Exposure], ifus: str | int | Sequence[int]) -> Selection:
    """Return one IFU of each file."""
    numbers = _numbers(ifus)
    if len(numbers) == 1:
        members = tuple((exposure, exposure.cube(numbers[0])) for exposure in exposures)
        return Selection(f"IFU{numbers[0]}", members)
    if len(numbers) != len(exposures):
        msg = f"{len(numbers)} IFUs for {len(exposures)} files: give one a file, in their order, or one number for all"
        raise KmosError(msg)
    members = tuple((exposure, exposure.cube(ifu)) for exposure, ifu in zip(exposures, numbers, strict=True))
    return Selection(members[0][1].name or f"IFU{numbers[0]}", members)


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
