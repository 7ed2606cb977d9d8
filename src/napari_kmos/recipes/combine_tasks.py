"""What is combined into which product, and how each cube is placed on the sky and on the wavelength axis."""

from __future__ import annotations

import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.combine import Part, can_reject
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning
from napari_kmos.instrument import key_zero_point
from napari_kmos.io import read_exposure, write_zero_points
from napari_kmos.offset import Offset
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.recipes.mosaic_fields import (
    as_whole,
    find_cuts,
    halves_by_time,
    is_mosaic,
    members_of,
    split_mosaic,
)
from napari_kmos.recipes.offset_rows import added, check_unaccepted, epoch_of, own_row, usable_offset
from napari_kmos.recipes.offset_tables import read_tables
from napari_kmos.recipes.offset_zeros import warn_of_zeros
from napari_kmos.recipes.selecting import Member, Selection, keep_files, select
from napari_kmos.recipes.zero_points import MEASURE, NONE, find_zero_points, rows_of

if TYPE_CHECKING:
    from napari_kmos.combine import CombineParameters
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.spectral.zero_points import ZeroPoint

    Table = Sequence[Offset]


@dataclass(frozen=True, slots=True, kw_only=True)
class CombineChoice:
    """Which cubes are combined, and what is known of them; the fields are the arguments of `combine`."""

    name: str | None = None
    ifus: str | int | Sequence[int] | None = None
    mosaic: bool = False
    each: str = "target"
    drop: Sequence[Path | str] = ()
    offsets: Path | str | Sequence[Path | str] | Sequence[Offset] | None = None
    unaccepted: str = "error"
    cuts: Sequence[Path | str] = ()
    zero_points: Path | str = NONE

    def __post_init__(self) -> None:
        check_unaccepted(self.unaccepted)

    @property
    def tables(self) -> tuple[Path, ...]:
        """Offset tables that are files."""
        given = (self.offsets,) if isinstance(self.offsets, Path | str) else self.offsets or ()
        return tuple(Path(one) for one in given if not isinstance(one, Offset))

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that are read beside the exposures."""
        zero_points = [Path(self.zero_points)] if Path(self.zero_points).suffix else []
        return (*self.tables, *map(Path, self.cuts), *zero_points)

    @property
    def given(self) -> dict[str, Any]:
        """What the record of a product tells of the choice."""
        return {
            "unaccepted": self.unaccepted,
            "ifus": "" if self.ifus is None else str(self.ifus),
            "each": self.each,
            "drop": ",".join(Path(one).name for one in self.drop),
            "zero_points": str(self.zero_points),
        }

    def read_tables(self) -> tuple[Table, ...] | None:
        """Return the rows of each offset table; None without any."""
        if self.offsets is None:
            return None
        return read_tables(self.tables) or (tuple(self.offsets),)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CombineTask:
    """What one product is made of.

    Parameters
    ----------
    name : str
        Of the product.
    members : tuple of Member
        The cubes.
    offsets : tuple of Offset, optional
        One for each.
    zero_points : tuple of ZeroPoint, optional
        One for each: what is taken out of the wavelengths.
    """

    name: str
    members: tuple[Member, ...]
    offsets: tuple[Offset, ...] | None = None
    zero_points: tuple[ZeroPoint, ...] | None = None

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """File of each cube."""
        return tuple(member.exposure for member in self.members)

    @property
    def cubes(self) -> tuple[Cube, ...]:
        """The cubes."""
        return tuple(member.cube for member in self.members)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is taken of each cube."""
        shifts = [0.0] * len(self.members) if self.zero_points is None else [one.shift_pix for one in self.zero_points]
        return tuple(Part(own=one.own, zero_pix=shift) for one, shift in zip(self.members, shifts, strict=True))

    def with_zero_points(self, source: Path | str, progress: Progress = silent) -> CombineTask:
        """Return the task with the zero points of `find_zero_points`."""
        return dataclasses.replace(self, zero_points=find_zero_points(self.members, source, progress))

    def zero_cards(self, ifu: int | None) -> dict[str, float]:
        """Return as header numbers what was taken out of the wavelengths, and that nothing is left of it."""
        if self.zero_points is None:
            return {}
        taken = {f"COMBINE ZERO{n}": round(one.shift_pix, 4) for n, one in enumerate(self.zero_points, start=1)}
        return {**taken, key_zero_point(ifu): 0.0}

    def write_zero_points(self, stem: str, *, overwrite: bool) -> tuple[Path, ...]:
        """Write the table of the zero points, if any are taken out."""
        if self.zero_points is None:
            return ()
        rows = rows_of(self.members, self.zero_points)
        return (write_zero_points(rows, zero_point_file(stem), overwrite=overwrite),)

    def told(self) -> list[dict[str, Any]]:
        """Return what --json tells of each cube."""
        return [
            {
                "file": member.exposure.label,
                "ifu": member.cube.ifu,
                **({} if member.half is None else {"half": member.half}),
                **_told(None if self.offsets is None else self.offsets[number]),
                **({} if self.zero_points is None else {"zero_pix": self.zero_points[number].shift_pix}),
            }
            for number, member in enumerate(self.members)
        ]


def make_tasks(files: Sequence[Path], choice: CombineChoice, parameters: CombineParameters) -> list[CombineTask]:
    """Return a task for each product; products all of whose cubes are skipped are left out, with a warning.

    Raises
    ------
    KmosError
        As `select` says; if a file that is to be dropped is none of them.
    AlignmentError
        If offsets are missing, superfluous, not accepted, or for other files.
    """
    exposures = [read_exposure(path) for path in keep_files(files, choice.drop)]
    tables = choice.read_tables()
    _check_method(tables, parameters)
    _check_cuts(choice.cuts)
    members = _members(exposures, choice, tables or ())
    _check_mosaic(members, choice, parameters)
    selections = select(members, name=choice.name, ifus=choice.ifus, mosaic=choice.mosaic, each=choice.each)
    if tables is None:
        return [CombineTask(name=one.name, members=one.members) for one in selections]
    tasks = [_placed(selection, tables, choice.unaccepted) for selection in selections]
    return [task for task in tasks if task is not None]


def warn_if_unclipped(name: str, n_overlapping: int, parameters: CombineParameters) -> None:
    """Warn of clipping that is asked for and cannot be: too few exposures overlap."""
    asked = parameters.cmethod == "ksigma" and parameters.citer > 0 and n_overlapping > 1
    if asked and not can_reject(n_overlapping, parameters):
        text = (
            f"{name}: {n_overlapping} exposures overlap at most, too few for ksigma to reject anything: this is their "
            "average, outliers included; median or min_max (--cmethod) make less of these, average says what it is"
        )
        warnings.warn(text, KmosWarning, stacklevel=4)


def zero_point_file(stem: str) -> Path:
    """Return the table of the zero points of a product."""
    return Path(f"{stem}_zero_points.ecsv")


def zero_point_parts(progress: Progress, source: Path | str) -> tuple[Progress, Progress]:
    """Return the progress of the zero points of a product and of the rest."""
    return (part_of(progress, 0, 2), part_of(progress, 1, 2)) if str(source) == MEASURE else (silent, progress)


def _check_method(tables: Sequence[Table] | None, parameters: CombineParameters) -> None:
    """Refuse offsets that would not be used, and a method that lacks them."""
    if (tables is not None) != (parameters.method == "user"):
        state = "needs an offset table (--offsets)" if tables is None else "takes no offset table"
        msg = f"method {parameters.method} {state}; offsets are for method user, and it for them"
        raise AlignmentError(msg)


def _check_cuts(cuts: Sequence[Path | str]) -> None:
    """Refuse tables that are not there: one that no mosaic needs is missed in the record only, after the work."""
    lost = next((Path(one) for one in cuts if not Path(one).is_file()), None)
    if lost is not None:
        msg = f"{lost}: no such file; give tables of cuts (--cuts) as `napari-kmos cut` writes them, or leave them out"
        raise KmosError(msg)


def _check_mosaic(members: Sequence[Sequence[Member]], choice: CombineChoice, parameters: CombineParameters) -> None:
    """Refuse to put different IFUs on each other."""
    several = next((group for group in members if len(group) > 1), None)
    if choice.mosaic and parameters.method in ("none", "center") and several:
        msg = (
            f"{several[0].exposure.label}: method {parameters.method} would put its {len(several)} IFUs on each other; "
        )
        raise AlignmentError(msg + "expected header or user (--method) for a mosaic, or combine by target")


def _members(exposures: Sequence[Exposure], choice: CombineChoice, tables: Sequence[Table]) -> list[tuple[Member, ...]]:
    """Return the cubes of each file, with their halves; mosaics are split where IFUs or halves matter."""
    members = []
    for exposure, half in zip(exposures, halves_by_time(exposures), strict=True):
        if is_mosaic(exposure) and _is_split(exposure, choice, tables):
            members.append(split_mosaic(exposure, find_cuts(exposure, tuple(map(Path, choice.cuts)))))
        else:
            members.append(tuple(_with_half(one, tables) for one in members_of(exposure, half=half)))
    if not any(members):
        msg = f"no IFU has data in {', '.join(exposure.label for exposure in exposures) or 'no file'}"
        raise KmosError(msg)
    return members


def _is_split(exposure: Exposure, choice: CombineChoice, tables: Sequence[Table]) -> bool:
    """Tell whether the IFUs of a mosaic are told apart."""
    if choice.cuts or choice.ifus is not None or choice.each in ("ifu", "half"):
        return True
    path, cube = exposure.path or Path(exposure.label), exposure.cubes[0]
    rows = [row for table in tables for row in table if row.ifu is not None]
    return any(
        Path(row.file).name == path.name or own_row([row], path, dataclasses.replace(cube, ifu=row.ifu), row.half)
        for row in rows
    )


def _with_half(member: Member, tables: Sequence[Table]) -> Member:
    """Return a cube with the half that its offset tells."""
    path = member.exposure.path or Path(member.exposure.label)
    rows = (own_row(table, path, member.cube, member.half) for table in tables)
    told = next((row.half for row in rows if row is not None and row.half is not None), member.half)
    return dataclasses.replace(member, half=told)


def _placed(selection: Selection, tables: Sequence[Table], unaccepted: str) -> CombineTask | None:
    """Find the offsets of a product's cubes; None if all of them are skipped."""
    kept = []
    for member in selection.members:
        group = (epoch_of(tables, member.exposure, member.cube, member.half), member.half)
        found = [
            usable_offset(table, member.exposure, member.cube, unaccepted=unaccepted, group=group) for table in tables
        ]
        used = [offset for offset in found if offset is not None]
        if len(used) == len(found):
            kept.append((member, added(used)))
    if not kept:
        text = f"{selection.name}: no exposure has an accepted offset; nothing was combined"
        warnings.warn(text, KmosWarning, stacklevel=4)
        return None
    warn_of_zeros(selection.name, [offset for _, offset in kept])
    members, offsets = zip(*_rejoined(kept), strict=True)
    return CombineTask(name=selection.name, members=members, offsets=offsets)


def _rejoined(placed: Sequence[tuple[Member, Offset]]) -> list[tuple[Member, Offset]]:
    """Return fields of a mosaic that are moved alike as one field: it is read in one piece then."""
    together: dict[tuple[float, ...], list[tuple[Member, Offset]]] = defaultdict(list)
    for number, (member, offset) in enumerate(placed):
        file = -1 - number if member.own is None else id(member.exposure)
        together[file, offset.dra_arcsec, offset.ddec_arcsec, offset.rotation_deg].append((member, offset))
    joined = []
    for group in together.values():
        if len(group) == 1:
            joined += group
        else:
            joined.append((as_whole([member for member, _ in group]), group[0][1]))
    return joined


def _told(row: Offset | None) -> dict[str, Any]:
    correction = None if row is None else [row.dra_arcsec, row.ddec_arcsec]
    turn = {} if row is None or not row.rotation_deg else {"rotation_deg": row.rotation_deg}
    return {"correction_arcsec": correction, **turn}
