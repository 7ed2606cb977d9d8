"""Offsets of whole pixels by which IFUs were moved by eye."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.io import read_cuts, read_xy_plus
from napari_kmos.recipes.mosaic_fields import halves_by_time, is_mosaic
from napari_kmos.recipes.offset_rows import cuts_name, half_of_cut
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky

if TYPE_CHECKING:
    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.io import XyPlus
    from napari_kmos.offset import Offset
    from napari_kmos.recipes.imported_rows import Opened

_METHOD = "by eye"
#: 1 sigma of what is rounded to whole pixels.
_ROUNDED_PIX = 1 / math.sqrt(12)


def rows_of_xy_plus(file: Path, opened: Opened) -> list[Offset]:
    """Return the offsets of whole pixels by which an IFU, or a half of it, was moved by eye.

    Its window was cut out so many columns further right and rows further up: what it shows belongs as much further left
    and down. Columns and rows are those of the files: mosaics, cuts of them, or exposures. Where the table of its cuts
    lies beside a mosaic and beside that of the reference, the windows are these, whatever the headers say; otherwise
    they are those at the same place on the sky.

    Raises
    ------
    AlignmentError
        If none of the files has this IFU and half, or nothing tells the halves of those that have the IFU.
    """
    told = read_xy_plus(file)
    halves = [None] * len(opened.exposures) if told.half is None else halves_by_time(opened.exposures)
    rows = []
    for number, (exposure, half) in enumerate(zip(opened.exposures, halves, strict=True)):
        own = half or half_of_cut(exposure.path or Path(exposure.label))
        for cube in exposure.cubes:
            if not is_mosaic(exposure) and (cube.ifu != told.ifu or told.half not in (None, own)):
                continue
            row = opened.row(number, cube, _moved_by_eye(told, exposure, cube, opened), _METHOD)
            err = _ROUNDED_PIX * pixel_scale_arcsec(cube.wcs)
            rows.append(dataclasses.replace(row, ifu=told.ifu, half=told.half, err_arcsec=err))
    if not rows:
        _check_halves_told(file, told, opened, halves)
        what = f"IFU {told.ifu}" if told.half is None else f"IFU {told.ifu} half {told.half}"
        msg = f"{file}: none of the files ({opened.names()}) has {what}; expected the mosaic, its cuts or "
        raise AlignmentError(msg + "the exposures that were moved")
    return rows


def _check_halves_told(file: Path, told: XyPlus, opened: Opened, halves: Sequence[int | None]) -> None:
    """Refuse a half where there is the IFU, but nothing tells of which half it is."""
    have = [
        exposure.label
        for exposure, half in zip(opened.exposures, halves, strict=True)
        if told.half is not None
        and half is None
        and any(cube.ifu == told.ifu for cube in exposure.cubes)
        and half_of_cut(exposure.path or Path(exposure.label)) is None
    ]
    if have:
        what = f"{have[0]} alone cannot" if len(opened.exposures) == 1 else f"{', '.join(have[:3])}: nothing can"
        msg = (
            f"{file}: is for half {told.half} of IFU {told.ifu}, and {what} tell which half it is of: halves lie "
            "before and after the longest pause between exposures; give all exposures of both halves (--for), or cuts "
        )
        raise AlignmentError(msg + f"(..._half{told.half}.fits)")


def _moved_by_eye(told: XyPlus, exposure: Exposure, cube: Cube, opened: Opened) -> tuple[float, float]:
    """Return the correction, in arcsec, of a window that was cut out so many pixels further on."""
    own = _first_pixel(told, exposure)
    for reference in opened.reference:
        theirs = _first_pixel(told, reference)
        if own is not None and theirs is not None:
            seen = pixel_to_sky(cube.wcs, own[0] + told.y, own[1] + told.x)
            return offset_arcsec(*seen, *pixel_to_sky(reference.cubes[0].wcs, *theirs))
    y, x = (cube.shape[1] - 1) / 2, (cube.shape[2] - 1) / 2
    return offset_arcsec(*pixel_to_sky(cube.wcs, y, x), *pixel_to_sky(cube.wcs, y - told.y, x - told.x))


def _first_pixel(told: XyPlus, exposure: Exposure) -> tuple[int, int] | None:
    """Return (y, x), 0-based, of the first pixel of a window of a mosaic by the table of its cuts, if there is one."""
    path = exposure.path or Path(exposure.label)
    table = path.with_name(cuts_name(path))
    if not (is_mosaic(exposure) and table.is_file()):
        return None
    return next(
        ((cut.y - 1, cut.x - 1) for cut in read_cuts(table) if (cut.ifu, cut.half) == (told.ifu, told.half)), None
    )
