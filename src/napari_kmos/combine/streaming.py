"""One pass over the exposures: planes of the result in their order, and what is counted meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from napari_kmos.cluster import compute_on, current_client
from napari_kmos.combine.agreement import NoDataError
from napari_kmos.combine.scatter import N_BINS, Scatter
from napari_kmos.combine.stack import Stack
from napari_kmos.cube import Image
from napari_kmos.spectral.nan import divide
from napari_kmos.threads import compute_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.combine.cubes import CombineResult
    from napari_kmos.combine.stack import Block
    from napari_kmos.cube import Cube

    Planes = NDArray[np.float32]


def stream_blocks(stack: Stack) -> Generator[Block, None, None]:
    """Yield the blocks of the result in their order, computed ahead: in two threads, or on the cluster if there is one.

    Raises
    ------
    EngineError
        If the cluster fails.
    """
    client = current_client()
    if client is not None:
        return compute_on(client, Stack.combine, stack, stack.blocks())
    return compute_ahead(lambda span: stack.combine(*span), stack.blocks())


def measure_scatter(stack: Stack, ifus: Sequence[int | None]) -> Scatter:
    """Return the scatter between exposures over its noise, from planes that are evenly spread.

    Parameters
    ----------
    stack : Stack
        The exposures.
    ifus : sequence of int or None
        The IFU of each.
    """
    with contextlib.closing(compute_ahead(stack.measure, stack.scatter_planes().tolist())) as found:
        return Scatter.of(sum(found, start=np.zeros((len(ifus), N_BINS), dtype=np.int64)), ifus)


class CombinePass:
    """One pass over the exposures of a result: iterate over it, then what it counted is exact.

    It yields the number of the first plane and the flux and noise of some planes from there on, in their order; only
    those planes are in memory.

    Parameters
    ----------
    result : CombineResult
        What to compute.

    Raises
    ------
    NoDataError
        At the end, if no exposure has data anywhere on the grid.
    """

    def __init__(self, result: CombineResult) -> None:
        stack = result.stack
        self._result = result
        self._seen = [np.zeros(layer.resampler.inside.shape, dtype=bool) for layer in stack.layers]
        self._n_rejected = np.zeros(stack.shape[1:], dtype=np.int32)
        self._distances = np.zeros((len(stack.layers), N_BINS), dtype=np.int64)
        self._variance = np.zeros(stack.shape[1:])
        self._n_values = np.zeros((2, *stack.shape[1:]), dtype=np.int32)

    def __iter__(self) -> Iterator[tuple[int, Planes]]:
        with contextlib.closing(stream_blocks(self._result.stack)) as blocks:
            for block in blocks:
                self._add(block)
                yield block.start, block.planes
        if not self.n_overlapping:
            raise NoDataError.of(self._result.cubes)

    @property
    def cube(self) -> Cube:
        """The combined cube."""
        return self._result.cube

    @property
    def exposure_map(self) -> Image:
        """Number of exposures (int32) that have data in a spaxel in any plane, rejected values included."""
        return self._image(self._summed([1.0] * len(self._seen)).astype(np.int32))

    @property
    def exposure_time(self) -> Image | None:
        """Sum of the exposure times of these exposures in seconds; None if that of one is unknown."""
        times = [cube.exptime for cube in self._result.cubes if cube.exptime is not None]
        if len(times) < len(self._seen):
            return None
        return self._image(self._summed(times).astype(np.float32), u.s)

    @property
    def rejected(self) -> Image:
        """Number of values (int32) of a spaxel, over all planes, that the method rejected or dropped."""
        return self._image(self._n_rejected.copy())

    @property
    def n_overlapping(self) -> int:
        """How many exposures have data in one spaxel at most."""
        return int(self.exposure_map.data.max(initial=0))

    @property
    def n_rejected(self) -> int:
        """How many values were rejected in all."""
        return int(self._n_rejected.sum(dtype=np.int64))

    @property
    def scatter(self) -> Scatter:
        """Scatter between exposures over the noise predicted for it, before the noise was scaled."""
        return self._result.scaled_by or Scatter.of(self._distances, [cube.ifu for cube in self._result.cubes])

    @property
    def mean_noise(self) -> NDArray[np.float32]:
        """Noise of the mean over the wavelengths, as `collapse_mean` tells it."""
        return np.sqrt(divide(divide(self._variance, self._n_values[1]), self._n_values[0])).astype(np.float32)

    def _add(self, block: Block) -> None:
        """Count a block."""
        for seen, one in zip(self._seen, block.seen, strict=True):
            seen |= one
        self._n_rejected += block.n_rejected
        self._distances += block.distances
        self._variance += block.variance
        self._n_values += block.n_values

    def _summed(self, amounts: Sequence[float]) -> NDArray[np.float64]:
        """Sum over the exposures with data in a spaxel of an amount of each."""
        total = np.zeros(self._n_rejected.shape)
        for layer, seen, amount in zip(self._result.stack.layers, self._seen, amounts, strict=True):
            total[layer.resampler.window] += amount * seen
        return total

    def _image(self, data: NDArray[Any], unit: u.UnitBase | None = None) -> Image:
        cube = self.cube
        return Image(data=data, wcs=cube.wcs, unit=unit, name=cube.name, ifu=cube.ifu, header=cube.header)
