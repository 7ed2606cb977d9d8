"""The cubes of a file that are combined; IFUs and halves of a mosaic as fields of their own, where they matter."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import AlignmentError, KmosError
from napari_kmos.recipes.cut_parameters import CutParameters
from napari_kmos.recipes.cut_places import chosen_places, halves_of, places_by_table, time_of
from napari_kmos.recipes.offset_rows import cuts_name
from napari_kmos.recipes.selecting import Member

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.exposure import Exposure
    from napari_kmos.recipes.cut_places import Place

#: Fields of which a larger part is the same spaxels cannot be told apart.
_MOST_SHARED = 0.5


def is_mosaic(exposure: Exposure) -> bool:
    """Tell whether a file holds one cube that is not of one IFU."""
    return len(exposure.cubes) == 1 and exposure.cubes[0].ifu is None


def halves_by_time(exposures: Sequence[Exposure]) -> list[int | None]:
    """Return the half of each exposure by when it was taken; None for mosaics, and where nothing tells."""
    times = [time_of(exposure) for exposure in exposures]
    known = [n for n, (mjd, _) in enumerate(times) if math.isfinite(mjd) and not is_mosaic(exposures[n])]
    halves = dict(zip(known, halves_of([times[n] for n in known], CutParameters()), strict=True))
    return [halves.get(number) for number in range(len(exposures))]


def members_of(exposure: Exposure, *, half: int | None = None) -> tuple[Member, ...]:
    """Return the cubes of a file as they are."""
    return tuple(Member(exposure=exposure, cube=cube, half=half) for cube in exposure.cubes)


def find_cuts(exposure: Exposure, tables: Sequence[Path]) -> Path:
    """Return the table of what was cut out of a mosaic: that of its name, the only one given, or that beside it.

    Raises
    ------
    AlignmentError
        If there is none.
    """
    path = exposure.path or Path(exposure.label)
    name = cuts_name(path)
    named = [table for table in tables if table.name == name]
    if named:
        return named[0]
    if len(tables) == 1:
        return tables[0]
    if not tables and path.with_name(name).is_file():
        return path.with_name(name)
    msg = (
        f"{path}: nothing tells where its IFUs are: {name} is neither given nor beside it; write it with "
        "`napari-kmos cut --from EXPOSURES`, and give it as --cuts"
    )
    raise AlignmentError(msg)


def split_mosaic(exposure: Exposure, cuts: Path) -> tuple[Member, ...]:
    """Return each IFU and half of a mosaic as a field of its own: the same cube, and which of its spaxels it owns.

    A spaxel belongs to one of them. Nothing of a neighbour is taken for the interpolation: it may lie elsewhere.

    Parameters
    ----------
    exposure : Exposure
        With one cube.
    cuts : path
        Table of places, as `cut` writes it.

    Raises
    ------
    KmosError
        If two fields are more or less the same spaxels, or the table cannot be used.
    """
    cube = exposure.cubes[0]
    places = chosen_places(places_by_table(cube, cuts), cube, "all")
    owner = _owners(places, cube.shape[1:], cuts)
    return tuple(
        Member(
            exposure=exposure,
            cube=dataclasses.replace(cube, ifu=place.ifu, name=place.name or cube.name),
            half=place.half,
            own=owner == number,
        )
        for number, place in enumerate(places)
        if (owner == number).any()
    )


def as_whole(members: Sequence[Member]) -> Member:
    """Return fields of one mosaic as one field, so that it is resampled in one piece."""
    cube = members[0].exposure.cubes[0]
    own = np.logical_or.reduce([member.own for member in members if member.own is not None])
    return Member(exposure=members[0].exposure, cube=cube, own=own)


def _owners(places: Sequence[Place], shape: tuple[int, int], cuts: Path) -> NDArray[np.int_]:
    """Return which place a spaxel belongs to: that whose middle is nearest, in half sides; -1 is none."""
    for one, other in combinations(places, 2):
        _check_apart(one, other, cuts)
    owner, nearest = np.full(shape, -1), np.full(shape, np.inf)
    for number, place in enumerate(places):
        box = place.footprint
        rows = slice(max(box.y, 0), max(box.y + box.n_y, 0))
        columns = slice(max(box.x, 0), max(box.x + box.n_x, 0))
        y, x = np.ogrid[rows.start : min(rows.stop, shape[0]), columns.start : min(columns.stop, shape[1])]
        distance = np.maximum(
            np.abs(y - box.y - (box.n_y - 1) / 2) / box.n_y, np.abs(x - box.x - (box.n_x - 1) / 2) / box.n_x
        )
        nearer = distance < nearest[rows, columns]
        owner[rows, columns][nearer] = number
        nearest[rows, columns][nearer] = distance[nearer]
    return owner


def _check_apart(one: Place, other: Place, cuts: Path) -> None:
    """Refuse two places that are the same part of the mosaic."""
    boxes = one.footprint, other.footprint
    n_y, n_x = (
        min(start + n for start, n in spans) - max(start for start, _ in spans)
        for spans in ([(box.y, box.n_y) for box in boxes], [(box.x, box.n_x) for box in boxes])
    )
    smaller = min(box.n_y * box.n_x for box in boxes)
    if n_y > 0 and n_x > 0 and n_y * n_x > _MOST_SHARED * smaller:
        names = " and ".join(f"IFU {p.ifu}" + (f" half {p.half}" if p.half else "") for p in (one, other))
        msg = f"{cuts}: {names} lie on each other in the mosaic, which cannot be told apart any more: combine their "
        raise KmosError(msg + "exposures, with an offset for each, or cut without halves (--no-halves)")
