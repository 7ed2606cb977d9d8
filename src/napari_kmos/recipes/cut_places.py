"""Where IFUs and halves lie in a mosaic: by its exposures, by the log of `kmos_combine`, or by a table."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.instrument import FIELD_ARCSEC
from napari_kmos.io import read_cuts, read_exposure, read_logged_shifts, read_offsets
from napari_kmos.recipes.cut_parameters import CutParameters, parse_ifus
from napari_kmos.recipes.offset_rows import usable_offset
from napari_kmos.recipes.pairing import group_epochs, split_at_gap
from napari_kmos.spatial.correction import corrected
from napari_kmos.spatial.fields import field_of
from napari_kmos.spatial.footprints import Footprint, footprint_between, footprint_of, hull

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.io import LoggedShift

#: A longer time between exposures separates nights: each has its own interruption.
_NIGHT_DAYS = 0.5
#: Rows and columns which `kmos_combine` adds to what its exposures cover.
_BORDER_PIX = 2
#: A cut that is so many times as large as what its exposures cover holds more than one place.
_SCATTERED = 4
_TOLERANCE_PIX = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an IFU, or a half of it, lies in a mosaic; the name is that of its target, if it is known.

    Where the exposures are known, ``taken`` has the start (MJD) and length (s) of each, NaN where it does not tell.
    """

    ifu: int
    half: int | None = None
    name: str = ""
    footprint: Footprint
    taken: tuple[tuple[float, float], ...] = ()


def places_by_exposures(
    mosaic: Cube, files: Sequence[Path], parameters: CutParameters, *, offsets: Path | None = None
) -> tuple[Place, ...]:
    """Return the places by the coordinates and times of exposures.

    Parameters
    ----------
    mosaic : Cube
        On its pixels the places are.
    files : sequence of path
        Exposures; only their headers are read.
    parameters : CutParameters
        All but the origin matter.
    offsets : path, optional
        Offset table: corrections of the coordinates. Where no row may be used, the header is taken as it is.

    Raises
    ------
    KmosError
        If a file cannot be used or tells no IFU.
    """
    exposures = [read_exposure(file) for file in files]
    rows = None if offsets is None else read_offsets(offsets)
    times = [time_of(exposure) for exposure in exposures]
    halves = halves_of(times, parameters)
    found: list[Place] = []
    for exposure, taken, half in zip(exposures, times, halves, strict=True):
        for cube in exposure.cubes:
            if cube.ifu is None:
                msg = f"{exposure.label}: does not tell which IFU it is; expected exposures with IFU.<n>.DATA"
                raise KmosError(msg)
            offset = None if rows is None else usable_offset(rows, exposure, cube, unaccepted="header")
            placed = cube if offset is None else corrected(cube, offset)
            footprint = footprint_of(field_of(placed), mosaic.wcs)
            if footprint is not None:
                found.append(Place(ifu=cube.ifu, half=half, name=cube.name, footprint=footprint, taken=(taken,)))
    return _joined(found)


def places_by_log(
    mosaic: Cube, log: Path, parameters: CutParameters, *, files: Sequence[Path] = ()
) -> tuple[Place, ...]:
    """Return the places by the shifts that `kmos_combine` logged.

    An IFU of shift (dx, dy) begins dx columns before and dy rows after one of shift zero. The IFUs end with the last
    row and column of the mosaic; where `kmos_combine` adds a border, it is before the first. So found in its mosaics.

    Parameters
    ----------
    mosaic : Cube
        On its pixels the places are.
    log : path
        The log, or its folder.
    parameters : CutParameters
        All matter.
    files : sequence of path
        The exposures, for their times; without them these are the dates in the names of the frames.

    Raises
    ------
    KmosError
        If the log cannot be used.
    GeometryError
        If what the shifts cover is of another size than the mosaic, and no origin is given.
    """
    shifts = read_logged_shifts(log)
    side = _side(mosaic.wcs)
    x, y = _origin(mosaic, shifts, side, log) if parameters.origin is None else (one - 1 for one in parameters.origin)
    times = _times(shifts, files, log) if files else [(shift.mjd, math.nan) for shift in shifts]
    halves = halves_of(times, parameters)
    found = []
    for shift, taken, half in zip(shifts, times, halves, strict=True):
        low = (y + shift.dy - 0.5, x - shift.dx - 0.5)
        footprint = footprint_between(low, (low[0] + side, low[1] + side))
        found.append(Place(ifu=shift.ifu, half=half, footprint=footprint, taken=(taken,)))
    if min(math.hypot(shift.dx, shift.dy) for shift in shifts) > _TOLERANCE_PIX:
        text = f"{log}: no IFU has shift zero: the reference is not logged, and the cut of its IFU may lack a part"
        warnings.warn(text, KmosWarning, stacklevel=2)
    return _joined(found)


def places_by_table(mosaic: Cube, table: Path) -> tuple[Place, ...]:
    """Return the places that a user's table has; an IFU's size where it tells none.

    Raises
    ------
    KmosError
        If the table cannot be used.
    """
    side = _side(mosaic.wcs)
    return tuple(
        Place(ifu=row.ifu, half=row.half, footprint=Footprint(row.y - 1, row.x - 1, row.n_y or side, row.n_x or side))
        for row in read_cuts(table)
    )


def chosen_places(places: Iterable[Place], mosaic: Cube, ifus: str) -> tuple[Place, ...]:
    """Return the places of the chosen IFUs that lie in a mosaic; what is left out is warned of.

    Raises
    ------
    GeometryError
        If none is left.
    """
    wanted, every = parse_ifus(ifus), tuple(places)
    known = {place.ifu for place in every}
    unknown = ", ".join(map(str, sorted(wanted - known)))
    lost = [f"IFU {unknown}: nothing tells where"] if unknown else []
    kept = []
    for place in every:
        if wanted and place.ifu not in wanted:
            continue
        if place.footprint.is_in(mosaic.shape[1:]):
            kept.append(place)
        else:
            lost.append(f"IFU {place.ifu}: outside the mosaic, at {_where(place.footprint)}")
    told = "; ".join(lost)
    if not kept:
        msg = f"{mosaic.source or mosaic.label}: no IFU to cut out of its {mosaic.shape[2]} x {mosaic.shape[1]} "
        msg += f"spaxels ({told or 'no IFU has data'}); are exposures, log or table those of this mosaic?"
        raise GeometryError(msg)
    if lost:
        warnings.warn(f"not cut out: {told}", KmosWarning, stacklevel=3)
    return tuple(kept)


def time_of(exposure: Exposure) -> tuple[float, float]:
    """Return start (MJD) and length (s) of an exposure; NaN where it does not tell."""
    lengths = [cube.exptime for cube in exposure.cubes if cube.exptime]
    return math.nan if exposure.date is None else float(exposure.date.mjd), max(lengths, default=math.nan)


def _times(shifts: Sequence[LoggedShift], files: Sequence[Path], log: Path) -> list[tuple[float, float]]:
    """Return the times of the frames of a log, by the last parts of their names."""
    known = {Path(file).name: time_of(read_exposure(file)) for file in files}
    names = [Path(shift.frame).name for shift in shifts]
    lost = next((name for name in names if name not in known), None)
    if lost is not None:
        msg = f"{log}: its frame {lost or '(without a name)'} is not among the exposures given; expected all of them, "
        raise KmosError(msg + "by the names they had then, or none")
    return [known[name] for name in names]


def halves_of(times: Sequence[tuple[float, float]], parameters: CutParameters) -> Sequence[int | None]:
    """Return the half of each exposure by its start and length, night by night; None where there are none."""
    halves: list[int | None] = [None] * len(times)
    if not parameters.halves or len(times) < 2:
        return halves
    mjds, lengths = zip(*times, strict=True)
    if not all(map(math.isfinite, mjds)):
        text = "not all exposures tell when they were taken: IFUs are cut out whole, not as halves (beside a log, the "
        warnings.warn(text + "exposures tell it: --from)", KmosWarning, stacklevel=3)
        return halves
    nights = group_epochs(mjds, gap_days=_NIGHT_DAYS)
    for night in set(nights):
        members = [index for index, one in enumerate(nights) if one == night]
        starts, spans = ([one[index] for index in members] for one in (mjds, lengths))
        for index, half in zip(members, split_at_gap(starts, spans, gap_minutes=parameters.gap_minutes), strict=True):
            halves[index] = half
    return halves


def _joined(found: Iterable[Place]) -> tuple[Place, ...]:
    """Return a place for each IFU and half, which holds all of its exposures."""
    groups: dict[tuple[int, int], list[Place]] = defaultdict(list)
    for place in found:
        groups[place.ifu, place.half or 0].append(place)
    joined = []
    for (ifu, half), members in sorted(groups.items()):
        boxes = [place.footprint for place in members]
        names = list(dict.fromkeys(place.name for place in members))
        whole = hull(boxes)
        if whole.n_y * whole.n_x > _SCATTERED * sum(box.n_y * box.n_x for box in boxes):
            text = f"IFU {ifu}: looked at places far apart ({', '.join(filter(None, names)) or 'by its shifts'}); the "
            text += f"cut of {whole.n_x} x {whole.n_y} spaxels holds what is between them too"
            warnings.warn(text, KmosWarning, stacklevel=3)
        name = names[0] if len(names) == 1 else ""
        taken = tuple(dict.fromkeys(one for place in members for one in place.taken))
        joined.append(Place(ifu=ifu, half=half or None, name=name, footprint=whole, taken=taken))
    return tuple(joined)


def _side(wcs: WCS) -> int:
    """Spaxels along a side of an IFU."""
    return max(1, round(FIELD_ARCSEC / pixel_scale_arcsec(wcs)))


def _origin(mosaic: Cube, shifts: Sequence[LoggedShift], side: int, log: Path) -> tuple[int, int]:
    """Return the pixel (x, y), 0-based, with which an IFU of shift zero begins."""
    dx, dy = [0.0, *(shift.dx for shift in shifts)], [0.0, *(shift.dy for shift in shifts)]
    n_y, n_x = mosaic.shape[1:]
    covered = [max(one) - min(one) + side for one in (dx, dy)]
    spare = [length - span for length, span in zip((n_x, n_y), covered, strict=True)]
    if not all(-1 <= one <= _BORDER_PIX for one in spare):
        msg = f"{log}: IFUs with its shifts cover {covered[0]:.0f} x {covered[1]:.0f} spaxels, the mosaic has {n_x} x "
        msg += f"{n_y}; expected the log of this mosaic: take --from or --table, or tell where shift zero is (--origin)"
        raise GeometryError(msg)
    return math.floor(n_x - side + min(dx) + _TOLERANCE_PIX), math.floor(n_y - side - max(dy) + _TOLERANCE_PIX)


def _where(footprint: Footprint) -> str:
    """Say which pixels a footprint has, as ds9 counts them."""
    last_x, last_y = footprint.x + footprint.n_x, footprint.y + footprint.n_y
    return f"x {footprint.x + 1} to {last_x}, y {footprint.y + 1} to {last_y}"
