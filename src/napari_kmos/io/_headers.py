"""The headers of a FITS file, walked along before anybody believes them: what they promise can be astronomical."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import BinaryIO

from napari_kmos.errors import NotKmosError

CARD_BYTES = 80
_BLOCK_BYTES = 36 * CARD_BYTES
#: The standard has no more axes.
_MOST_AXES = 999
#: Headers of the pipeline have 0.3 MiB; one without an end would be read to the end of a mosaic.
_MOST_BYTES = 16 * 2**20
_INTEGER = re.compile(rb"([A-Z0-9]{1,8}) *= *([-+]?[0-9]+) *(?:/.*)?")
_SIZES = re.compile(rb"BITPIX|NAXIS[0-9]*|PCOUNT|GCOUNT")
_END = b"END".ljust(CARD_BYTES)


def check_headers(path: Path, named: Path) -> None:
    """Refuse a file of which a header has no end, or more axes than FITS has: to believe it would take for ever.

    What else is wrong is left to whoever reads the file.

    Parameters
    ----------
    path : Path
        Uncompressed file.
    named : Path
        What errors call it.

    Raises
    ------
    NotKmosError
        If there is such a header.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        while stream.tell() < size:
            cards = _sizes_of(stream, named)
            end = stream.tell() + _data_bytes(cards)
            if not cards or end >= size:
                return
            stream.seek(end)


def _sizes_of(stream: BinaryIO, named: Path) -> dict[bytes, int]:
    """Read a header and return its numbers that tell sizes, the first of each."""
    sizes: dict[bytes, int] = {}
    start = stream.tell()
    while block := stream.read(_BLOCK_BYTES):
        for at in range(0, len(block), CARD_BYTES):
            card = block[at : at + CARD_BYTES]
            if card == _END:
                return sizes
            told = _INTEGER.fullmatch(card)
            if told and _SIZES.fullmatch(told[1]):
                sizes.setdefault(told[1], _checked(told[1], int(told[2]), named))
        if stream.tell() - start > _MOST_BYTES:
            msg = f"{named}: a header does not end within {_MOST_BYTES // 2**20} MiB; copy the file again"
            raise NotKmosError(msg)
    return sizes


def _checked(key: bytes, value: int, named: Path) -> int:
    """Return a number, unless it is that of more axes than there can be: also of a card that says it once more."""
    if key == b"NAXIS" and value > _MOST_AXES:
        msg = f"{named}: NAXIS is {value}; expected at most {_MOST_AXES} axes, copy the file again"
        raise NotKmosError(msg)
    return value


def _data_bytes(cards: dict[bytes, int]) -> int:
    """Return how long the data behind a header are, whole blocks; nothing where that makes no sense."""
    lengths = [cards.get(b"NAXIS%d" % axis, 0) for axis in range(1, cards.get(b"NAXIS", 0) + 1)]
    if lengths and lengths[0] == 0:
        lengths[0] = 1  # random groups
    pixels = math.prod(lengths) if lengths else 0
    n_bytes = abs(cards.get(b"BITPIX", 8)) // 8 * cards.get(b"GCOUNT", 1) * (cards.get(b"PCOUNT", 0) + pixels)
    return -(-max(n_bytes, 0) // _BLOCK_BYTES) * _BLOCK_BYTES
