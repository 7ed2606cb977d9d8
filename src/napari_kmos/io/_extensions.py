"""The extensions of a FITS file: where their pixels are and what their headers say, not yet understood."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io._array import FitsArray
from napari_kmos.io._axes import read_number
from napari_kmos.io._file import FitsFile, file_status
from napari_kmos.io._pixels import Pixels, PlainPixels, TiledPixels, View

if TYPE_CHECKING:
    from napari_kmos.io._quality import Quality

_ILLEGIBLE = re.compile(rb"[^ -~]")


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension (or the primary HDU): where it is and what its header says."""

    name: str
    index: int
    header: fits.Header
    pixels: Pixels | None
    is_table: bool
    where: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Stored shape, slowest axis first; empty without pixels."""
        return () if self.pixels is None else self.pixels.shape

    @property
    def label(self) -> str:
        """What to call it in a message."""
        return self.name or (f"extension {self.index}" if self.index else "PRIMARY")

    @property
    def version(self) -> object:
        """EXTVER, which tells extensions of one name apart."""
        return self.header.get("EXTVER", 1)

    def array(self, view: View, holds: str, quality: Quality | None = None) -> FitsArray:
        """Return the pixels as a sliceable array; arguments as of `FitsArray`.

        Raises
        ------
        NotKmosError
            If there are none.
        """
        if self.pixels is None:
            msg = f"{self.where}: has no pixels; expected an image or a cube"
            raise NotKmosError(msg)
        factor, zero = (
            read_number(self.header, key, self.where, value) for key, value in (("BSCALE", 1), ("BZERO", 0))
        )
        return FitsArray(
            pixels=self.pixels,
            view=view,
            hdu=self.index,
            scale=(factor, zero),
            blank=self.header.get("BLANK") if self.pixels.stored.kind in "iu" else None,
            holds=holds,
            quality=quality,
        )


@dataclass(frozen=True, slots=True)
class Product:
    """A file: its primary header and its extensions, the primary HDU first."""

    path: Path
    primary: fits.Header
    extensions: tuple[Extension, ...]


@contextmanager
def open_fits(path: Path, *, named: Path | None = None, as_stored: bool = False) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading, which errors may call by another name.

    What astropy finds wrong becomes a `NotKmosError`; its warnings are ours to judge. With ``as_stored``, compressed
    images are the tables in which they are stored.

    Raises
    ------
    NotKmosError
        If the file is missing, a folder, unreadable, not FITS, or damaged.
    """
    file_status(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            options = {"memmap": False, "do_not_scale_image_data": True, "ignore_blank": True}
            with fits.open(path, **options, disable_image_compression=as_stored) as hdus:
                yield hdus
    except KmosError:
        raise
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, fits.VerifyError, AttributeError) as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        msg = f"{named or path}: not a FITS file that can be read ({reason})"
        raise NotKmosError(msg) from err


def open_product(path: Path) -> Product:
    """Read the headers of a file; a compressed one is unpacked first.

    Raises
    ------
    NotKmosError
        If the file cannot be read, or is shorter than its headers say.
    WriteError
        If there is no room to unpack it.
    """
    file = FitsFile.at(path)
    plain = file.plain_path()
    size = plain.stat().st_size
    with open_fits(plain, named=path) as hdus:
        compression = hdus[0].fileinfo()["file"].compression
        if compression is not None:
            msg = f"{path}: compressed by {compression}; expected a plain file, gzip or bzip2: unpack it first"
            raise NotKmosError(msg)
        with plain.open("rb") as stream:
            extensions = tuple(
                _extension(file, size, (index, _legible(hdu, stream)), hdu) for index, hdu in enumerate(hdus)
            )
    return Product(path, extensions[0].header, extensions)


def _legible(hdu: Any, stream: BinaryIO) -> fits.Header:
    """Return a header in which "?" stands for what FITS does not allow, control characters above all.

    astropy refuses such cards one by one, when they are asked for, and other programs write them. The header of a
    compressed image is made by astropy, and left as it is.
    """
    if isinstance(hdu, fits.CompImageHDU):
        return hdu.header
    place = hdu.fileinfo()
    stream.seek(place["hdrLoc"])
    stored = stream.read(place["datLoc"] - place["hdrLoc"])
    return fits.Header.fromstring(_ILLEGIBLE.sub(b"?", stored)) if _ILLEGIBLE.search(stored) else hdu.header


def _extension(file: FitsFile, size: int, told: tuple[int, fits.Header], hdu: Any) -> Extension:
    index, header = told
    name = str(header.get("EXTNAME", "")).strip()
    where = f"{file.path.name}[{name or index}]"
    is_image = bool(hdu.is_image)
    pixels = _pixels(file, size, index, hdu) if is_image and hdu.shape and 0 not in hdu.shape else None
    return Extension(name, index, header, pixels, not is_image, where)


def _pixels(file: FitsFile, size: int, index: int, hdu: Any) -> Pixels:
    """Return where the pixels of an image are, having made sure that they are all there."""
    shape = tuple(hdu.shape)
    stored = np.dtype(fits.BITPIX2DTYPE[hdu.header["BITPIX"]]).newbyteorder(">")
    if isinstance(hdu, fits.CompImageHDU):
        return TiledPixels(file, shape, stored, hdu=index, tile=tuple(hdu.tile_shape))
    offset = int(hdu.fileinfo()["datLoc"])
    needed = offset + math.prod(shape) * stored.itemsize
    if needed > size:
        msg = f"{file.path}: file is truncated: {size} bytes, the data end at {needed}; copy it again"
        raise NotKmosError(msg)
    return PlainPixels(file, shape, stored, offset)
