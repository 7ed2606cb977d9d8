"""FITS checksums of data written in pieces (FITS standard 4.0, appendix J)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from astropy.io import fits
    from numpy.typing import NDArray

_PUNCTUATION = set(range(0x3A, 0x41)) | set(range(0x5B, 0x61))


def ones_complement_sum(data: bytes | bytearray | memoryview, total: int = 0) -> int:
    """Add 32-bit big-endian words to a ones'-complement sum; the length must be a multiple of four."""
    return add_words(np.frombuffer(data, dtype=">u4"), total)


def add_words(words: NDArray[np.uint32], total: int = 0) -> int:
    """Add 32-bit words, whatever the order of their bytes in memory, to a ones'-complement sum."""
    total += int(words.sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def encode(total: int) -> str:
    """Return the complement of a sum as the 16 letters of the CHECKSUM keyword."""
    value = 0xFFFFFFFF - total
    letters = [[0] * 4 for _ in range(4)]
    for byte in range(4):
        number = (value >> (24 - 8 * byte)) & 0xFF
        quarters = [number // 4 + 0x30] * 4
        quarters[0] += number % 4
        while any(letter in _PUNCTUATION for letter in quarters):
            for first in (0, 2):
                if quarters[first] in _PUNCTUATION or quarters[first + 1] in _PUNCTUATION:
                    quarters[first] += 1
                    quarters[first + 1] -= 1
        for place in range(4):
            letters[place][byte] = quarters[place]
    text = "".join(chr(letters[place][byte]) for place in range(4) for byte in range(4))
    return text[-1] + text[:-1]


def with_checksum(header: fits.Header, datasum: int) -> bytes:
    """Return the header as bytes, with DATASUM and CHECKSUM; its length does not depend on the data."""
    header["DATASUM"] = (f"{datasum:010d}", "data unit checksum")
    header["CHECKSUM"] = ("0" * 16, "HDU checksum")
    total = ones_complement_sum(header.tostring().encode("ascii"), datasum)
    header["CHECKSUM"] = (encode(total), "HDU checksum")
    return bytes(header.tostring().encode("ascii"))
