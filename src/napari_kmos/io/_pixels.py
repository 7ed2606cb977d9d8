"""The stored pixels of an image extension, read piece by piece in the file's own type and the cube's order of axes."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np
from astropy.io import fits
from numpy.lib.array_utils import byte_bounds

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._file import FitsFile

#: Runs of at least this many bytes are read one by one, others through a memory map.
_RUN_BYTES = 64 * 2**10
#: A reading that would decode more than so many times what was asked for has the extension unpacked.
_WASTE = 8


@dataclass(frozen=True, slots=True)
class View:
    """How the cube lies in the stored array: which stored axes it has, in order, and whether the first runs down.

    Stored axes that are not named have one element and are left out.
    """

    axes: tuple[int, ...]
    is_reversed: bool = False

    def of(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return the view of a stored array: nothing is copied."""
        left_out = tuple(axis for axis in range(stored.ndim) if axis not in self.axes)
        view = stored.transpose(*self.axes, *left_out)[(..., *(0,) * len(left_out))]
        return view[::-1] if self.is_reversed else view

    def shape_of(self, stored: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the view of an array."""
        return tuple(stored[axis] for axis in self.axes)

    def box(self, key: tuple[Any, ...], stored: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[Any, ...]]:
        """Return the smallest box of stored pixels that holds a piece of the view, and the piece's key in its view."""
        box = [slice(0, 1)] * len(stored)
        inner = []
        for number, (axis, part) in enumerate(zip(self.axes, key, strict=True)):
            n = stored[axis]
            indices = np.arange(n)[part]
            low, high = (int(indices.min()), int(indices.max()) + 1) if indices.size else (0, 1)
            box[axis] = slice(n - high, n - low) if self.is_reversed and number == 0 else slice(low, high)
            if not isinstance(part, slice):
                inner.append(indices - low)
            else:
                inner.append(slice(None, None, part.step) if indices.size else slice(0, 0))
        return tuple(box), tuple(inner)


class Pixels(Protocol):
    """What can read pieces of stored pixels."""

    file: FitsFile
    shape: tuple[int, ...]
    stored: np.dtype[Any]

    def read(self, key: tuple[Any, ...], view: View) -> NDArray[Any]:
        """Return a piece of the view, in the stored type but native byte order, to be written to at will."""


@dataclass(frozen=True, slots=True)
class PlainPixels:
    """Uncompressed pixels.

    Runs of whole planes come by ordinary reading, which ends in an error where a file shrinks meanwhile; pieces that
    lie scattered come from a memory map. The file is opened anew for each reading, so that hundreds of extensions hold
    none open.

    Parameters
    ----------
    file : FitsFile
        The file as it was opened.
    shape : tuple of int
        Stored shape, slowest axis first.
    stored : dtype
        Type of the pixels in the file.
    offset : int
        Byte at which they start.
    """

    file: FitsFile
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    offset: int

    def read(self, key: tuple[Any, ...], view: View) -> NDArray[Any]:
        """Read a piece, as `Pixels` says."""
        return self.read_from(self.file.plain_path(), key, view)

    def read_from(self, path: Path, key: tuple[Any, ...], view: View) -> NDArray[Any]:
        """Read a piece out of a certain file, which may be an unpacked copy."""
        try:
            with path.open("rb") as stream:
                mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
                stored = np.ndarray(self.shape, self.stored, buffer=mapped, offset=self.offset)
                return _native(np.asarray(view.of(stored)[key]), stored, stream, self.offset)
        except (OSError, TypeError, ValueError) as err:
            raise self.file.changed(str(err)) from err


@dataclass(frozen=True, slots=True)
class TiledPixels:
    """Pixels of a tile-compressed extension: planes are decoded as they are asked for.

    Where the tiles do not fit what is asked for (single spectra out of tiles that are planes), the extension is
    unpacked once.

    Parameters
    ----------
    file, shape, stored
        As in `PlainPixels`.
    hdu : int
        Index of the extension.
    tile : tuple of int
        Shape of a tile, slowest axis first.
    """

    file: FitsFile
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    hdu: int
    tile: tuple[int, ...]

    def read(self, key: tuple[Any, ...], view: View) -> NDArray[Any]:
        """Read a piece, as `Pixels` says."""
        path = self.file.plain_path()
        box, inner = view.box(key, self.shape)
        with self._section(path) as section:
            if self._waste(box) <= _WASTE:
                return np.array(view.of(section[box])[inner])
            whole = (slice(None),) * (len(self.shape) - 1)
            identity = (*self.file.identity, self.hdu)
            copy = unpack.unpacked_pixels(self.file.path, identity, self, lambda planes: section[(planes, *whole)])
        return PlainPixels(self.file, self.shape, self.stored, 0).read_from(copy, key, view)

    def _waste(self, box: tuple[slice, ...]) -> float:
        """How many times the pixels of a box would have to be decoded."""
        decoded = (
            min(n, math.ceil(part.stop / tile) * tile) - part.start // tile * tile
            for part, tile, n in zip(box, self.tile, self.shape, strict=True)
        )
        return math.prod(decoded) / math.prod(part.stop - part.start for part in box)

    @contextmanager
    def _section(self, path: Path) -> Iterator[Any]:
        """Open the extension for decoding boxes."""
        try:
            with fits.open(path, memmap=False, do_not_scale_image_data=True) as hdus:
                yield hdus[self.hdu].section
        except KmosError:
            raise
        except (OSError, TypeError, ValueError, EOFError, IndexError) as err:
            msg = f"{self.file.path}: extension {self.hdu} cannot be decompressed ({err})"
            raise NotKmosError(msg) from err


def _native(piece: NDArray[Any], stored: NDArray[Any], stream: BinaryIO, offset: int) -> NDArray[Any]:
    """Return a piece of a memory map in native byte order, read from the stream wherever it is made of long runs."""
    native = piece.dtype.newbyteorder("=")
    first, last = byte_bounds(stored)
    is_view = bool(piece.size) and first <= byte_bounds(piece)[0] < last
    if is_view and _is_run(piece):
        return _read_run(piece, stream, offset - first)
    outer = int(np.argmax(np.abs(piece.strides))) if piece.ndim > 1 else 0
    parts = np.moveaxis(piece, outer, 0) if piece.ndim > 1 else ()
    if not is_view or len(parts) == 0 or parts[0].nbytes < _RUN_BYTES or not _is_run(parts[0]):
        return piece.astype(native)
    data = np.empty(piece.shape, dtype=native)
    for target, part in zip(np.moveaxis(data, outer, 0), parts, strict=True):
        target[...] = _read_run(part, stream, offset - first)
    return data


def _is_run(piece: NDArray[Any]) -> bool:
    """Tell whether a piece fills the memory from its first to its last byte, in whatever order."""
    low, high = byte_bounds(piece)
    return bool(high - low == piece.nbytes)


def _read_run(piece: NDArray[Any], stream: BinaryIO, shift: int) -> NDArray[Any]:
    """Read a run that a piece of the memory map stands for; ``shift`` makes its address a place in the file."""
    low = byte_bounds(piece)[0]
    stream.seek(low + shift)
    raw = np.fromfile(stream, dtype=np.uint8, count=piece.nbytes)
    if raw.size < piece.nbytes:
        msg = f"it ends {piece.nbytes - raw.size} bytes early"
        raise ValueError(msg)
    first = piece.__array_interface__["data"][0] - low
    run = np.ndarray(piece.shape, piece.dtype, buffer=raw, offset=first, strides=piece.strides)
    if not run.dtype.isnative:
        run = run.byteswap(inplace=True).view(run.dtype.newbyteorder("="))
    return np.asarray(run, order="C")
