"""Arrays of planes joined one behind the other, hard or with a fade from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dask.array as da
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.cube import Array


def join_planes(
    flux: Sequence[Array], noise: Sequence[Array] | None, fades: Sequence[slice], factors: Sequence[float]
) -> tuple[da.Array, da.Array | None]:
    """Join arrays of shape (n_wavelength, n_y, n_x) at fades, flux and noise alike.

    Parameters
    ----------
    flux, noise : sequences of arrays
        In the order of the planes, lazy or not, each of all planes. Of the noise there may be none.
    fades : sequence of slice
        Planes in which an array and the next one count, one fewer than arrays; empty for a hard joint.
    factors : sequence of float
        What flux and noise of each are multiplied by.

    Returns
    -------
    flux, noise : dask arrays of float32
        Planes of a fade are (1 - w) a + w b, w going evenly from the first array to the second; where the flux of one
        has no data the other counts alone.
    """
    fluxes = _scaled(flux, factors)
    shares = [
        _share(fluxes[n][fade], fluxes[n + 1][fade], _weights(fade.stop - fade.start)) for n, fade in enumerate(fades)
    ]
    joined = _joined(fluxes, fades, shares)
    return joined, None if noise is None else _joined(_scaled(noise, factors), fades, shares)


def _scaled(arrays: Sequence[Array], factors: Sequence[float]) -> list[da.Array]:
    return [
        da.asanyarray(array) if factor == 1 else da.asanyarray(array) * np.float32(factor)
        for array, factor in zip(arrays, factors, strict=True)
    ]


def _joined(arrays: Sequence[da.Array], fades: Sequence[slice], shares: Sequence[da.Array]) -> da.Array:
    """Planes of one array alone and of two together in turn."""
    pieces, start = [], 0
    for number, (fade, share) in enumerate(zip(fades, shares, strict=True)):
        first, second = arrays[number : number + 2]
        pieces += [first[start : fade.start], _mix(first[fade], second[fade], share)]
        start = fade.stop
    joined: da.Array = da.concatenate([piece for piece in (*pieces, arrays[-1][start:]) if len(piece)])
    return joined


def _weights(n_planes: int) -> NDArray[np.float32]:
    """Weight of the second array, shape (n_planes, 1, 1): even steps between 0 and 1, without either."""
    return (np.arange(1, n_planes + 1) / (n_planes + 1)).astype(np.float32)[:, None, None]


def _share(first: da.Array, second: da.Array, weights: NDArray[np.float32]) -> da.Array:
    """Share of the second array in each voxel: all or nothing where only one has data."""
    second_or_none = da.where(da.isfinite(second), weights, np.float32(0))
    share: da.Array = da.where(da.isfinite(first), second_or_none, np.float32(1))
    return share


def _mix(first: da.Array, second: da.Array, share: da.Array) -> da.Array:
    """Weighted mean; NaN counts only where its array has a share."""
    both = (1 - share) * first + share * second
    mixed: da.Array = da.where(share == 0, first, da.where(share == 1, second, both))
    return mixed
