"""The extensions of a FITS file: where their pixels are and what their headers say, not yet understood."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from napari_kmos.errors import KmosError, NotKmosError
from napari_kmos.io._array import FitsArray
from napari_kmos.io._axes import read_number
from napari_kmos.io._file import FitsFile, file_status
from napari_kmos.io._headers import CARD_BYTES, check_headers
from napari_kmos.io._pixels import Pixels, PlainPixels, TiledPixels, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._quality import Quality

_ILLEGIBLE = re.compile(rb"[^ -~]")
#: Cards as nearly all are: a text, a truth, a number or nothing, and a comment.
_SOUND = re.compile(
    rb"(?:(?:COMMENT|HISTORY|CONTINUE|END|) *(?<= ) [ -~]*|"
    rb"(?:[A-Z0-9_-]{1,8} *=|HIERARCH [A-Z0-9_ -]+=) *"
    rb"(?:'(?:[ -&(-~]|'')*'|[TF]|[-+]?[0-9]+(?:\.[0-9]*)?(?:[ED][-+]?[0-9]+)?|) *(?:/[ -~]*)?)"
)
#: How files begin that astropy would unpack in memory, however much comes out of them.
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
    b"\x1f\x9d": "compress",
}
#: What astropy raises where a file is not as it says.
_ASTROPY = (ArithmeticError, AttributeError, EOFError, LookupError, OSError, TypeError, ValueError, fits.VerifyError)
#: Keywords as FITS has them, and those of HIERARCH cards.
_KEYWORD = re.compile(r"[A-Z0-9_-]{0,8}|[A-Z0-9_ .-]+ [A-Z0-9_ .-]+")
#: No compression of pixels in tiles makes more than so many bytes of one; only a damaged header says so.
_MOST_PACKED = 10_000


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
    """Open a FITS file for reading; a compressed one is unpacked first.

    What astropy finds wrong becomes a `NotKmosError`; its warnings are ours to judge. With ``named``, the file is a
    copy that was unpacked already, and errors call it by that name. With ``as_stored``, compressed images are the
    tables in which they are stored.

    Raises
    ------
    NotKmosError
        If the file is missing, a folder, unreadable, not FITS, or damaged.
    WriteError
        If there is no room to unpack it.
    """
    plain = path if named else FitsFile.at(path).plain_path()
    check_plain(plain, named or path)
    check_headers(plain, named or path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            options = {"memmap": False, "do_not_scale_image_data": True, "ignore_blank": True}
            with fits.open(plain, **options, disable_image_compression=as_stored) as hdus:
                yield hdus
    except KmosError:
        raise
    except _ASTROPY as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        msg = f"{named or path}: not a FITS file that can be read ({reason})"
        raise NotKmosError(msg) from err


def check_plain(path: Path, named: Path) -> None:
    """Refuse what is compressed, again or in a way that we do not know: it could unpack to any size, in memory.

    Raises
    ------
    NotKmosError
        If it is, or cannot be read.
    """
    file_status(path)
    try:
        with path.open("rb") as stream:
            start = stream.read(6)
    except OSError as err:
        msg = f"{named}: cannot be read ({err.strerror or err})"
        raise NotKmosError(msg) from err
    packed = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
    if packed is not None:
        msg = f"{named}: compressed by {packed}; expected a plain file, gzip or bzip2, and once: unpack it first"
        raise NotKmosError(msg)


def check_lengths(hdus: fits.HDUList, named: Path) -> None:
    """Refuse a file in which the data of any extension end behind the end of the file.

    Raises
    ------
    NotKmosError
        If there is such an extension.
    """
    for hdu in hdus:
        _check_length(hdu, hdu.size, int(hdu.fileinfo()["file"].size), named)


def data_of(hdu: Any, named: Path) -> NDArray[Any] | None:
    """Return the data of an opened extension as an array of its own; None without any.

    Raises
    ------
    NotKmosError
        If the file is shorter than the header says, which astropy would find out with all that memory in its hands.
    """
    stored = int(hdu.fileinfo()["file"].size)
    if isinstance(hdu, fits.CompImageHDU):
        _check_unpacked(tuple(hdu.shape), abs(hdu.header["BITPIX"]) // 8, stored, named)
    elif hdu.shape:
        _check_shape(tuple(hdu.shape), named)
        _check_length(hdu, hdu.size, stored, named)
    return None if hdu.data is None else np.array(hdu.data)


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
        extensions = tuple(_extension(file, size, index, hdu) for index, hdu in enumerate(hdus))
    return Product(path, extensions[0].header, extensions)


def legible(hdu: Any) -> fits.Header:
    """Return the header of an opened extension in which every card can be asked for.

    astropy refuses what FITS does not allow card by card, when it is asked for, and other programs write such cards:
    "?" stands for a letter that is none, control characters above all; a card whose keyword or value is none is left
    out.
    """
    header: fits.Header = hdu.header
    if not isinstance(hdu, fits.CompImageHDU):
        place = hdu.fileinfo()
        place["file"].seek(place["hdrLoc"])
        stored = place["file"].read(place["datLoc"] - place["hdrLoc"])
        if all(_SOUND.fullmatch(stored, at, at + CARD_BYTES) for at in range(0, len(stored), CARD_BYTES)):
            return header  # the rule; to let astropy look at each of thousands of cards takes longer than all else
        header = fits.Header.fromstring(_ILLEGIBLE.sub(b"?", stored))
    cards = [card for card in header.cards if _is_card(card)]
    return header if len(cards) == len(header) else fits.Header(cards)


def _is_card(card: fits.Card) -> bool:
    """Whether a card says something of something, and can be written again."""
    try:
        _ = card.value, card.comment
        return _KEYWORD.fullmatch(card.keyword) is not None
    except (ValueError, fits.VerifyError):
        return False


def _extension(file: FitsFile, size: int, index: int, hdu: Any) -> Extension:
    header = legible(hdu)
    name = str(header.get("EXTNAME", "")).strip()
    where = f"{file.path.name}[{name or index}]"
    is_image = bool(hdu.is_image)
    pixels = _pixels(file, size, index, hdu) if is_image and hdu.shape and 0 not in hdu.shape else None
    return Extension(name, index, header, pixels, not is_image, where)


def _pixels(file: FitsFile, size: int, index: int, hdu: Any) -> Pixels:
    """Return where the pixels of an image are, having made sure that they are all there."""
    shape = tuple(hdu.shape)
    _check_shape(shape, file.path)
    stored = np.dtype(fits.BITPIX2DTYPE[hdu.header["BITPIX"]]).newbyteorder(">")
    if isinstance(hdu, fits.CompImageHDU):
        _check_unpacked(shape, stored.itemsize, size, file.path)
        return TiledPixels(file, shape, stored, hdu=index, tile=tuple(hdu.tile_shape))
    _check_length(hdu, math.prod(shape) * stored.itemsize, size, file.path)
    return PlainPixels(file, shape, stored, int(hdu.fileinfo()["datLoc"]))


def _check_shape(shape: tuple[int, ...], named: Path) -> None:
    """Refuse axes of less than nothing."""
    if min(shape) < 0:
        msg = f"{named}: an extension has the shape {shape}; expected no negative NAXIS, copy the file again"
        raise NotKmosError(msg)


def _check_length(hdu: Any, n_bytes: int, size: int, named: Path) -> None:
    """Refuse data that end behind the end of the file."""
    end = int(hdu.fileinfo()["datLoc"]) + n_bytes
    if end > size:
        msg = f"{named}: file is truncated: {size} bytes, the data end at {end}; copy it again"
        raise NotKmosError(msg)


def _check_unpacked(shape: tuple[int, ...], item_bytes: int, size: int, named: Path) -> None:
    """Refuse compressed pixels that would be more than any compression can have made of so short a file."""
    n_bytes = math.prod(shape) * item_bytes
    if n_bytes > _MOST_PACKED * size:
        msg = f"{named}: compressed pixels of shape {shape} in {size} bytes; the header is damaged, copy the file again"
        raise NotKmosError(msg)
