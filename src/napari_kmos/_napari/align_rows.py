"""The rows of the alignment: an exposure and IFU each, of files that are open and of files that are only named."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from napari.components import ViewerModel

from napari_kmos._napari.layers import cube_layers, kmos_of
from napari_kmos.cube import Cube
from napari_kmos.errors import KmosError
from napari_kmos.exposure import Exposure
from napari_kmos.io import read_exposure
from napari_kmos.offset import Offset
from napari_kmos.recipes.cut_parameters import CutParameters
from napari_kmos.recipes.cut_places import halves_of, time_of
from napari_kmos.recipes.offset_rows import night_of, row_of

#: What tells an IFU of a file from others; see `KmosLayer.identity`.
Identity = tuple[str, int | None]

BY_HAND, BY_CLICKS, HEADER, REFERENCE = "hand", "clicks", "header", "reference"
MOSAIC = "mosaic"
_EXPOSURE = "exposure"
_MOST_FILES = 256


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlignRow:
    """An IFU of an exposure, and what is known of its offset.

    Parameters
    ----------
    path : Path
        File; where a cube was made in memory, what it is called.
    cube : Cube
        The IFU, lazy.
    exposure : int
        Number of the file, from 0, in the order they were opened.
    kind : str
        ``"exposure"``, ``"combined"`` or ``"mosaic"``.
    epoch : str
        Group of exposures; the night if nothing else is known.
    half : int, optional
        1 before, 2 after the interruption of its OB.
    offset : Offset
        Where it stands; at its header if nothing is known.
    proposal : Offset, optional
        What was measured of it.
    is_listed : bool
        Whether it has an offset of its own; others are there to be compared with only.
    """

    path: Path
    cube: Cube
    exposure: int
    kind: str
    epoch: str
    half: int | None
    offset: Offset
    proposal: Offset | None
    is_listed: bool = True

    @property
    def identity(self) -> Identity:
        """What tells it from other rows, and what its layers have."""
        return str(self.path), self.cube.ifu

    @property
    def label(self) -> str:
        """What to call it."""
        return f"exposure {self.exposure} {self.cube.label}"

    @property
    def is_doubtful(self) -> bool:
        """Whether somebody has to look: neither decided nor vouched for by a measurement, nor what others stand on."""
        is_settled = self.offset.accepted or self.offset.decision or self.offset.method == REFERENCE
        return self.kind == _EXPOSURE and not is_settled

    def spaxels(self) -> tuple[float, float]:
        """Return the offset as (x, y) in spaxels, along rows and columns."""
        return in_spaxels(self.cube, self.offset.dra_arcsec, self.offset.ddec_arcsec)


def in_spaxels(cube: Cube, east: float, north: float) -> tuple[float, float]:
    """Return an offset (east, north) in arcsec as (x, y) in spaxels of a cube."""
    x, y = np.linalg.solve(3600 * cube.wcs.pixel_scale_matrix, [east, north])
    return float(x), float(y)


def rows_of(
    viewer: ViewerModel,
    files: Sequence[Path] = (),
    *,
    offsets: Sequence[Offset] = (),
    proposals: Sequence[Offset] = (),
) -> tuple[AlignRow, ...]:
    """Return the rows of the cubes that are open, and of those of further files; by IFU, then by exposure.

    Where exposures are open, combined cubes and mosaics are there to be compared with, unless they are asked for.

    Parameters
    ----------
    viewer : ViewerModel
        Its cube layers are the open cubes; those of a layer of several IFUs count each.
    files : sequence of Path
        Files that are asked for, whether they have layers or not.
    offsets, proposals : sequence of Offset
        What is known, of these and other cubes.

    Raises
    ------
    AlignmentError
        If several offsets fit a cube equally well.
    KmosError
        If one of the further files cannot be read.
    """
    cubes = _cubes(viewer, files)
    paths = list(dict.fromkeys(path for path, _ in cubes))
    facts = _facts(paths)
    kept, measured = _by_name(offsets), _by_name(proposals)
    only = {path for path in paths if facts[path][0] == _EXPOSURE} | set(files) or set(paths)
    rows = []
    for path, cube in cubes:
        kind, night, half = facts[path]
        found = _own(kept, path, cube, paths)
        rows.append(
            AlignRow(
                path=path,
                cube=cube,
                exposure=paths.index(path),
                kind=kind,
                epoch=night if found is None or not found.epoch else found.epoch,
                half=half if found is None or found.half is None else found.half,
                offset=found or header_offset(path, cube, paths.index(path)),
                proposal=_own(measured, path, cube, paths),
                is_listed=path in only,
            )
        )
    return tuple(sorted(rows, key=lambda row: (row.cube.ifu or 0, row.exposure)))


def header_offset(path: Path, cube: Cube, exposure: int) -> Offset:
    """Return the offset of a cube of which nothing is known: it stands where its header says."""
    return Offset(
        exposure=exposure,
        file=str(path),
        ifu=cube.ifu,
        dra_arcsec=0.0,
        ddec_arcsec=0.0,
        err_arcsec=math.nan,
        method=HEADER,
        accepted=False,
    )


def own_offsets(rows: Sequence[AlignRow], offsets: Sequence[Offset]) -> list[tuple[AlignRow, Offset]]:
    """Return rows with the offsets that are for their files and IFUs, as far as there are such.

    Raises
    ------
    AlignmentError
        If several offsets fit a row equally well.
    """
    by_name, paths = _by_name(offsets), list(dict.fromkeys(row.path for row in rows))
    found = ((row, _own(by_name, row.path, row.cube, paths)) for row in rows)
    return [(row, one) for row, one in found if one is not None]


def next_doubtful(rows: Sequence[AlignRow], after: Identity | None) -> AlignRow | None:
    """Return the next row that somebody has to look at, beginning anew at the end; None if there is none."""
    place = next((index for index, row in enumerate(rows) if row.identity == after), -1)
    return next((row for row in (*rows[place + 1 :], *rows[: place + 1]) if row.is_doubtful), None)


def read_file(path: Path) -> Exposure:
    """Read a file, or return what was read of it before.

    Raises
    ------
    KmosError
        If it cannot be read.
    """
    stamp = 0
    with suppress(OSError):
        stamp = path.stat().st_mtime_ns
    return _read(path, stamp)


@functools.lru_cache(maxsize=_MOST_FILES)
def _read(path: Path, _stamp: int) -> Exposure:
    return read_exposure(path)


def _cubes(viewer: ViewerModel, files: Sequence[Path]) -> list[tuple[Path, Cube]]:
    """Return the cubes of layers, each once, and those of files that are not open."""
    found: dict[Identity, tuple[Path, Cube]] = {}
    for layer in cube_layers(viewer):
        for part in kmos_of(layer).parts:
            found.setdefault(part.identity, (part.path or Path(part.identity[0]), part.cube))
    opened = {path for path, _ in found.values()}
    added = [(path, cube) for path in files if path not in opened for cube in read_file(path).cubes]
    return [*found.values(), *added]


def _facts(paths: Iterable[Path]) -> dict[Path, tuple[str, str, int | None]]:
    """Return kind, night and half of files; of those that are gone, and of cubes in memory, there is none."""
    exposures: dict[Path, Exposure] = {}
    for path in paths:
        with suppress(KmosError):
            exposures[path] = read_file(path)
    timed = {path: time_of(one) for path, one in exposures.items() if one.kind == _EXPOSURE and one.date is not None}
    halves = dict(zip(timed, halves_of(list(timed.values()), CutParameters()), strict=True))
    return {
        path: (exposures[path].kind, night_of(exposures[path]), halves.get(path))
        if path in exposures
        else (_EXPOSURE, "", None)
        for path in paths
    }


def _own(by_name: Mapping[str, Sequence[Offset]], path: Path, cube: Cube, paths: Sequence[Path]) -> Offset | None:
    """Return the offset of a cube; those of other files of its name are not meant."""
    named = by_name.get(path.name, ())
    mine = [one for one in named if one.ifu == cube.ifu] or named  # asked for all rows at once: the others take time
    others = {str(other) for other in paths if other != path}
    return row_of([one for one in mine if one.file not in others], path, cube)


def _by_name(offsets: Iterable[Offset]) -> dict[str, list[Offset]]:
    """Return offsets by the last part of the name of their file."""
    found: dict[str, list[Offset]] = defaultdict(list)
    for offset in offsets:
        found[Path(offset.file).name].append(offset)
    return found
