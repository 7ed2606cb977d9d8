"""What offsets are counted from: those that are counted from different things do not belong together."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence

from napari_kmos._napari.align_rows import AlignRow
from napari_kmos.errors import KmosWarning
from napari_kmos.offset import Offset

_NOBODY_TOLD = "nobody told what"
_MOST_NAMED = 6


def zero_of(row: AlignRow) -> str:
    """Return what the place of a row is counted from: its own header, if it was not measured."""
    return row.offset.against or row.path.name


def mixed_zeros(offsets: Sequence[Offset]) -> str:
    """Tell what to do where accepted offsets of one IFU are counted from different things; nothing where all is well.

    Those of an epoch, half or IFU, which are added to others, may be counted from anything.
    """
    zeros: dict[int | None, set[str]] = defaultdict(set)
    for one in offsets:
        if one.accepted and one.file:
            zeros[one.ifu].add(one.against)
    several = {ifu: found for ifu, found in zeros.items() if len(found) > 1}
    if not several:
        return ""
    ifus = [str(ifu) for ifu in several if ifu is not None]
    shown = ", ".join(ifus[:_MOST_NAMED]) + (", ..." if len(ifus) > _MOST_NAMED else "")
    names = " and ".join(name or _NOBODY_TOLD for name in sorted(set.union(*several.values())))
    return (
        f"{f'IFU {shown}' if ifus else 'Mosaics'}: rows are against {names}, and do not fit together: "
        "choose one of these as the reference, Propose all, and take the proposal (T) in rows that were decided"
    )


def warn_of_mixed_zeros(offsets: Sequence[Offset]) -> None:
    """Warn of offsets that do not belong together, before they are used.

    Warns
    -----
    KmosWarning
        If accepted offsets of one IFU are counted from different things.
    """
    if text := mixed_zeros(offsets):
        warnings.warn(text, KmosWarning, stacklevel=3)
