"""Where the wavelength zero points of what is combined come from: headers, a table, or the sky lines of the cubes."""

from __future__ import annotations

import functools
import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_kmos.errors import KmosError, KmosWarning
from napari_kmos.instrument import ARMS, detector_of, key_quality, key_zero_point
from napari_kmos.io import ZeroPointRow, read_zero_points
from napari_kmos.progress import Progress, silent
from napari_kmos.spectral.zero_points import ZeroPoint, measure_zero_point

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.recipes.selecting import Member

NONE, HEADER, MEASURE = "none", "header", "measure"
#: What can be said instead of a table.
ZERO_POINTS = (NONE, HEADER, MEASURE)
#: No spectrum lies so far from where its header says, as a part of its planes: flexure is tenths of a plane.
_LARGEST_PART = 0.1
#: Categories without their sky, the last as ESO's recipe calls it.
_SUBTRACTED = ("SKY_TWEAK", "SECOND_PASS", "OBJECT_S")


def find_zero_points(
    members: Sequence[Member], source: Path | str, progress: Progress = silent
) -> tuple[ZeroPoint, ...] | None:
    """Return the zero point of each cube; None if none are to be taken out.

    One that could not be measured, as without lines, is that of the exposure's other IFUs, of the same detector first;
    a warning says so.

    Parameters
    ----------
    members : sequence of Member
        The cubes.
    source : path or str
        ``"none"``; ``"header"``, as `sky_tweak` leaves them there; ``"measure"``, on cubes that still have their sky;
        or a table.
    progress : Progress
        Told the cubes that are measured.

    Raises
    ------
    KmosError
        If a cube has no zero point where it is looked for, or nothing tells that of an exposure.
    """
    if str(source) == NONE:
        return None
    if str(source) == HEADER:
        found = [_in_header(member.exposure, member.cube) for member in members]
    elif str(source) == MEASURE:
        found = [_measured(member, progress, number, len(members)) for number, member in enumerate(members)]
    else:
        rows = _checked_rows(source)
        found = [_in_table(member, rows, source) for member in members]
    return tuple(
        point if point.is_known else _from_others(member, str(source))
        for member, point in zip(members, found, strict=True)
    )


def header_cards(ifu: int | None, point: ZeroPoint) -> Mapping[str, float]:
    """Return the header keywords of a zero point, as a `Step` wants them; none where it is not known."""
    if not point.is_known:
        return {}
    name = key_zero_point(ifu)
    return {name: round(point.shift_pix, 4), f"{name} ERROR": round(point.err_pix, 4)}


def without_zero_points(header: fits.Header) -> fits.Header:
    """Return a primary header without the zero points of its exposure: they are not those of what is combined."""
    kept = header.copy()
    for ifu in (None, *ARMS):
        for ending in ("", " ERROR"):
            kept.remove(key_quality(f"{key_zero_point(ifu)}{ending}"), ignore_missing=True)
    return kept


def rows_of(members: Sequence[Member], points: Sequence[ZeroPoint]) -> list[ZeroPointRow]:
    """Return the rows of a table of zero points."""
    return [
        ZeroPointRow(file=member.exposure.label, ifu=member.cube.ifu, zero_pix=point.shift_pix, err_pix=point.err_pix)
        for member, point in zip(members, points, strict=True)
    ]


def _in_header(exposure: Exposure, cube: Cube) -> ZeroPoint:
    """Return what the header of an exposure tells."""
    header: Any = exposure.header
    keys = {ifu: key_quality(key_zero_point(ifu)) for ifu in (cube.ifu, None, *ARMS)}
    key = next((keys[ifu] for ifu in (cube.ifu, None) if keys[ifu] in header), None)
    if key is not None:
        return ZeroPoint(shift_pix=float(header[key]), err_pix=float(header.get(f"{key} ERROR", math.nan)))
    if any(one in header for one in keys.values()):
        return ZeroPoint(shift_pix=math.nan)
    msg = (
        f"{exposure.label}: its header has no wavelength zero point; subtract its sky with this version of "
        "sky-tweak (which tells none where too few sky lines are resolved), or take --zero-points measure with cubes "
        "that have their sky, or a table"
    )
    raise KmosError(msg)


def _measured(member: Member, progress: Progress, number: int, total: int) -> ZeroPoint:
    """Measure one that still has its sky."""
    if member.exposure.category in _SUBTRACTED:
        msg = (
            f"{member.label}: its sky has been subtracted, its lines tell no zero point; take --zero-points header if "
            "sky-tweak told it, else a table"
        )
        raise KmosError(msg)
    progress(number, total, f"{member.label}: zero point of the wavelengths")
    return measure_zero_point(member.cube)


def _checked_rows(table: Path | str) -> tuple[ZeroPointRow, ...]:
    """Read a table; what is neither a word nor a file is told apart from a table that cannot be read."""
    if not Path(table).is_file():
        msg = f"zero points are {str(table)!r}; expected {', '.join(ZERO_POINTS)}, or a table that exists"
        raise KmosError(msg)
    return read_zero_points(table)


def _in_table(member: Member, rows: Sequence[ZeroPointRow], table: Path | str) -> ZeroPoint:
    """Return what a table tells."""
    name = Path(member.exposure.label).name
    fitting = [row for row in rows if Path(row.file).name == name and row.ifu in (member.cube.ifu, None)]
    fitting.sort(key=lambda row: row.ifu is None)
    if not fitting:
        msg = f"{member.label}: no row in {table}; add it, with zero_pix 0 if its wavelengths are right"
        raise KmosError(msg)
    largest = member.cube.shape[0] * _LARGEST_PART
    if abs(fitting[0].zero_pix) > largest:
        msg = f"{member.label}: zero_pix is {fitting[0].zero_pix:g} in {table}; expected planes, {largest:.0f} at most"
        raise KmosError(msg)
    return ZeroPoint(shift_pix=fitting[0].zero_pix, err_pix=fitting[0].err_pix)


def _from_others(own: Member, source: str) -> ZeroPoint:
    """Return the median of the other IFUs of an exposure, of the same detector if they tell it."""
    tell = measure_zero_point if source == MEASURE else functools.partial(_in_header, own.exposure)
    others = [cube for cube in own.exposure.cubes if cube.ifu not in (None, own.cube.ifu)]
    near = [cube for cube in others if own.cube.ifu and detector_of(cube.ifu or 0) == detector_of(own.cube.ifu)]
    for group in (near, others):
        known = [point.shift_pix for point in map(tell, group) if point.is_known]
        if known:
            text = f"{own.label}: too few sky lines to tell its zero point; it is taken to be that of the exposure's "
            warnings.warn(f"{text}other IFUs", KmosWarning, stacklevel=4)
            return ZeroPoint(shift_pix=statistics.median(known))
    msg = f"{own.label}: too few sky lines stand out to tell its zero point; give it in a table (--zero-points FILE)"
    raise KmosError(msg)
