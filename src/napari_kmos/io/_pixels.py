"""The stored pixels of an image extension, read piece by piece in the file's own type and the cube's order of axes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import as_strided

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io import unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._file import FitsFile

#: Runs of at least this many bytes are read one by one, shorter ones with what lies between them.
_RUN_BYTES = 4 * 2**10
#: What lies farther apart is not read together: passing over more takes longer than a reading of its own.
_GAP_BYTES = 8 * 2**10
#: So many pixels are read and have their bytes put in order at a time, while they are in the processor's own memory.
_BLOCK = 64 * 2**10
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
        first = tuple(slice(None) if axis in self.axes else 0 for axis in range(stored.ndim))
        view = stored[first].transpose([sorted(self.axes).index(axis) for axis in self.axes])
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


#: An image lies in its array as it is stored.
FLAT = View((0, 1))


class Pixels(Protocol):
    """What can read pieces of stored pixels."""

    @property
    def file(self) -> FitsFile:
        """The file as it was opened."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Stored shape, slowest axis first."""

    @property
    def stored(self) -> np.dtype[Any]:
        """Type of the pixels in the file."""

    def read(self, key: tuple[Any, ...], view: View) -> NDArray[Any]:
        """Return a piece of the view, in the stored type but native byte order, to be written to at will."""


@dataclass(frozen=True, slots=True)
class PlainPixels:
    """Uncompressed pixels.

    They come by ordinary reading, which ends in an error where a file shrinks meanwhile; with a memory map the process
    would end. The file is opened anew for each reading, so that hundreds of extensions hold none open.

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
        addresses = self._addresses()
        shift = self.offset - byte_bounds(addresses)[0]
        try:
            with path.open("rb", buffering=0) as stream:
                if all(isinstance(part, (int, np.integer, slice)) for part in key):
                    return _read_piece(stream, view.of(addresses)[(*key, ...)], shift)
                box, inner = view.box(key, self.shape)
                return np.array(view.of(_read_piece(stream, addresses[box], shift))[inner])
        except (OSError, ValueError) as err:
            raise self.file.changed(str(err)) from err

    def _addresses(self) -> NDArray[Any]:
        """Return an array like the stored one but without its memory: where a piece of it lies tells what to read."""
        strides = self.stored.itemsize * np.cumprod((1, *self.shape[:0:-1]))[::-1]
        return as_strided(np.empty(1, dtype=self.stored), self.shape, strides.tolist(), writeable=False)


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
        if self._waste(box) <= _WASTE:
            with self._section(path) as section:
                return np.array(view.of(section[box])[inner])
        copy = unpack.unpacked_pixels(self, lambda n_planes: self._slabs(path, n_planes))
        return PlainPixels(self.file, self.shape, self.stored, 0).read_from(copy, key, view)

    def _waste(self, box: tuple[slice, ...]) -> float:
        """How many times the pixels of a box would have to be decoded."""
        decoded = (
            min(n, math.ceil(part.stop / tile) * tile) - part.start // tile * tile
            for part, tile, n in zip(box, self.tile, self.shape, strict=True)
        )
        return float(math.prod(decoded) / math.prod(part.stop - part.start for part in box))

    def _slabs(self, path: Path, n_planes: int) -> Iterator[NDArray[Any]]:
        """Decode the extension, so many of its slowest axis at a time."""
        rest = (slice(None),) * (len(self.shape) - 1)
        with self._section(path) as section:
            for start in range(0, self.shape[0], n_planes):
                yield section[(slice(start, min(start + n_planes, self.shape[0])), *rest)]

    @contextmanager
    def _section(self, path: Path) -> Iterator[Any]:
        """Open the extension for decoding boxes."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstropyWarning)  # it was opened before, and what is wrong was judged
                with fits.open(path, memmap=False, do_not_scale_image_data=True) as hdus:
                    yield hdus[self.hdu].section
        except KmosError:
            raise
        except Exception as err:  # decompressors have exception classes that are private to astropy
            msg = f"{self.file.path}: extension {self.hdu} cannot be decompressed ({err})"
            raise NotKmosError(msg) from err


def _is_run(piece: NDArray[Any]) -> bool:
    """Tell whether a piece fills the memory from its first to its last byte, in whatever order."""
    low, high = byte_bounds(piece)
    return bool(high - low == piece.nbytes)


def _outer_axis(piece: NDArray[Any]) -> int:
    """Return the axis along which the parts of a piece lie farthest apart."""
    return int(np.argmax([abs(step) * (n > 1) for step, n in zip(piece.strides, piece.shape, strict=True)]))


def _is_dense(piece: NDArray[Any]) -> bool:
    """Tell whether there is so little between the parts of a piece that it is read along."""
    return all(abs(step) <= _GAP_BYTES for step, n in zip(piece.strides, piece.shape, strict=True) if n > 1)


def _read_piece(stream: RawIOBase, piece: NDArray[Any], shift: int) -> NDArray[Any]:
    """Read a piece of addresses; ``shift`` makes an address a place in the file.

    What ``piece`` holds must not be looked at, not even as a scalar: there is no memory there.
    """
    data = np.empty(piece.shape, dtype=piece.dtype.newbyteorder("="))
    if not piece.size:
        return data
    if _is_run(piece):
        return _read_run(stream, piece, shift)
    if _is_dense(piece):
        _read_spans(stream, piece[np.newaxis], data[np.newaxis], shift)
        return data
    axis = _outer_axis(piece)
    parts, targets = np.moveaxis(piece, axis, 0), np.moveaxis(data, axis, 0)
    part = parts[(0, ...)]
    if _is_dense(part) and not (_is_run(part) and part.nbytes >= _RUN_BYTES):
        _read_spans(stream, parts, targets, shift)
    else:
        for target, one in zip(targets, parts, strict=True):
            target[...] = _read_piece(stream, one, shift)
    return data


def _read_spans(stream: RawIOBase, parts: NDArray[Any], targets: NDArray[Any], shift: int) -> None:
    """Read parts that are alike, each from its first to its last byte, into arrays."""
    low, high = byte_bounds(parts[(0, ...)])
    memory = memoryview(bytearray(high - low))
    part = np.ndarray(parts.shape[1:], parts.dtype, memory, _address(parts) - low, parts.strides[1:])
    for number in range(len(parts)):
        stream.seek(low + shift + number * parts.strides[0])
        _fill(stream, memory)
        targets[number] = part


def _read_run(stream: RawIOBase, piece: NDArray[Any], shift: int) -> NDArray[Any]:
    """Read one run; the order of bytes is changed in place, block by block."""
    low = byte_bounds(piece)[0]
    stored = np.empty(piece.size, dtype=piece.dtype)
    native = stored.view(piece.dtype.newbyteorder("="))
    stream.seek(low + shift)
    for start in range(0, piece.size, _BLOCK):
        block = stored[start : start + _BLOCK]
        _fill(stream, block.view(np.uint8).data)
        native[start : start + _BLOCK] = block
    return np.asarray(np.ndarray(piece.shape, native.dtype, native, _address(piece) - low, piece.strides), order="C")


def _address(piece: NDArray[Any]) -> int:
    """Return where the first pixel of a piece is."""
    return int(piece.__array_interface__["data"][0])


def _fill(stream: RawIOBase, left: memoryview) -> None:
    """Read until a piece of memory is full; the system may give a large one in parts."""
    while n_left := len(left):
        n_read = stream.readinto(left)
        if not n_read:
            msg = f"it ends at least {n_left} bytes early"
            raise ValueError(msg)
        left = left[n_read:]
