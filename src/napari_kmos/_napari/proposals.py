"""Proposals for all rows at once: what the exposures of each target tell of each other's offsets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from napari_kmos._napari.align_rows import REFERENCE, AlignRow, Identity, read_file
from napari_kmos.align import AlignParameters
from napari_kmos.errors import AlignmentError
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, silent
from napari_kmos.recipes.align import measure_exposures
from napari_kmos.spatial.wcs import shift_wcs


def propose(
    rows: Sequence[AlignRow],
    *,
    reference: Path | None = None,
    method: str = "correlation",
    parameters: AlignParameters | None = None,
    progress: Progress = silent,
) -> dict[Identity, Offset]:
    """Measure the offsets of rows, target by target; in a thread.

    Parameters
    ----------
    rows : sequence of AlignRow
        All rows; those in memory only are left out.
    reference : Path, optional
        File that is right where its rows stand; the first one if not given.
    method, parameters
        As in `napari_kmos.recipes.align.measure_exposures`.
    progress : Progress
        Told after each exposure of each target; may raise `Cancelled`.

    Raises
    ------
    AlignmentError
        If there are no two files.
    """
    files = [path for path in dict.fromkeys(row.path for row in rows) if path.is_file()]
    if len(files) < 2:
        msg = f"{len(files)} files with cubes: expected two exposures or more; open or add them"
        raise AlignmentError(msg)
    base = reference if reference in files else files[0]
    stands = {row.identity: row.offset for row in rows if row.path == base}
    exposures = [_standing(read_file(path), stands) if path == base else read_file(path) for path in files]
    found = measure_exposures(
        exposures, reference=files.index(base), method=method, parameters=parameters, progress=progress
    )
    proposals = {(str(files[one.exposure]), one.ifu): one for one in found}
    return proposals | {
        identity: _reference(proposals[identity], stands[identity]) for identity in stands if identity in proposals
    }


def _standing(exposure: Exposure, offsets: dict[Identity, Offset]) -> Exposure:
    """Return an exposure with its cubes where their rows stand."""

    def moved(arm: Arm) -> Arm:
        offset = None if arm.cube is None else offsets.get((str(exposure.path), arm.cube.ifu))
        if arm.cube is None or offset is None:
            return arm
        wcs = shift_wcs(arm.cube.wcs, offset.dra_arcsec, offset.ddec_arcsec)
        return dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, wcs=wcs))

    return dataclasses.replace(exposure, arms=tuple(moved(arm) for arm in exposure.arms))


def _reference(found: Offset, stands: Offset) -> Offset:
    """Return the row of what others are measured against: it is right where it stands."""
    facts = {"dra_arcsec": stands.dra_arcsec, "ddec_arcsec": stands.ddec_arcsec, "err_arcsec": 0.0, "accepted": True}
    return dataclasses.replace(found, method=REFERENCE, note="", **facts)
