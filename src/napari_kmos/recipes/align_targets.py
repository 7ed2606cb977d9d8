"""What is aligned together: the cubes of one target, and those of targets whose fields overlap, as in a mosaic."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.sparse.csgraph import connected_components

from napari_kmos.cube import Cube
from napari_kmos.spatial.fields import common_share, field_of, near_pairs

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure

#: Cubes of a target, or of a mosaic: number of the exposure, and the cube.
Visits: TypeAlias = list[tuple[int, Cube]]


def targets_of(exposures: Sequence[Exposure], reference: int, ifu: int | None) -> list[Visits]:
    """Return the cubes of each target; targets that several arms of an exposure share are told apart by the arm.

    Parameters
    ----------
    exposures : sequence of Exposure
        In the order of their numbers.
    reference : int
        Exposure in which an IFU is looked for first.
    ifu : int, optional
        Only the target that this IFU sees there, or in the first exposure where it has one.

    Raises
    ------
    KmosError
        If there is no such IFU.
    """
    by_target: dict[tuple[str, int | None], Visits] = defaultdict(list)
    counts = [Counter(cube.name for cube in exposure.cubes) for exposure in exposures]
    shared = {name for count in counts for name, times in count.items() if times > 1}
    for number, exposure in enumerate(exposures):
        for cube in exposure.cubes:
            tells = cube.name and cube.name not in shared
            by_target[(cube.name, None if tells else cube.ifu)].append((number, cube))
    if ifu is None:
        return list(by_target.values())
    order = [exposures[reference], *exposures]
    seen = next((cube for exposure in order for cube in exposure.cubes if cube.ifu == ifu), None)
    if seen is None:
        exposures[reference].cube(ifu)  # raises, naming what there is
    return [visits for visits in by_target.values() if any(cube is seen for _, cube in visits)]


def mosaics_of(targets: Sequence[Visits], *, min_overlap: float) -> list[Visits]:
    """Join targets whose fields overlap, by their headers, as those of a mosaic do: they tell of each other's offsets.

    Parameters
    ----------
    targets : sequence of list of (int, Cube)
        As `targets_of` returns them.
    min_overlap : float
        Smallest part of the smaller field that must lie in the other one.

    Returns
    -------
    list of list of (int, Cube)
        Those of one mosaic in the order of their exposures.
    """
    members = [(target, visit) for target, visits in enumerate(targets) for visit in visits]
    fields = [field_of(cube) for _, (_, cube) in members]
    is_one = np.zeros((len(targets), len(targets)), dtype=bool)
    for first, second in near_pairs(fields):
        one, other = members[first][0], members[second][0]
        if one != other and not is_one[one, other]:
            is_one[one, other] = common_share(fields[first], fields[second]) >= min_overlap
    groups = connected_components(is_one, directed=False)[1]
    return [
        sorted(
            (visit for target, visit in members if groups[target] == group),
            key=lambda visit: visit[0],
        )
        for group in dict.fromkeys(groups)
    ]
