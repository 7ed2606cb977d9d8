"""One image of a FITS file, read piece by piece when asked, with the pipeline's zeros turned into NaN."""

from __future__ import annotations

import gzip
import mmap
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
from astropy.io import fits

from napari_kmos.errors import NotKmosError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Up to this size all planes are looked at to find the spaxels without data, above it a sample of planes.
_EXACT_BYTES = 64 * 2**20
_SAMPLED_PLANES = 64
#: A spaxel with more exact zeros than this among the planes with data is a border which the pipeline did not fill.
_DEAD_SHARE = 0.25
#: Size of the pieces in which dask reads; one exposure's IFU is one piece, a mosaic's piece is a few planes.
_CHUNK_BYTES = 4 * 2**20


@dataclass(eq=False)
class FitsArray:
    """An image extension as a sliceable array of native float32.

    Opened anew for each reading, so that hundreds of extensions hold no file open and the object travels to other
    processes. It has no ``copy`` method on purpose: dask would use it to load the whole array.

    Parameters
    ----------
    path : Path
        FITS file.
    hdu : int
        Index of the extension.
    offset : int or None
        Byte at which the pixels start; None if the file is compressed and has to be decoded by astropy.
    shape : tuple of int
        Array shape, slowest axis first.
    stored : dtype
        Type of the pixels in the file.
    scale : tuple of float
        BSCALE and BZERO.
    blank : int or None
        Integer that stands for no data.
    zeros : str
        ``"mask"`` (planes and spaxels of zeros are NaN), ``"all"`` (every zero or negative is NaN: noise), ``"keep"``.
    """

    path: Path
    hdu: int
    offset: int | None
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    scale: tuple[float, float] = (1.0, 0.0)
    blank: int | None = None
    zeros: str = "mask"
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.float32))

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Read a piece; the mask of spaxels without data is found at the first reading."""
        key = (*key, *(slice(None),) * (self.ndim - len(key))) if isinstance(key, tuple) else (key,)
        data = self._values(key)
        if self.zeros == "all":
            data[data <= 0] = np.nan
        elif self.zeros == "mask" and self.ndim == 3:
            self._blank_zeros(data, key)
        return data

    def _values(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        raw = self._raw()[key]
        data = np.array(raw, dtype=np.float32)
        if self.scale != (1.0, 0.0):
            data = (np.asarray(raw, dtype=float) * self.scale[0] + self.scale[1]).astype(np.float32)
        if self.blank is not None:
            data[np.asarray(raw) == self.blank] = np.nan
        return data

    def _raw(self) -> NDArray[Any]:
        """Return the stored pixels: a memory map, or the decoded array of a compressed file."""
        if self.offset is None:
            return self._decoded
        try:
            with self.path.open("rb") as stream:
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            return np.ndarray(self.shape, self.stored, buffer=mapped, offset=self.offset)
        except (OSError, TypeError, ValueError) as err:
            msg = f"{self.path}: changed or vanished since it was opened ({err}); open it again"
            raise NotKmosError(msg) from err

    @cached_property
    def _decoded(self) -> NDArray[Any]:
        try:
            with fits.open(self.path, memmap=False, do_not_scale_image_data=True) as hdus:
                return np.asarray(hdus[self.hdu].data)
        except (OSError, TypeError, ValueError, EOFError, gzip.BadGzipFile) as err:
            msg = f"{self.path}: extension {self.hdu} cannot be decompressed ({err})"
            raise NotKmosError(msg) from err

    def _blank_zeros(self, data: NDArray[np.float32], key: tuple[Any, ...]) -> None:
        """Set planes without any signal and the zeros of spaxels without signal to NaN, in place."""
        dead_planes, dead_spaxels = self._no_data
        if dead_planes is None:
            flat = data.reshape(1, -1) if isinstance(key[0], (int, np.integer)) else data.reshape(len(data), -1)
            flat[~np.any(_has_signal(flat), axis=1)] = np.nan
        else:
            data[dead_planes[key[0]]] = np.nan
        data[np.broadcast_to(dead_spaxels[key[1:]], data.shape) & (data == 0)] = np.nan

    @cached_property
    def _no_data(self) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_]]:
        """Planes (None where the file is too large to look at them all) and spaxels whose zeros stand for no data."""
        n_planes = self.shape[0]
        is_small = int(np.prod(self.shape)) * self.dtype.itemsize <= _EXACT_BYTES
        if is_small:
            planes = self._values((slice(None),))
        else:
            chosen = np.unique(np.linspace(0, n_planes - 1, _SAMPLED_PLANES + 2).astype(int)[1:-1])
            planes = np.stack([self._values((int(index),)) for index in chosen])
        dead = ~np.any(_has_signal(planes), axis=(1, 2))
        zeros = np.mean(planes[~dead] == 0, axis=0) if not dead.all() else np.ones(self.shape[1:])
        return dead if is_small else None, np.asarray(zeros > _DEAD_SHARE)

    def as_dask(self, *, name: str) -> da.Array:
        """Return the lazy array, in pieces of whole planes."""
        plane_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        n_planes = min(self.shape[0], max(1, _CHUNK_BYTES // plane_bytes))
        chunks = (n_planes, *self.shape[1:])
        meta = np.empty((0,) * self.ndim, dtype=self.dtype)
        lazy: da.Array = da.from_array(self, chunks=chunks, name=name, meta=meta)
        return lazy


def _has_signal(data: NDArray[np.float32]) -> NDArray[np.bool_]:
    signal: NDArray[np.bool_] = np.isfinite(data) & (data != 0)
    return signal
