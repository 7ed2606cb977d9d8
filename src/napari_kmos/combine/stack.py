"""Exposures on one grid, combined in blocks of planes so that memory stays small."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.delayed import delayed

from napari_kmos.combine._numpy_kernels import count_rows
from napari_kmos.combine.methods import merge
from napari_kmos.combine.scatter import N_BINS, count_distances, distances
from napari_kmos.combine.tiles import Tile, make_tiles
from napari_kmos.lazy import LastPlanes, computed, original_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.parameters import CombineParameters
    from napari_kmos.cube import Array
    from napari_kmos.spatial.resample import Resampler

    Planes = NDArray[np.float32]

#: Memory of one block of planes: what is read, resampled and written. Two are made at a time, and some wait.
_BLOCK_BYTES = 48 * 2**20
#: Memory of the stack of exposures that is merged at a time.
_STACK_BYTES = 8 * 2**20
#: So many planes, evenly spread, tell the scatter between exposures; of large grids fewer, for so many voxels.
_SCATTER_PLANES = 32, 128
_SCATTER_VOXELS = 2**22
#: With fewer exposures at a place there is none.
_FEWEST_EXPOSURES = 3


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layer:
    """One exposure of the stack.

    Parameters
    ----------
    flux, noise : sliceable, shape (n_wavelength, n_y, n_x)
        As read: a numpy or dask array, or one of a file.
    resampler : Resampler
        From the exposure to the grid.
    area : tuple of slice
        Rows and columns of the exposure that the resampler takes.
    weight : float
        That of the exposure.
    noise_factor : float
        What its noise is multiplied by.
    """

    flux: Any
    noise: Any
    resampler: Resampler
    area: tuple[slice, slice] = (slice(None), slice(None))
    weight: float = 1.0
    noise_factor: float = 1.0

    def read(self, start: int, stop: int) -> tuple[Planes, Planes]:
        """Return flux and noise of planes on the window of the grid that the exposure covers."""
        planes = slice(*self.resampler.reads(start, stop))
        pieces = computed(self.flux[planes, *self.area], self.noise[planes, *self.area])
        flux, noise = self.resampler.apply(*pieces, start=start, stop=stop)
        return flux, noise if self.noise_factor == 1 else noise * np.float32(self.noise_factor)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Block:
    """Some planes of the result, and what is counted while they are made.

    Parameters
    ----------
    start : int
        Number of the first plane.
    planes : ndarray of float32, shape (2, n, n_y, n_x)
        Flux and noise.
    seen : tuple of ndarray of bool
        Of each exposure, on its window: spaxels with data in any of the planes.
    n_rejected : ndarray of int32, shape (n_y, n_x)
        Values that the method rejected.
    distances : ndarray of int, shape (n_exposures, N_BINS)
        Values by their distance from the mean, as `count_distances`, of the planes that tell the scatter.
    variance : ndarray, shape (n_y, n_x)
        Sum of the squared noise over the planes.
    n_values : ndarray of int32, shape (2, n_y, n_x)
        In how many planes flux and noise are known.
    """

    start: int
    planes: Planes
    seen: tuple[NDArray[np.bool_], ...]
    n_rejected: NDArray[np.int32]
    distances: NDArray[np.int64]
    variance: NDArray[np.float64]
    n_values: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stack:
    """All exposures on one grid; made by `make_stack`.

    Parameters
    ----------
    layers : tuple of Layer
        In the order of the exposures.
    tiles : tuple of Tile
        Parts of the grid that are merged one after the other.
    shape : tuple of int
        (n_wavelength, n_y, n_x) of the result.
    parameters : CombineParameters
        How they are merged.
    """

    layers: tuple[Layer, ...]
    tiles: tuple[Tile, ...]
    shape: tuple[int, int, int]
    parameters: CombineParameters

    @property
    def n_levels(self) -> int:
        """How many exposures overlap at most, or a few more."""
        return max(len(tile.weights) for tile in self.tiles)

    def combine(self, start: int, stop: int) -> Block:
        """Return the planes from ``start`` to ``stop``."""
        resampled = [layer.read(start, stop) for layer in self.layers]
        block = Block(
            start=start,
            planes=np.full((2, stop - start, *self.shape[1:]), np.nan, dtype=np.float32),
            # the largest value is NaN where all are
            seen=tuple(np.isfinite(np.fmax.reduce(flux)) for flux, _ in resampled),
            n_rejected=np.zeros(self.shape[1:], dtype=np.int32),
            distances=np.zeros((len(self.layers), N_BINS), dtype=np.int64),
            variance=np.zeros(self.shape[1:]),
            n_values=np.zeros((2, *self.shape[1:]), dtype=np.int32),
        )
        for tile in self.tiles:
            area = [part.stop - part.start for part in tile.area]
            step = max(1, _STACK_BYTES // (8 * len(tile.weights) * area[0] * area[1]))
            for first in range(0, stop - start, step):
                self._merge(block, tile, slice(first, min(first + step, stop - start)), resampled)
        return block

    def measure(self, plane: int) -> NDArray[np.int64]:
        """Return the distances of one plane, as of `Block`."""
        return self.combine(plane, plane + 1).distances

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Yield first and last plane but one of each block."""
        step = self.planes_per_block()
        for start in range(0, self.shape[0], step):
            yield start, min(start + step, self.shape[0])

    def planes_per_block(self) -> int:
        """Return how many planes are combined at a time."""
        sources = {id(layer.flux): 8 * layer.flux.shape[1] * layer.flux.shape[2] for layer in self.layers}
        resampled = sum(layer.resampler.bytes_per_plane for layer in self.layers)
        per_plane = 3 * max(sources.values()) + resampled + 24 * self.shape[1] * self.shape[2]
        return int(np.clip(_BLOCK_BYTES // per_plane, 1, self.shape[0]))

    def scatter_planes(self) -> NDArray[np.int_]:
        """Return the numbers of the planes that tell the scatter between exposures."""
        wanted = np.clip(_SCATTER_VOXELS // (self.shape[1] * self.shape[2]), *_SCATTER_PLANES)
        return np.unique(np.linspace(0, self.shape[0] - 1, min(int(wanted), self.shape[0])).astype(int))

    def _merge(self, block: Block, tile: Tile, planes: slice, resampled: Sequence[tuple[Planes, Planes]]) -> None:
        """Merge some planes of a tile."""
        n_levels, n_planes = len(tile.weights), planes.stop - planes.start
        stack = np.full((2, n_levels, n_planes, *block.planes[0, 0][tile.area].shape), np.nan, dtype=np.float32)
        for patch in tile.patches:
            for kind, values in zip(stack, resampled[patch.layer], strict=True):
                target, source = kind[patch.level, :, *patch.target], values[planes, *patch.source]
                if patch.is_alone:
                    target[...] = source
                else:
                    np.copyto(target, source, where=np.isfinite(resampled[patch.layer][0][planes, *patch.source]))
        values, noise = stack.reshape(2, n_levels, -1)
        merged = merge(values, noise, tile.weights, self.parameters)
        for kind, found in enumerate((merged.value, merged.noise)):
            block.planes[kind, planes, *tile.area] = found.reshape(stack.shape[2:])
            known = np.isfinite(found).reshape(stack.shape[2:])
            block.n_values[kind, *tile.area] += count_rows(known)
        variance = np.square(merged.noise, dtype=np.float64).reshape(stack.shape[2:])
        block.variance[tile.area] += variance.sum(axis=0, where=known)
        block.n_rejected[tile.area] += merged.n_rejected.reshape(stack.shape[2:]).sum(axis=0, dtype=np.int32)
        if n_levels >= _FEWEST_EXPOSURES:
            chosen = np.isin(np.arange(n_planes) + block.start + planes.start, self.scatter_planes())
            self._count_distances(block, tile, distances(*stack[:, :, chosen]))

    def _count_distances(self, block: Block, tile: Tile, away: NDArray[Any]) -> None:
        """Count the distances of each exposure on a tile."""
        for patch in tile.patches:
            own = away[patch.level, :, *patch.target][:, self.layers[patch.layer].resampler.inside[patch.source]]
            block.distances[patch.layer] += count_distances(own)


def make_stack(
    arrays: Sequence[tuple[Array, Array]],
    resamplers: Sequence[Resampler],
    shape: tuple[int, int, int],
    parameters: CombineParameters,
    *,
    areas: Sequence[tuple[slice, slice]] | None = None,
    weights: Sequence[float] | None = None,
) -> Stack:
    """Lay exposures on a grid.

    Parameters
    ----------
    arrays : sequence of (flux, noise)
        Of each exposure, lazy or not.
    resamplers : sequence of Resampler
        From each exposure to the grid.
    shape : tuple of int
        Of the result.
    parameters : CombineParameters
        How they are merged.
    areas : sequence of tuple of slice, optional
        Rows and columns of each exposure that its resampler takes; all if not given.
    weights : sequence of float, optional
        Of the exposures, which all weigh the same if not given.
    """
    weights = weights or [1.0] * len(arrays)
    areas = areas or [(slice(None), slice(None))] * len(arrays)
    arrays = _shared(arrays)
    layers = tuple(
        Layer(flux=flux, noise=noise, resampler=resampler, area=area, weight=weight)
        for (flux, noise), resampler, area, weight in zip(arrays, resamplers, areas, weights, strict=True)
    )
    return Stack(layers=layers, tiles=make_tiles(shape[1:], resamplers, weights), shape=shape, parameters=parameters)


def _shared(arrays: Sequence[tuple[Array, Array]]) -> list[tuple[Any, Any]]:
    """Return what the arrays are read from: files, past the task graph, which takes longer than to read planes.

    Files of which several parts are combined are read once for all of them.
    """
    sources = [tuple(original_of(array) for array in pair) for pair in arrays]
    number = Counter(id(one) for pair in sources for one in pair)
    shared = {
        id(one): one if number[id(one)] == 1 or isinstance(one, np.ndarray) else LastPlanes(one)
        for pair in sources
        for one in pair
    }
    return [(shared[id(flux)], shared[id(noise)]) for flux, noise in sources]


def scale_noise(stack: Stack, factors: Sequence[float]) -> Stack:
    """Return the stack with the noise of each exposure multiplied by a factor."""
    layers = [
        dataclasses.replace(layer, noise_factor=factor) for layer, factor in zip(stack.layers, factors, strict=True)
    ]
    return dataclasses.replace(stack, layers=tuple(layers))


def combine_lazily(stack: Stack) -> tuple[da.Array, da.Array]:
    """Return flux and noise as dask arrays whose blocks come from one task each."""
    shared = delayed(stack, pure=False, traverse=False)
    combine = delayed(Stack.combine, pure=False)
    blocks = [
        da.from_delayed(
            combine(shared, start, stop).planes, shape=(2, stop - start, *stack.shape[1:]), dtype=np.float32
        )
        for start, stop in stack.blocks()
    ]
    both = da.concatenate(blocks, axis=1)
    return both[0], both[1]
