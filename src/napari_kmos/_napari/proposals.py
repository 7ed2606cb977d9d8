"""Proposals: what exposures of a target tell of each other's offsets, or an image, a mosaic or a catalogue of all."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from napari_kmos._napari.align_rows import MOSAIC, REFERENCE, AlignRow, Identity, header_offset, read_file
from napari_kmos._napari.pair_images import Wanted, reference_near
from napari_kmos.align import AlignParameters, measure_offsets, white_light
from napari_kmos.catalogue import Catalogue
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import AlignmentError, GeometryError
from napari_kmos.exposure import Exposure
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.align import measure_exposures
from napari_kmos.spatial.correction import corrected

CORRELATION = "correlation"


def propose(
    rows: Sequence[AlignRow],
    *,
    reference: Path | Cube | Image | Catalogue,
    base: tuple[float, float] = (0.0, 0.0),
    method: str = CORRELATION,
    parameters: AlignParameters | None = None,
    progress: Progress = silent,
) -> dict[Identity, Offset]:
    """Measure the offsets of rows; in a thread.

    Parameters
    ----------
    rows : sequence of AlignRow
        What is measured.
    reference : Path or Cube or Image or Catalogue
        What is right. The file of some of the rows is right where these stand, and all exposures of a target are
        measured together; so they are against the file of a mosaic or an image. A cube or image, whose WCS must be as
        it stands, is compared with each row by itself.
    base : tuple of float
        Where a mosaic or image of a file stands: its correction (east, north) in arcsec.
    method, parameters
        As in `napari_kmos.recipes.align.measure_exposures`.
    progress : Progress
        Told after each exposure of each target, or each row; may raise `Cancelled`.

    Raises
    ------
    AlignmentError
        If there are no two files, or the method cannot be used with such a reference.
    """
    parameters = parameters or AlignParameters()
    if isinstance(reference, Cube | Image):
        found = {}
        for number, row in enumerate(rows):
            progress(number, len(rows), f"measuring {row.label}")
            found[row.identity] = _over(reference, row, method, parameters)
        return found
    rows = [row for row in rows if row.path.is_file() and not (row.path == reference and row.kind == MOSAIC)]
    files = list(dict.fromkeys(row.path for row in rows))
    if reference in files and len(files) < 2:
        msg = f"{len(files)} files with cubes: expected two exposures or more; open or add them"
        raise AlignmentError(msg)
    found = measure_exposures(
        _exposures(files, rows, reference),
        reference=files.index(reference) if reference in files else reference,
        method=method,
        parameters=parameters,
        progress=progress,
    )
    proposals = {(str(files[one.exposure]), one.ifu): _added(one, base) for one in found}
    stands = {row.identity: row.offset for row in rows if row.path == reference and row.identity in proposals}
    return proposals | {identity: _reference(proposals[identity], offset) for identity, offset in stands.items()}


def _added(found: Offset, base: tuple[float, float]) -> Offset:
    """Return an offset against what itself stands off its header."""
    return dataclasses.replace(found, dra_arcsec=found.dra_arcsec + base[0], ddec_arcsec=found.ddec_arcsec + base[1])


def _over(reference: Cube | Image, row: AlignRow, method: str, parameters: AlignParameters) -> Offset:
    """Measure a row against an image, or a cube of any size; what does not lie on it is not accepted."""
    try:
        below = reference_near(Wanted(reference=reference, moving=row.cube), white_light(row.cube), silent)
    except (AlignmentError, GeometryError) as err:
        found = header_offset(row.path, row.cube, row.exposure)
        return dataclasses.replace(found, method=method, dra_arcsec=math.nan, ddec_arcsec=math.nan, note=str(err))
    return measure_offsets([row.cube], reference=below, method=method, parameters=parameters)[0]


def _exposures(files: Sequence[Path], rows: Sequence[AlignRow], reference: Path | Catalogue) -> list[Exposure]:
    """Return the exposures of files with the IFUs of the rows, those of the reference where they stand."""
    chosen: dict[Path, dict[int | None, AlignRow]] = defaultdict(dict)
    for row in rows:
        chosen[row.path][row.cube.ifu] = row
    exposures = []
    for path in files:
        whole = read_file(path)
        arms = []
        for arm in whole.arms:
            row = None if arm.cube is None else chosen[path].get(arm.cube.ifu)
            cube = None if row is None else arm.cube
            if row is not None and cube is not None and path == reference:
                cube = corrected(cube, row.offset)
            arms.append(dataclasses.replace(arm, cube=cube))
        exposures.append(dataclasses.replace(whole, arms=tuple(arms)))
    return exposures


def _reference(found: Offset, stands: Offset) -> Offset:
    """Return the row of what others are measured against: it is right where it stands, or several are on average.

    One that has no data, or that nothing ties to the others of its mosaic, is neither.
    """
    found = dataclasses.replace(found, rotation_deg=stands.rotation_deg, rotation_err_deg=stands.rotation_err_deg)
    if found.method == CORRELATION and found.err_arcsec > 0:
        return _added(found, (stands.dra_arcsec, stands.ddec_arcsec))
    facts = {"dra_arcsec": stands.dra_arcsec, "ddec_arcsec": stands.ddec_arcsec, "err_arcsec": 0.0, "accepted": True}
    return dataclasses.replace(found, method=REFERENCE, note="", **facts)
