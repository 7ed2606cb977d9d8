"""One image of a FITS file, read piece by piece when asked, with what stands for no data turned into NaN."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._pixels import Pixels, View
    from napari_kmos.io._quality import Quality

    Floats = NDArray[np.float32]

#: Up to this size all planes are looked at to find the planes and spaxels without data.
_EXACT_BYTES = 64 * 2**20
#: A spaxel with more exact zeros than this among the planes with data is a border which the pipeline did not fill.
_DEAD_SHARE = 0.25
#: Size of the pieces in which dask reads; one exposure's IFU is one piece, a mosaic's piece is a few planes.
_CHUNK_BYTES = 4 * 2**20

#: What flux and plain images are called among the contents of an extension.
FLUX, IMAGE = "flux", "image"
#: 1 sigma from what a noise extension holds; zero and less is no data.
TO_SIGMA: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {
        "sigma": lambda values: values,
        "variance": np.sqrt,
        "inverse variance": lambda values: np.reciprocal(np.sqrt(values)),
        "inverse sigma": np.reciprocal,
    }
)


@dataclass(eq=False)
class FitsArray:
    """An image extension as a sliceable array of native float32.

    It has no ``copy`` method on purpose: dask would use it to load the whole array.

    Parameters
    ----------
    pixels : Pixels
        What is stored and where.
    view : View
        How the array lies in the stored one.
    hdu : int
        Index of the extension.
    scale : tuple of float
        BSCALE and BZERO.
    blank : int or None
        Integer that stands for no data.
    holds : str
        ``"flux"`` (planes and spaxels of zeros are NaN), ``"image"`` (zeros are kept), or a key of `TO_SIGMA`.
    quality : Quality or None
        Which pixels are bad: they are NaN.
    """

    pixels: Pixels
    view: View
    hdu: int
    scale: tuple[float, float] = (1.0, 0.0)
    blank: int | None = None
    holds: str = FLUX
    quality: Quality | None = None
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of the axes: (wavelength, y, x), or (y, x)."""
        return self.view.shape_of(self.pixels.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.view.axes)

    @property
    def path(self) -> Path:
        """The file."""
        return self.pixels.file.path

    @property
    def identity(self) -> tuple[str, int, int, int]:
        """Resolved path, size and modification time (ns) of the file when it was opened, and index of the extension."""
        return (*self.pixels.file.identity, self.hdu)

    def __getitem__(self, key: Any) -> Floats:
        """Read a piece; what the values of small files leave open about zeros is found at the first reading."""
        key = key if isinstance(key, tuple) else (key,)
        key = (*key, *(slice(None),) * (self.ndim - len(key)))
        data = self._values(key)
        if self.holds in TO_SIGMA:
            data[~(data > 0)] = np.nan
            data = TO_SIGMA[self.holds](data)
        elif self.holds == FLUX and self.ndim == 3:
            self._blank_zeros(data, key)
        if self.quality is not None:
            data[self.quality.bad(key)] = np.nan
        return data

    def _values(self, key: tuple[Any, ...]) -> Floats:
        """Read a piece and scale it."""
        raw = self.pixels.read(key, self.view)
        if self.scale != (1.0, 0.0):
            data = (raw.astype(float) * self.scale[0] + self.scale[1]).astype(np.float32)
        else:
            data = raw.astype(np.float32, copy=False)
        if self.blank is not None:
            data[raw == self.blank] = np.nan
        return data

    def _blank_zeros(self, data: Floats, key: tuple[Any, ...]) -> None:
        """Set the zeros that stand for no data to NaN, in place."""
        if math.prod(self.shape) * self.dtype.itemsize > _EXACT_BYTES:
            if self.pixels.stored.kind == "f":
                data[data == 0] = np.nan
            return
        dead_planes, dead_spaxels = self._no_data
        data[dead_planes[key[0]]] = np.nan
        data[np.broadcast_to(dead_spaxels[key[1:]], data.shape) & (data == 0)] = np.nan

    @cached_property
    def _no_data(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Planes without any signal, and spaxels whose zeros stand for no data."""
        planes = self._values((slice(None),) * 3)
        is_zero = planes == 0
        dead = np.all(is_zero | ~np.isfinite(planes), axis=(1, 2))
        if dead.any():
            is_zero = is_zero[~dead]
        zeros = np.mean(is_zero, axis=0) if not dead.all() else np.ones(self.shape[1:])
        return dead, np.asarray(zeros > _DEAD_SHARE)

    def as_dask(self) -> da.Array:
        """Return the lazy array, in pieces of whole planes; its name tells the state of the file."""
        plane_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        n_planes = min(self.shape[0], max(1, _CHUNK_BYTES // plane_bytes))
        name = "-".join(str(part) for part in self.identity)
        meta = np.empty((0,) * self.ndim, dtype=self.dtype)
        lazy: da.Array = da.from_array(self, chunks=(n_planes, *self.shape[1:]), name=name, meta=meta)
        return lazy
