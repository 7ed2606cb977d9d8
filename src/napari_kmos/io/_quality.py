"""Which pixels a quality extension says are bad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.io._pixels import Pixels, View


@dataclass(frozen=True, slots=True)
class Flags:
    """What quality numbers mean: bad are those with one of ``bits`` set; without bits, all but ``good``."""

    bits: int | None = None
    good: int = 0


#: Any number but zero is bad.
ANY = Flags()
#: Zero is bad, one is good.
ONES_ARE_GOOD = Flags(good=1)
#: DO_NOT_USE of JWST; the other bits tell what happened to pixels that are good.
DO_NOT_USE = Flags(bits=1)


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality extension of a cube.

    Parameters
    ----------
    pixels : Pixels
        Integers.
    view : View
        As that of the cube.
    zero : int
        BZERO.
    flags : Flags
        What the numbers mean.
    """

    pixels: Pixels
    view: View
    zero: int
    flags: Flags

    def bad(self, key: tuple[Any, ...]) -> NDArray[np.bool_]:
        """Return which pixels of a piece are bad."""
        numbers = self.pixels.read(key, self.view)
        if self.zero:
            numbers = numbers.astype(np.int64) + self.zero
        bad = numbers != self.flags.good if self.flags.bits is None else (numbers & self.flags.bits) != 0
        return np.asarray(bad)
