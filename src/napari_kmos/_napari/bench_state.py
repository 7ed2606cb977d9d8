"""What is known of the offsets of all rows, and what becomes of that."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_kmos._napari import alignment
from napari_kmos._napari.align_rows import BY_CLICKS, BY_HAND, REFERENCE, AlignRow, Identity, own_offsets, read_file
from napari_kmos._napari.zero_points import zero_of
from napari_kmos.io.decisions import Decisions
from napari_kmos.offset import Offset
from napari_kmos.recipes.offset_rows import told_offset
from napari_kmos.session import Alignment
from napari_kmos.session.saved import doubted


def has(known: Alignment, row: AlignRow) -> bool:
    """Tell whether more is known of a row than its header."""
    return row.offset in known.offsets


def put(known: Alignment, offsets: Sequence[Offset] = (), proposals: Sequence[Offset] = ()) -> Alignment:
    """Return what is known with offsets and proposals added, or in place of others of their rows."""
    return Alignment(
        offsets=alignment.with_rows(known.offsets, offsets),
        proposals=alignment.with_rows(known.proposals, proposals),
    )


def of_file(known: Alignment, path: Path) -> Decisions:
    """Return what is known of a file."""
    offsets, proposals = (
        tuple(one for one in some if one.file == str(path)) for some in (known.offsets, known.proposals)
    )
    return Decisions(offsets=offsets, proposals=proposals)


def restored(known: Alignment, rows: Iterable[AlignRow], kept: Mapping[Path, Decisions]) -> Alignment:
    """Return what is known with what was kept of the rows that nothing is known of."""
    offsets, proposals = [], []
    for row in rows:
        found = kept.get(row.path)
        if found is None or has(known, row):
            continue
        mine = [one for one in found.offsets if one.ifu == row.cube.ifu]
        offsets += [named(row, doubted(one) if found.has_changed else one) for one in mine]
        proposals += [named(row, one) for one in found.proposals if one.ifu == row.cube.ifu]
    return put(known, offsets, proposals)


def named(row: AlignRow, offset: Offset) -> Offset:
    """Return an offset as one of a row: of its file, whole path, exposure, IFU, epoch and half."""
    facts = {"exposure": row.exposure, "file": str(row.path), "ifu": row.cube.ifu}
    return dataclasses.replace(offset, **facts, epoch=row.epoch, half=row.half)


def proposed(
    rows: Iterable[AlignRow], found: Mapping[Identity, Offset], zeros: Mapping[Identity, str]
) -> tuple[list[Offset], list[Offset]]:
    """Return the offsets of rows that nobody moved or decided and that are measured well, and all proposals."""
    offsets, proposals = [], []
    for row in (row for row in rows if row.is_listed and row.identity in found):
        one = found[row.identity]
        proposals.append(named(row, dataclasses.replace(one, against=zeros.get(row.identity, one.against))))
        is_free = not row.offset.decision and row.offset.method not in (BY_HAND, BY_CLICKS)
        offsets += [proposals[-1]] if is_free and one.accepted else []
    return offsets, proposals


def right(row: AlignRow) -> Offset:
    """Return the offset of a row that others are compared with: it is right where it stands."""
    facts = {"method": REFERENCE, "err_arcsec": 0.0, "accepted": True, "against": zero_of(row)}
    return named(row, dataclasses.replace(row.offset, **facts))


def told_of(known: Alignment, rows: Iterable[AlignRow]) -> tuple[Offset, ...]:
    """Return what is known of exposures, and what was measured of those of which nothing else is."""
    rows = list(rows)
    others = [row.offset for row in rows if not row.is_listed]
    only = [row.proposal for row in rows if row.is_listed and row.proposal is not None and not has(known, row)]
    return alignment.with_rows([one for one in known.offsets if one not in others], only)


def others_of_half(rows: Iterable[AlignRow], row: AlignRow) -> list[AlignRow]:
    """Return the other exposures of an IFU in the epoch and half of a row, but for what others are compared with."""
    wanted = row.cube.ifu, row.epoch, row.half
    same = [one for one in rows if (one.cube.ifu, one.epoch, one.half) == wanted and one.identity != row.identity]
    return [one for one in same if one.offset.method != REFERENCE]


def others_of_file(rows: Iterable[AlignRow], row: AlignRow) -> list[AlignRow]:
    """Return the other IFUs of the exposure of a row."""
    return [one for one in rows if one.path == row.path and one.identity != row.identity]


def of_rows(rows: Sequence[AlignRow], offsets: Sequence[Offset]) -> tuple[Offset, ...]:
    """Return offsets by whole paths: those of files with rows, and what others without a file are for these rows.

    Those of other files stay as they are.
    """
    found = {id(one): named(row, one) for row, one in own_offsets(rows, offsets)}
    own = [found.get(id(one), one) for one in offsets if one.file]
    if len(own) == len(offsets):
        return tuple(own)
    told = ((row, told_offset(offsets, read_file(row.path), row.cube, row.half)) for row in rows if row.path.is_file())
    return alignment.with_rows(own, [named(row, one) for row, one in told if one is not None])


def place_of(row: AlignRow) -> NDArray[np.float64]:
    """Return where a row stands, (east, north); what is not known is not moved."""
    place = np.array([row.offset.dra_arcsec, row.offset.ddec_arcsec])
    return place if np.isfinite(place).all() else np.zeros(2)


def unsure(offset: Offset) -> Offset:
    """Return an offset that waits for a decision: what was moved by hand is not vouched for by a measurement."""
    return dataclasses.replace(offset, accepted=offset.accepted and offset.method != BY_HAND)
