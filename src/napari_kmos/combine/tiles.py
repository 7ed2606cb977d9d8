"""A grid in tiles: which exposures lie on each, and how few levels hold them, so that nothing empty is merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.spatial.resample import Resampler

    Bools = NDArray[np.bool_]

Area = tuple[slice, slice]
#: The least side of a tile: of smaller ones, calls would take longer than the work.
_LEAST_SIDE = 64
#: Spaxels of a tile at most: a few planes of all that is known of them fit into the processor's cache.
_MOST_SPAXELS = 40_000


class Patch(NamedTuple):
    """What of an exposure lies on a tile.

    Parameters
    ----------
    layer : int
        Number of the exposure.
    level : int
        Where it lies in the stack of the tile.
    source, target : tuple of slice
        The part, in the window of the exposure and in the tile.
    is_alone : bool
        Whether no other exposure lies in this level.
    """

    layer: int
    level: int
    source: Area
    target: Area
    is_alone: bool


class Tile(NamedTuple):
    """Rows and columns of the grid, the weight of each level there, and what lies on it."""

    area: Area
    weights: NDArray[np.float64]
    patches: tuple[Patch, ...]


def make_tiles(shape: tuple[int, int], resamplers: Sequence[Resampler], weights: Sequence[float]) -> tuple[Tile, ...]:
    """Cut a grid into tiles about twice as large as the largest exposure, or smaller; those without any are left out.

    Exposures that do not overlap share a level of a tile if their weights are the same.
    """
    largest = [max(one.inside.shape[axis] for one in resamplers) for axis in (0, 1)]
    width = _side(shape[1], 2 * largest[1])
    sides = _side(shape[0], min(2 * largest[0], _MOST_SPAXELS // width)), width
    tiles = []
    for top in range(0, shape[0], sides[0]):
        for left in range(0, shape[1], sides[1]):
            area = slice(top, min(top + sides[0], shape[0])), slice(left, min(left + sides[1], shape[1]))
            tile = _fill(area, resamplers, weights)
            if tile.patches:
                tiles.append(tile)
    return tuple(tiles)


def _side(length: int, wanted: int) -> int:
    """Side of tiles: equal ones, not smaller than wanted."""
    return -(-length // max(1, length // max(wanted, _LEAST_SIDE)))


def _fill(area: Area, resamplers: Sequence[Resampler], weights: Sequence[float]) -> Tile:
    """Put the exposures on a tile into as few levels as their overlap allows."""
    taken: list[tuple[float, Bools]] = []
    found = []
    for number, source, target in _overlaps(area, resamplers):
        inside = resamplers[number].inside[source]
        free = (
            n for n, (own, mask) in enumerate(taken) if own == weights[number] and not (mask[target] & inside).any()
        )
        level = next(free, len(taken))
        if level == len(taken):
            taken.append((weights[number], np.zeros([part.stop - part.start for part in area], dtype=bool)))
        taken[level][1][target] |= inside
        found.append(Patch(number, level, source, target, is_alone=True))
    shared = {one.level for one in found if sum(one.level == other.level for other in found) > 1}
    patches = tuple(one._replace(is_alone=one.level not in shared) for one in found)
    return Tile(area, np.array([weight for weight, _ in taken]), patches)


def _overlaps(area: Area, resamplers: Sequence[Resampler]) -> Iterator[tuple[int, Area, Area]]:
    """Exposures that lie on a tile: number, and where in their window and in the tile."""
    for number, resampler in enumerate(resamplers):
        source, target = [], []
        for own, tile in zip(resampler.window, area, strict=True):
            low, high = max(own.start, tile.start), min(own.stop, tile.stop)
            source.append(slice(low - own.start, high - own.start))
            target.append(slice(low - tile.start, high - tile.start))
        rows, columns = source
        if rows.stop > rows.start and columns.stop > columns.start and resampler.inside[rows, columns].any():
            yield number, (rows, columns), (target[0], target[1])
