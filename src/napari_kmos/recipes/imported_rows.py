"""Offsets as other tools and people wrote them down, each form as rows of an offset table."""

from __future__ import annotations

import dataclasses
import math
import statistics
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.align import correction_arcsec
from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError, KmosWarning
from napari_kmos.io import (
    fits_stem,
    read_exposure,
    read_logged_shifts,
    read_offsets,
    read_recipe_blocks,
)
from napari_kmos.offset import Offset
from napari_kmos.recipes.offset_rows import night_of
from napari_kmos.recipes.offsets import corrected_error, corrected_key, turned_key
from napari_kmos.recipes.shift_files import target_of
from napari_kmos.spatial.wcs import is_parallel, offset_between, position_angle_deg, shift_wcs

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure

LOG, COPY = "log of kmos_combine", "corrected copy"
REFERENCE_NOTE = "reference"
#: What the header of a copy of our own says of the step that made it.
_OWN_STEP = "napari-kmos offsets"
_SHIFT_ZERO_PIX = 1e-3
_SAME_TIME_DAYS = 1e-6
_SAME_SCALE = 1e-3
#: A copy turned by more is of other pixels; one turned by less, by the rounding of its header.
_MOST_TURN_DEG, _LEAST_TURN_DEG = 5.0, 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A cube of an exposure, and by how many pixels a target is shifted in it, as `kmos_combine` counts."""

    number: int
    cube: Cube
    shift: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """The exposures that offsets are for, in the order given, and those whose headers are right."""

    exposures: tuple[Exposure, ...]
    reference: tuple[Exposure, ...] = ()

    def find(self, named: Path) -> int | None:
        """Return the number of the exposure of this path, or else of this name; None if it is none of them.

        Raises
        ------
        AlignmentError
            If several have the name.
        """
        paths = [exposure.path or Path(exposure.label) for exposure in self.exposures]
        same = [number for number, path in enumerate(paths) if path.resolve() == named.resolve()]
        same = same or [number for number, path in enumerate(paths) if path.name == named.name]
        if len(same) > 1:
            msg = f"{named.name}: {len(same)} of the exposures have this name; import the offsets of each in turn"
            raise AlignmentError(msg)
        return same[0] if same else None

    def row(self, number: int, cube: Cube, correction: tuple[float, float], method: str) -> Offset:
        """Return the row of a cube, accepted, of an error that is not known."""
        exposure = self.exposures[number]
        return Offset(
            exposure=number,
            file=str(exposure.path or exposure.label),
            ifu=cube.ifu,
            dra_arcsec=correction[0],
            ddec_arcsec=correction[1],
            err_arcsec=math.nan,
            method=method,
            epoch=night_of(exposure),
        )

    def rows_against(
        self, visits: Sequence[Visit], method: str, *, correction: tuple[float, float] = (0.0, 0.0)
    ) -> list[Offset]:
        """Return the rows that shifts imply, against the visit of the smallest shift, whose own correction is given.

        Raises
        ------
        AlignmentError
            If the visits differ in rotation.
        """
        first = min(visits, key=lambda visit: math.hypot(*visit.shift))
        reference = shift_wcs(first.cube.wcs, *correction)
        rows = []
        for visit in visits:
            apart = (visit.shift[0] - first.shift[0], visit.shift[1] - first.shift[1])
            try:
                found = correction_arcsec(reference, visit.cube.wcs, apart, shape=first.cube.shape[1:])
            except AlignmentError as err:
                msg = f"{method}, {self.exposures[visit.number].label} {visit.cube.label}: {err}"
                raise AlignmentError(msg) from err
            row = self.row(visit.number, visit.cube, correction if visit is first else found, method)
            rows.append(dataclasses.replace(row, note=REFERENCE_NOTE if visit is first else ""))
        return rows

    def names(self) -> str:
        """Return some of their names, for a message."""
        return ", ".join(exposure.label for exposure in self.exposures[:3]) + (", ..." if self.exposures[3:] else "")


def rows_of_table(table: Path, opened: Opened) -> list[Offset]:
    """Return the rows of an offset table that are for the exposures, or for no file.

    Raises
    ------
    AlignmentError
        If none is.
    """
    rows = read_offsets(table)
    found = [(row, opened.find(Path(row.file)) if row.file else 0) for row in rows]
    kept = [
        dataclasses.replace(row, exposure=number, file=row.file and str(opened.exposures[number].path))
        for row, number in found
        if number is not None
    ]
    _check_found(table, [row.file for row, number in found if number is None], kept, opened)
    return kept


def rows_of_log(log: Path, opened: Opened) -> list[Offset]:
    """Return the offsets that the shifts of a `kmos_combine` run imply, against its reference.

    The shifts of a mosaic are all against one IFU of one exposure, those of a target against its first exposure. Which
    of the two a log has shows in the headers: they are right to an arcsec or so.

    Raises
    ------
    AlignmentError
        If its frames are none of the exposures, or differ in rotation.
    """
    visits: list[Visit] = []
    lost = []
    for shift in read_logged_shifts(log):
        number = opened.find(Path(shift.frame)) if shift.frame else None
        if number is None:
            lost.append(Path(shift.frame).name or "(without a name)")
            continue
        cubes = (cube for cube in opened.exposures[number].cubes if cube.ifu == shift.ifu)
        visits += [Visit(number, cube, (shift.dx, shift.dy)) for cube in cubes]
    _check_found(log, lost, visits, opened)
    targets: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits:
        targets[target_of(visit.cube)].append(visit)
    by_target = [_with_reference(name, group, opened) for name, group in targets.items()]
    ways = ([row for group in way for row in opened.rows_against(group, LOG)] for way in (by_target, [visits]))
    return min(ways, key=_typical_arcsec)


def rows_of_copy(copy: Path, opened: Opened) -> list[Offset]:
    """Return by how much the coordinates of a corrected copy differ from those of its exposure.

    A copy that this program wrote tells which IFUs were corrected, and the errors; the others' rows are not accepted.

    Raises
    ------
    AlignmentError
        If it is no copy of any of the exposures, or more than its place on the sky, and a few degrees of its rotation,
        was changed.
    """
    corrected = read_exposure(copy)
    number = _original(copy, corrected, opened)
    last = read_recipe_blocks(corrected.header)[-1:]
    done = [block.parameters for block in last if block.recipe == _OWN_STEP]
    rows = []
    for cube in opened.exposures[number].cubes:
        twin = next((one for one in corrected.cubes if one.ifu == cube.ifu), None)
        if twin is None:
            continue
        _check_twin(copy, cube, twin)
        middle = ((cube.shape[1] - 1) / 2, (cube.shape[2] - 1) / 2)
        row = opened.row(number, cube, offset_between(cube.wcs, twin.wcs, pixel=middle), COPY)
        row = dataclasses.replace(row, rotation_deg=_turn_deg(cube, twin))
        if done and corrected_key(cube.ifu) not in done[0]:
            row = dataclasses.replace(row, accepted=False, note="the copy has the header of its exposure")
        elif done:
            row = _with_errors(row, done[0])
        rows.append(row)
    return rows


def _turn_deg(cube: Cube, twin: Cube) -> float:
    """Return by how much the position angle of a copy is larger."""
    turn = (position_angle_deg(twin.wcs) - position_angle_deg(cube.wcs) + 180) % 360 - 180
    return turn if abs(turn) > _LEAST_TURN_DEG else 0.0


def _with_errors(row: Offset, told: Mapping[str, str]) -> Offset:
    """Return a row with the errors that the header of our own copy tells."""
    turned = corrected_error(told.get(turned_key(row.ifu), ""))
    return dataclasses.replace(
        row,
        err_arcsec=corrected_error(told[corrected_key(row.ifu)]),
        rotation_err_deg=turned if math.isfinite(turned) else None,
    )


def _check_found(source: Path, lost: Sequence[str], found: Sequence[object], opened: Opened) -> None:
    """Refuse what is for other files altogether; warn if it is for some of them."""
    names = sorted({Path(name).name for name in lost})
    shown = ", ".join(names[:3]) + (", ..." if names[3:] else "")
    if not found:
        msg = (
            f"{source}: is for other files ({shown}), none of them among the exposures ({opened.names()}); give those "
        )
        raise AlignmentError(msg + "it was made for, by the names they had then")
    if lost:
        warnings.warn(f"{source}: rows for {shown} left out: not among the exposures", KmosWarning, stacklevel=4)


def _with_reference(name: str, group: Sequence[Visit], opened: Opened) -> list[Visit]:
    """Return the visits of a target with that of shift zero, which a log may not tell: the first one not in it."""
    logged = {visit.number for visit in group}
    if any(math.hypot(*visit.shift) < _SHIFT_ZERO_PIX for visit in group):
        return list(group)
    unlogged = (
        Visit(number, cube, (0.0, 0.0))
        for number, exposure in enumerate(opened.exposures)
        for cube in exposure.cubes
        if number not in logged and target_of(cube) == name
    )
    first = next(unlogged, None)
    return list(group) if first is None else [first, *group]


def _typical_arcsec(rows: Sequence[Offset]) -> float:
    """Return the median size of corrections."""
    return statistics.median(math.hypot(row.dra_arcsec, row.ddec_arcsec) for row in rows)


def _original(copy: Path, corrected: Exposure, opened: Opened) -> int:
    """Return of which exposure a file is a copy: by its name, which goes on, and its date."""
    stem, found = fits_stem(copy), []
    for number, exposure in enumerate(opened.exposures):
        own = fits_stem(exposure.path or Path(exposure.label))
        dates = [one.date.mjd for one in (exposure, corrected) if one.date is not None]
        goes_on = stem.startswith(own) and not stem[len(own) :][:1].isalnum()
        if goes_on and max(dates, default=0.0) - min(dates, default=0.0) < _SAME_TIME_DAYS:
            found.append((len(own), number))
    if not found:
        msg = (
            f"{copy}: is no copy of any of the exposures ({opened.names()}); expected its name to begin as theirs, and "
        )
        raise AlignmentError(msg + "the same date in the header")
    return max(found)[1]


def _check_twin(copy: Path, cube: Cube, twin: Cube) -> None:
    """Refuse a copy whose pixels or orientation are others."""
    scales = pixel_scale_arcsec(cube.wcs), pixel_scale_arcsec(twin.wcs)
    is_like = is_parallel(cube.wcs, twin.wcs, tolerance_deg=_MOST_TURN_DEG)
    if cube.shape[1:] != twin.shape[1:] or not is_like or abs(scales[1] / scales[0] - 1) >= _SAME_SCALE:
        msg = f"{copy} {cube.label}: size, rotation or scale are not those of its exposure, which no offset can say; "
        raise AlignmentError(msg + f"expected a copy with other CRVAL, turned by {_MOST_TURN_DEG:g} deg at most")
