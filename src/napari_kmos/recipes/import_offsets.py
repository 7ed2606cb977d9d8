"""Make an offset table of what other tools and people wrote down."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.calls import recorded
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, NotKmosError
from napari_kmos.io import FITS_ENDINGS, check_free, is_xy_plus, read_exposure, read_sof, write_offsets, write_record
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step
from napari_kmos.recipes.imported_by_eye import rows_of_xy_plus
from napari_kmos.recipes.imported_rows import (
    REFERENCE_NOTE,
    Opened,
    rows_of_copy,
    rows_of_log,
    rows_of_table,
)
from napari_kmos.recipes.imported_shifts import rows_of_shifts
from napari_kmos.recipes.offset_rows import name_in_table, told_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.selecting import check_once

if TYPE_CHECKING:
    from napari_kmos.offset import Offset

#: Endings of what lies beside a shift file and holds no shifts.
_BESIDE = ("_README.txt", ".json")


@recorded(out="out")
def import_offsets(
    sources: Sequence[Path | str],
    out: Path | str,
    *,
    exposures: Sequence[Path | str] = (),
    reference: Sequence[Path | str] = (),
    name: str | None = None,
    doubtful_arcsec: float = 2.0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Write what shift files, corrected copies, logs and notes tell of exposures as one offset table.

    Parameters
    ----------
    sources : sequence of path
        Each is known by its name. Any text: a shift file of `kmos_combine`; ``.sof``: the frames of the shift file of
        that name, or of the only one (one beside it is found); ``.fits``: a copy with other CRVAL, whose name begins as
        that of its exposure; ``.log``, or a folder with ``esorex.log``: the log of a `kmos_combine` run;
        ``ifu<n>_half<h>_xy_plus.txt``: whole pixels by which an IFU was moved by eye; ``.ecsv``: an offset table.
    out : path
        Table to write (ECSV).
    exposures : sequence of path
        Files that the offsets are for, with their headers as they were; by default the frames of the SOFs.
    reference : sequence of path
        Further files, whose headers are right: a row of zero for each, as `combine` wants it of the other epoch. Pixels
        by which the IFUs of a mosaic were moved by eye are counted from the windows of this one, if tables of cuts
        (``<mosaic>_cuts.ecsv``) lie beside both.
    name : str, optional
        Target of the shift files, if nothing tells it.
    doubtful_arcsec : float
        Corrections larger than this are warned of: frames in another order give such.
    overwrite : bool
        Replace an existing table.
    progress : Progress
        Told each source.

    Returns
    -------
    Outcome
        Product: the table. Extra: the record. Measured: ``offsets``, a mapping a row; ``accepted`` and ``total``.

    Raises
    ------
    AlignmentError
        If a source is for other files, or two tell of the same IFU.
    KmosError
        If there is no source or no exposure, a file cannot be read, or one is given twice.
    WriteError
        If the table exists and may not be replaced.
    """
    table = Path(out)
    for path in (table, table.with_suffix(".json")):
        check_free(path, overwrite)
    paths, sofs = _sort([Path(source) for source in sources])
    files = list(map(Path, exposures)) or list(dict.fromkeys(frame for sof in sofs.values() for frame in read_sof(sof)))
    if not files:
        msg = "nothing tells what the offsets are for: give the exposures (--for), or a SOF beside the shift file"
        raise KmosError(msg)
    everything = [*files, *map(Path, reference)]
    check_once([(path.resolve(), "") for path in everything])
    found = tuple(map(read_exposure, everything))
    opened = Opened(found[: len(files)], found[len(files) :])
    told: list[tuple[Path, Offset]] = []
    for number, path in enumerate(paths):
        progress(number, len(paths), f"reading {path.name}")
        told += [(path, row) for row in _rows_of(path, sofs.get(path), opened, name)]
    _check(told, opened, doubtful_arcsec)
    rows = [*(row for _, row in told), *_zeros(opened)]
    rows.sort(key=lambda row: (row.exposure, row.ifu or 0, row.half or 0))
    rows = [dataclasses.replace(row, file=row.file and name_in_table(Path(row.file), table)) for row in rows]
    given = {
        "reference": ",".join(Path(one).name for one in reference),
        "name": name,
        "doubtful_arcsec": doubtful_arcsec,
    }
    step = Step(name="offsets", inputs=(*paths, *sofs.values(), *everything), parameters=given)
    write_offsets(rows, table, overwrite=overwrite)
    record = write_record(table, step, overwrite=overwrite)
    return Outcome(products=(table,), extras=(record,), measured=told_of(rows))


def _sort(sources: Sequence[Path]) -> tuple[list[Path], dict[Path, Path]]:
    """Return the files that tell offsets, logs found in their folders, and the SOF of each shift file that has one."""
    paths = [source / "esorex.log" if source.is_dir() else source for source in sources]
    given = [path for path in paths if path.suffix == ".sof"]
    paths = [path for path in paths if path not in given and not path.name.endswith(_BESIDE)]
    check_once([(path.resolve(), "") for path in [*paths, *given]])
    lost = [path for path in [*paths, *given] if not path.exists()]
    if lost:
        msg = f"{lost[0]}: no such file; expected what others wrote of offsets (--import)"
        raise NotKmosError(msg)
    shift_files = [path for path in paths if _is_shift_file(path)]
    sofs = {}
    for path in shift_files:
        beside = path.with_suffix(".sof")
        named = [sof for sof in given if sof.stem == path.stem] or given[: len(shift_files) == 1]
        if named or beside.is_file():
            sofs[path] = (*named, beside)[0]
    spare = [sof for sof in given if sof not in sofs.values()]
    if spare or not paths:
        what = f"{spare[0]}: the shift file of this name is missing" if spare else "no file given that tells offsets"
        msg = f"{what}; give shift files, corrected copies, logs of kmos_combine or xy_plus files (--import)"
        raise KmosError(msg)
    return paths, sofs


def _is_shift_file(path: Path) -> bool:
    """Tell by its name whether a file is none of the others."""
    return not (path.suffix in (".log", ".ecsv") or path.name.endswith(FITS_ENDINGS) or is_xy_plus(path))


def _rows_of(path: Path, sof: Path | None, opened: Opened, name: str | None) -> list[Offset]:
    """Return the rows that a file tells."""
    if _is_shift_file(path):
        return rows_of_shifts(path, sof, opened, name=name)
    if path.suffix == ".log":
        return rows_of_log(path, opened)
    if path.suffix == ".ecsv":
        return rows_of_table(path, opened)
    return rows_of_xy_plus(path, opened) if is_xy_plus(path) else rows_of_copy(path, opened)


def _check(told: Sequence[tuple[Path, Offset]], opened: Opened, doubtful_arcsec: float) -> None:
    """Refuse two rows for the same; warn of exposures without one, and of large corrections."""
    seen: dict[tuple[int, str, int | None, int | None], Path] = {}
    for path, row in told:
        key = (row.exposure, row.file or row.epoch, row.ifu, row.half)
        before = seen.setdefault(key, path)
        if before is not path:
            msg = (
                f"{before} and {path} both tell of {_named(row)}; import one of them. If it should be the sum, import "
            )
            raise AlignmentError(msg + "each by itself: combine adds up tables")
    exposures = {row.exposure for _, row in told if row.file}
    lost = [one.label for number, one in enumerate(opened.exposures) if number not in exposures]
    if lost:
        warnings.warn(f"no offset is told for {', '.join(lost)}", KmosWarning, stacklevel=3)
    large = [(path, row) for path, row in told if math.hypot(row.dra_arcsec, row.ddec_arcsec) > doubtful_arcsec]
    if large:
        path, row = large[0]
        size = f"{_named(row)}: {math.hypot(row.dra_arcsec, row.ddec_arcsec):.1f}"
        text = f"{path}: {len(large)} corrections of more than {doubtful_arcsec:g} arcsec ({size}); are these its "
        warnings.warn(text + "exposures, in its order?", KmosWarning, stacklevel=3)


def _named(row: Offset) -> str:
    """Return what a row is for."""
    half = "" if row.half is None else f" half {row.half}"
    return f"{Path(row.file).name}{'' if row.ifu is None else f' IFU {row.ifu}'}{half}"


def _zeros(opened: Opened) -> list[Offset]:
    """Return rows of zero for the exposures whose headers are right, which are counted on."""
    every = Opened((*opened.exposures, *opened.reference))
    rows = [
        every.row(number, cube, (0.0, 0.0), "header")
        for number, exposure in enumerate(opened.reference, start=len(opened.exposures))
        for cube in exposure.cubes
    ]
    return [dataclasses.replace(row, note=REFERENCE_NOTE) for row in rows]
