"""Compressed files: unpacked once, piece by piece, into the cache folder, and read from there like any other."""

from __future__ import annotations

import importlib
import math
import os
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError, KmosWarning, NotKmosError, WriteError
from napari_kmos.io import cache

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._pixels import TiledPixels
    from napari_kmos.io.cache import Identity

#: How a compressed file begins, and the module of the standard library that reads it.
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2"}
#: How much is in memory at a time.
_BLOCK = 4 * 2**20
_SLAB_BYTES = 32 * 2**20
#: Size of the unpacked file where the compressed one does not tell: FITS rarely shrinks by more.
_FACTOR = 4
#: What unpacks to more than this and to so many times its size is made to fill disks.
_HARMLESS_BYTES, _MOST_FACTOR = 2**27, 100


def is_packed(path: Path) -> bool:
    """Tell whether a whole file is compressed (gzip, bzip2), from its first bytes.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    """
    return _module(path) is not None


def unpacked_file(path: Path, identity: Identity) -> Path:
    """Return the unpacked copy of a compressed file; it is made, with a `KmosWarning`, where there is none yet.

    Raises
    ------
    NotKmosError
        If the file is damaged.
    WriteError
        If there is no room for the copy.
    """

    def write(target: Path) -> None:
        _warn(f"{path}: is compressed and cannot be read piece by piece", n_bytes, "gunzip")
        with target.open("wb") as copy:
            copy.writelines(_blocks(path))

    n_bytes = _expected_size(path)
    return _made(path, identity, "unpacked.fits", n_bytes, write)


def unpacked_pixels(pixels: TiledPixels, slabs: Callable[[int], Iterable[NDArray[Any]]]) -> Path:
    """Return a file with the bare pixels of a tile-compressed extension; made where there is none yet.

    Parameters
    ----------
    pixels : TiledPixels
        What is compressed; shape and type are kept.
    slabs : callable
        Decodes the extension in slabs of at most so many elements of its slowest axis.

    Raises
    ------
    NotKmosError
        If the file is damaged.
    WriteError
        If there is no room for it.
    """
    path = pixels.file.path
    n_bytes = math.prod(pixels.shape) * pixels.stored.itemsize
    n_tiles = max(1, _SLAB_BYTES * pixels.shape[0] // n_bytes // pixels.tile[0])

    def write(target: Path) -> None:
        what = f"{path}: extension {pixels.hdu} is compressed in tiles and cannot be read spectrum by spectrum"
        _warn(what, n_bytes, "funpack")
        with target.open("wb") as copy:
            for slab in slabs(n_tiles * pixels.tile[0]):
                copy.write(slab.astype(pixels.stored).tobytes())

    return _made(path, (*pixels.file.identity, pixels.hdu), "pixels.raw", n_bytes, write)


def _made(path: Path, identity: Identity, name: str, n_bytes: int, write: Callable[[Path], None]) -> Path:
    try:
        return cache.find_or_make(identity, name, n_bytes, write)
    except WriteError as err:
        msg = f"{path}: is compressed and cannot be unpacked for reading ({err}); or unpack it yourself and open that"
        raise WriteError(msg) from err


def _warn(what: str, n_bytes: int, tool: str) -> None:
    where = f"about {n_bytes / 2**20:.0f} MiB are unpacked into {cache.cache_folder()}"
    warnings.warn(f"{what}; {where}, once. To avoid that, {tool} it yourself", KmosWarning, stacklevel=2)


def _module(path: Path) -> str | None:
    """Name of the module that reads a compressed file."""
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
    except OSError as err:
        msg = f"{path}: cannot be read ({err.strerror or err})"
        raise NotKmosError(msg) from err
    return next((module for magic, module in _MAGIC.items() if start.startswith(magic)), None)


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the uncompressed bytes of a file."""
    most, n_bytes = max(_HARMLESS_BYTES, _MOST_FACTOR * _packed_size(path)), 0
    try:
        with importlib.import_module(_module(path) or "gzip").open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                n_bytes += len(block)
                if n_bytes > most:
                    msg = f"{path}: unpacks to more than {_MOST_FACTOR} times its size; unpack it yourself"
                    raise NotKmosError(msg)
                yield block
    except KmosError:
        raise
    except (OSError, EOFError, ValueError, ImportError, zlib.error) as err:
        msg = f"{path}: cannot be unpacked ({err}); copy the file again"
        raise NotKmosError(msg) from err


def _expected_size(path: Path) -> int:
    """Size of the unpacked file: gzip keeps it, less whole multiples of 4 GiB, in the last four bytes."""
    packed = _packed_size(path)
    if _module(path) != "gzip":
        return packed * _FACTOR
    with path.open("rb") as stream:
        stream.seek(-4, os.SEEK_END)
        size = int.from_bytes(stream.read(4), "little")
    return size + max(0, math.ceil((packed - size) / 2**32)) * 2**32


def _packed_size(path: Path) -> int:
    return path.stat().st_size
