"""Turn offset tables into what other tools understand: shift files, or corrected headers."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.io import check_free, fits_stem, output_dir, read_exposure, read_offsets, write_exposure
from napari_kmos.progress import Progress, silent
from napari_kmos.provenance import Step
from napari_kmos.recipes.offset_rows import find_file, row_of
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.recipes.shift_files import check_names, frames_by_target, write_shift_files
from napari_kmos.spatial.wcs import shift_wcs

if TYPE_CHECKING:
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset

SUFFIX = "_OFFSET"


def offsets(
    table: Path | str,
    out_dir: Path | str,
    *,
    shifts: bool = False,
    crval: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Outcome:
    """Write offsets as shift files for `kmos_combine`, as corrected headers, or both.

    Parameters
    ----------
    table : path
        Offset table. Its files are looked for where it says, relative to its folder, and beside it.
    out_dir : path
        Folder of the products; made if missing.
    shifts : bool
        For each target write ``shifts_<target>.txt``, ``shifts_<target>.sof`` with the frames in the same order, and
        ``shifts_<target>_README.txt`` which states the convention and the command. Exposures whose offset is not
        accepted are left out, with a warning.
    crval : bool
        Write a copy of each exposure, ``<stem>_OFFSET.fits``, with the corrections added to CRVAL1 and CRVAL2; pixels
        are not touched. IFUs without an accepted offset keep their headers, with a warning.
    overwrite : bool
        Replace products that exist; inputs are never replaced.
    progress : Progress
        Told after each exposure written.

    Returns
    -------
    Outcome
        Products: shift files with their SOF, and exposures. Extras: the texts. Measured: ``shifts``, for each target
        the displacements in pixels.

    Raises
    ------
    AlignmentError
        If a file of the table cannot be found, no offset is accepted, or the exposures of a target differ in rotation.
    KmosError
        If neither ``shifts`` nor ``crval`` is asked for.
    WriteError
        If a product exists, or would replace an input.
    """
    if not (shifts or crval):
        msg = "nothing to do: ask for a shift file (--shifts), for corrected headers (--crval), or both"
        raise KmosError(msg)
    table, folder = Path(table), output_dir(out_dir)
    rows = read_offsets(table)
    if not any(row.accepted for row in rows):
        msg = f"{table}: none of its {len(rows)} offsets is accepted; nothing can be corrected"
        raise AlignmentError(msg)
    paths = dict.fromkeys(find_file(row, table) for row in sorted(rows, key=lambda row: row.exposure))
    exposures = [read_exposure(path) for path in paths]
    outcome = _write_all_shifts(exposures, rows, table, folder, overwrite) if shifts else Outcome()
    if not crval:
        return outcome
    copies = _write_copies(exposures, rows, table, folder, overwrite, progress)
    return dataclasses.replace(outcome, products=(*outcome.products, *copies))


def _write_all_shifts(
    exposures: Sequence[Exposure], rows: Sequence[Offset], table: Path, folder: Path, overwrite: bool
) -> Outcome:
    """Write the shift files of all targets."""
    targets = frames_by_target(exposures, rows)
    check_names(list(targets), folder, overwrite)
    products, extras, measured = [], [], {}
    for name, frames in targets.items():
        written, text, measured[name] = write_shift_files(name, frames, rows, table, folder, overwrite)
        products += written
        extras.append(text)
    return Outcome(products=tuple(products), extras=tuple(extras), measured={"shifts": measured})


def _write_copies(
    exposures: Sequence[Exposure],
    rows: Sequence[Offset],
    table: Path,
    folder: Path,
    overwrite: bool,
    progress: Progress,
) -> list[Path]:
    """Write exposures with corrected headers."""
    outputs: dict[Path, Exposure] = {}
    inputs = {exposure.path.resolve() for exposure in exposures if exposure.path}
    for exposure in exposures:
        path = folder / f"{fits_stem(exposure.path or Path('exposure'))}{SUFFIX}.fits"
        if path in outputs or path.resolve() in inputs:
            msg = f"{path}: would replace an input or another product; choose another folder (-o)"
            raise WriteError(msg)
        outputs[check_free(path, overwrite)] = exposure
    for number, (path, exposure) in enumerate(outputs.items()):
        progress(number, len(outputs), f"writing {path.name}")
        corrected, used = _corrected(exposure, rows)
        step = Step(name="offsets", inputs=(exposure.path or Path(), table), parameters=used)
        write_exposure(corrected, path, step=step, overwrite=overwrite)
    return list(outputs)


def _corrected(exposure: Exposure, rows: Sequence[Offset]) -> tuple[Exposure, dict[str, Any]]:
    """Return an exposure with corrected WCS, and the corrections."""
    arms, used = [], {}
    for arm in exposure.arms:
        row = None if arm.cube is None else row_of(rows, exposure.path or Path(), arm.cube)
        if arm.cube is None or row is None or not row.accepted:
            if arm.cube is not None:
                text = f"{arm.cube.source or arm.cube.label}: no accepted offset; its header stays as it is"
                warnings.warn(text, KmosWarning, stacklevel=4)
            arms.append(arm)
            continue
        wcs = shift_wcs(arm.cube.wcs, row.dra_arcsec, row.ddec_arcsec)
        arms.append(dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, wcs=wcs)))
        used[f"IFU{arm.number or 0}"] = f"{row.dra_arcsec:+.5f} {row.ddec_arcsec:+.5f} arcsec"
    return dataclasses.replace(exposure, arms=tuple(arms)), used
