"""Exposures on one grid, combined in blocks of planes so that memory stays small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from dask.base import compute
from dask.delayed import delayed

from napari_kmos.combine.methods import merge
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.parameters import CombineParameters
    from napari_kmos.cube import Array
    from napari_kmos.spatial.resample import Resampler

    Block = NDArray[np.float32]

#: Memory of one block of planes: what is read, resampled and written.
_BLOCK_BYTES = 64 * 2**20
#: Memory of the stack of exposures that is merged at a time.
_STACK_BYTES = 16 * 2**20
_FLOAT_TEMPORARIES = 6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layer:
    """One exposure of the stack.

    Parameters
    ----------
    flux, noise : numpy or dask array, shape (n_wavelength, n_y, n_x)
        As read.
    resampler : Resampler
        From the exposure to the grid.
    level : int
        Exposures that do not overlap share a level of the stack.
    weight : float
        That of the exposure, the same in all of a level.
    """

    flux: Array
    noise: Array
    resampler: Resampler
    level: int
    weight: float = 1.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stack:
    """All exposures on one grid; made by `make_stack`.

    Parameters
    ----------
    layers : tuple of Layer
        In the order of the exposures.
    shape : tuple of int
        (n_wavelength, n_y, n_x) of the result.
    n_levels : int
        How many exposures overlap at most, or a few more.
    parameters : CombineParameters
        How they are merged.
    """

    layers: tuple[Layer, ...]
    shape: tuple[int, int, int]
    n_levels: int
    parameters: CombineParameters

    def combine(self, start: int, stop: int) -> Block:
        """Return flux and noise of the planes from ``start`` to ``stop``, shape (2, n, n_y, n_x)."""
        resampled = self._resample(start, stop)
        result = np.empty((2, stop - start, *self.shape[1:]), dtype=np.float32)
        step = max(1, _STACK_BYTES // (8 * self.n_levels * self.shape[1] * self.shape[2]))
        for first in range(0, stop - start, step):
            part = slice(first, min(first + step, stop - start))
            result[:, part] = self._merge(resampled, part)
        return result

    def planes_per_block(self) -> int:
        """Return how many planes are combined at a time."""
        areas = [layer.flux.shape[1] * layer.flux.shape[2] for layer in self.layers]
        windows = [layer.resampler.inside.size for layer in self.layers]
        grid = self.shape[1] * self.shape[2]
        per_plane = 8 * (sum(areas) + sum(windows) + grid + _FLOAT_TEMPORARIES * max(areas + windows))
        return int(np.clip(_BLOCK_BYTES // per_plane, 1, self.shape[0]))

    def _resample(self, start: int, stop: int) -> list[tuple[Block, ...]]:
        """Planes of every exposure on the part of the grid that it covers."""
        pieces = [array[start:stop] for layer in self.layers for array in (layer.flux, layer.noise)]
        read = compute(*pieces, scheduler="synchronous")
        return [
            layer.resampler.apply(read[2 * number], read[2 * number + 1]) for number, layer in enumerate(self.layers)
        ]

    def _merge(self, resampled: list[tuple[Block, ...]], planes: slice) -> Block:
        """Merge some of the resampled planes."""
        n_planes = planes.stop - planes.start
        stack = np.full((2, self.n_levels, n_planes, *self.shape[1:]), np.nan, dtype=np.float32)
        for layer, (flux, noise) in zip(self.layers, resampled, strict=True):
            window = (layer.level, slice(None), *layer.resampler.window)
            there = np.isfinite(flux[planes])
            np.copyto(stack[0][window], flux[planes], where=there)
            np.copyto(stack[1][window], noise[planes], where=there)
        weights = np.empty(self.n_levels)
        for layer in self.layers:
            weights[layer.level] = layer.weight
        flux, noise = stack.reshape(2, self.n_levels, -1)
        merged = merge(flux, noise, weights, self.parameters)
        return np.stack([merged.value, merged.noise]).reshape(2, n_planes, *self.shape[1:])


def make_stack(
    arrays: Sequence[tuple[Array, Array]],
    resamplers: Sequence[Resampler],
    shape: tuple[int, int, int],
    parameters: CombineParameters,
    *,
    weights: Sequence[float] | None = None,
) -> Stack:
    """Put exposures into as few levels as their overlap allows.

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
    weights : sequence of float, optional
        Of the exposures, which all weigh the same if not given.
    """
    taken: list[tuple[float, NDArray[np.bool_]]] = []
    layers = []
    for (flux, noise), resampler, weight in zip(arrays, resamplers, weights or [1.0] * len(arrays), strict=True):
        inside, window = resampler.inside, resampler.window
        free = (n for n, (own, mask) in enumerate(taken) if own == weight and not (mask[window] & inside).any())
        level = next(free, len(taken))
        if level == len(taken):
            taken.append((weight, np.zeros(shape[1:], dtype=bool)))
        taken[level][1][window] |= inside
        layers.append(Layer(flux=flux, noise=noise, resampler=resampler, level=level, weight=weight))
    return Stack(layers=tuple(layers), shape=shape, n_levels=len(taken), parameters=parameters)


def combine_lazily(stack: Stack) -> tuple[da.Array, da.Array]:
    """Return flux and noise as dask arrays whose blocks come from one task each."""
    n_planes, n_y, n_x = stack.shape
    step = stack.planes_per_block()
    shared = delayed(stack, pure=False, traverse=False)
    block = delayed(Stack.combine, pure=False)
    blocks = [
        da.from_delayed(
            block(shared, start, min(start + step, n_planes)),
            shape=(2, min(step, n_planes - start), n_y, n_x),
            dtype=np.float32,
        )
        for start in range(0, n_planes, step)
    ]
    both = da.concatenate(blocks, axis=1)
    return both[0], both[1]


def count_exposures(stack: Stack, *, progress: Progress = silent) -> tuple[NDArray[np.int32], list[int]]:
    """Return for each spaxel the number of exposures with data there in any plane, and which exposures have none.

    Values which the merging rejects count: the map tells what was observed. Each exposure is read until nothing can
    change any more.
    """
    counts = np.zeros(stack.shape[1:], dtype=np.int32)
    empty = []
    step = stack.planes_per_block()
    for number, layer in enumerate(stack.layers):
        progress(number, len(stack.layers), "counting exposures")
        seen = np.zeros(layer.resampler.shape, dtype=bool)
        for start in range(0, stack.shape[0], step):
            seen |= _any_plane(layer, start, min(start + step, stack.shape[0]))
            if np.array_equal(seen, layer.resampler.inside):
                break
        counts[layer.resampler.window] += seen
        if not seen.any():
            empty.append(number)
    return counts, empty


def _any_plane(layer: Layer, start: int, stop: int) -> Any:
    """Spaxels of the window that have data in any of some planes."""
    (flux,) = compute(layer.flux[start:stop], scheduler="synchronous")
    return layer.resampler.coverage(np.isfinite(flux)).any(axis=0)
