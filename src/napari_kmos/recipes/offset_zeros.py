"""What the offsets of one product are against: parts that are against different things do not fit together."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari_kmos.errors import KmosWarning

if TYPE_CHECKING:
    from napari_kmos.offset import Offset


def warn_of_zeros(name: str, offsets: Iterable[Offset]) -> None:
    """Warn of a product that would have a seam, or stars beside each other; what nobody told goes with anything.

    Warns
    -----
    KmosWarning
        If its offsets are against different things.
    """
    zeros = sorted({one.against for one in offsets if one.against})
    if len(zeros) > 1:
        text = f"{name}: its offsets are against {' and '.join(zeros)}, and do not fit together: only headers tell how "
        text += "these lie to each other; align all against one exposure that shows all of it, an image or a catalogue"
        warnings.warn(text, KmosWarning, stacklevel=5)
