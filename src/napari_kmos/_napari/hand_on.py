"""Handing offsets on: to a table, to shift files for `kmos_combine`, to copies with corrected headers; and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from napari_kmos.io import write_offsets
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.offset_rows import name_in_table
from napari_kmos.recipes.offsets import offsets as hand_on
from napari_kmos.recipes.outcome import Outcome

TABLE = "offsets.ecsv"


def write_table(offsets: Sequence[Offset], path: Path) -> Path:
    """Write offsets that name their files by whole paths; the table names files near it relative to its folder.

    Raises
    ------
    WriteError
        If it cannot be written.
    """
    rows = [dataclasses.replace(one, file=name_in_table(Path(one.file), path) if one.file else "") for one in offsets]
    return write_offsets(rows, path, overwrite=True)


def write_products(
    offsets: Sequence[Offset],
    folder: Path,
    *,
    shifts: bool = False,
    crval: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Write the table into a folder, and beside it what `napari_kmos.recipes.offsets` makes of it; in a thread.

    Raises
    ------
    KmosError
        As that does.
    """
    table = write_table(offsets, folder / TABLE)
    made = hand_on(table, folder, shifts=shifts, crval=crval, overwrite=True, progress=progress)
    return dataclasses.replace(made, products=(table, *made.products))
