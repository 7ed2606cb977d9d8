"""Files of the alignment: offsets that are handed on and read back, and what rows are compared with."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from napari_kmos._napari.zero_points import warn_of_mixed_zeros
from napari_kmos.catalogue import Catalogue
from napari_kmos.io import FITS_ENDINGS, axes_held, read_catalogue, read_offsets, write_offsets
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.import_offsets import import_offsets
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

    Warns
    -----
    KmosWarning
        If offsets of one IFU are counted from different things.
    """
    warn_of_mixed_zeros(offsets)
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
        As that does; the table is then as it was before.
    """
    with _as_it_was(folder / TABLE):
        table = write_table(offsets, folder / TABLE)
        made = hand_on(table, folder, shifts=shifts, crval=crval, overwrite=True, progress=progress)
    return dataclasses.replace(made, products=(table, *made.products))


@contextmanager
def _as_it_was(path: Path) -> Iterator[None]:
    """Put a file back as it was, or remove it, if the block fails."""
    before = path.with_name(f"{path.name}.before")
    if path.is_file():
        shutil.copy2(path, before)
    try:
        yield
    except BaseException:
        if before.is_file():
            before.replace(path)
        else:
            path.unlink(missing_ok=True)
        raise
    finally:
        before.unlink(missing_ok=True)


def read_any_offsets(path: Path, files: Sequence[Path], *, progress: Progress = silent) -> tuple[Offset, ...]:
    """Read offsets from a table, or from what `napari_kmos.recipes.import_offsets` knows; in a thread.

    Parameters
    ----------
    path : Path
        Table (ECSV), shift file with its SOF beside it, corrected copy, log of a `kmos_combine` run, or pixels by which
        an IFU was moved by eye.
    files : sequence of Path
        What the offsets are for, if it is no table.
    progress : Progress
        Told what is read.

    Raises
    ------
    KmosError
        If it cannot be understood, or is for other files.
    """
    if path.suffix == ".ecsv":
        return read_offsets(path)
    with tempfile.TemporaryDirectory() as folder:
        (table,) = import_offsets([path], Path(folder) / TABLE, exposures=files, progress=progress).products
        return read_offsets(table)


def is_catalogue(path: Path) -> bool:
    """Tell whether a file is a table: it holds neither cube nor image.

    Raises
    ------
    NotKmosError
        If a FITS file cannot be read.
    """
    return not str(path).lower().endswith(FITS_ENDINGS) or not axes_held(path)


def read_table(path: Path, *, progress: Progress = silent) -> Catalogue:
    """Read a catalogue; in a thread."""
    progress(0, 0, f"reading {path.name}")
    return read_catalogue(path)
