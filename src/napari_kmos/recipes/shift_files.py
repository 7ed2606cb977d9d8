"""Shift files for `kmos_combine`: one a target, with its set of frames and a text that says what it means."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.align import displacement_pix
from napari_kmos.errors import AlignmentError, KmosWarning, WriteError
from napari_kmos.io import check_free, safe_name, write_shifts, write_sof, write_text
from napari_kmos.recipes.offset_rows import row_of
from napari_kmos.spatial.wcs import shift_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset

    #: A frame of kmos_combine: the exposure, its cube, and the corrected WCS.
    Frame = tuple[Exposure, Cube, WCS]

_CONVENTION = """\
{shifts}: shifts for kmos_combine --method=user, target {name}.

Two columns, dx and dy in pixels, one line a frame, the first frame of {sof} left out, in its order.
A line is how far one point of the sky lies apart in the first frame (x_0, y_0) and in frame i (x_i, y_i):

    dx = x_i - x_0        dy = y_0 - y_i

It holds everything: the dither that the headers tell, and the corrections of {table}.
So dx > 0 moves the frame to the left and dy > 0 moves it up. Do not change the order of the frames.

    esorex kmos_combine --method=user --filename={shifts} --name="{name}" {sof}

Frames (number, IFU, dx, dy, correction dRA cos Dec, dDec in arcsec, file):
{frames}
"""


def frames_by_target(exposures: Sequence[Exposure], rows: Sequence[Offset]) -> Mapping[str, list[Frame]]:
    """Return the frames of each target, in the order of the exposures; targets seen once have no shift.

    Raises
    ------
    AlignmentError
        If no target is left.
    """
    targets: dict[str, list[Frame]] = defaultdict(list)
    for exposure in exposures:
        for cube in exposure.cubes:
            row = row_of(rows, exposure.path or Path(), cube)
            if row is not None and row.accepted:
                wcs = shift_wcs(cube.wcs, row.dra_arcsec, row.ddec_arcsec)
                targets[cube.name or f"IFU{cube.ifu}"].append((exposure, cube, wcs))
            elif row is not None:
                text = f"{cube.source or cube.label}: offset not accepted ({row.note}); left out of the shift file"
                warnings.warn(text, KmosWarning, stacklevel=3)
    for name, frames in list(targets.items()):
        files = [exposure.path for exposure, _, _ in frames]
        if len(set(files)) < len(files):
            text = f"{name}: seen by several IFUs of one exposure, which no shift file can tell apart; left out"
            warnings.warn(text, KmosWarning, stacklevel=3)
            del targets[name]
    several = {name: frames for name, frames in targets.items() if len(frames) > 1}
    if not several:
        msg = "no target has accepted offsets in two exposures or more: there is nothing to shift"
        raise AlignmentError(msg)
    return several


def check_names(names: Sequence[str], folder: Path, overwrite: bool) -> None:
    """Check that the files of the targets can be written.

    Raises
    ------
    WriteError
        If two targets would have files of one name, or a file exists and may not be replaced.
    """
    taken: dict[str, str] = {}
    for name in names:
        stem = safe_name(name)
        if stem in taken:
            msg = f"targets {taken[stem]!r} and {name!r} would both be written as shifts_{stem}; rename one of them"
            raise WriteError(msg)
        taken[stem] = name
        for ending in (".txt", ".sof", "_README.txt"):
            check_free(folder / f"shifts_{stem}{ending}", overwrite)


def write_shift_files(
    name: str, frames: Sequence[Frame], rows: Sequence[Offset], table: Path, folder: Path, overwrite: bool
) -> tuple[list[Path], Path, list[tuple[float, float]]]:
    """Write shift file, SOF and text of a target; return the first two, the text, and the displacements.

    Raises
    ------
    AlignmentError
        If its exposures differ in rotation.
    """
    _, cube, first = frames[0]
    shape = (cube.shape[1], cube.shape[2])
    try:
        moves = [displacement_pix(first, wcs, shape=shape) for _, _, wcs in frames]
    except AlignmentError as err:
        msg = f"{name}: {err}"
        raise AlignmentError(msg) from err
    stem = folder / f"shifts_{safe_name(name)}"
    paths = [(exposure.path or Path(), exposure.category) for exposure, _, _ in frames]
    shift_file = write_shifts(moves[1:], stem.with_name(f"{stem.name}.txt"), overwrite=overwrite)
    sof = write_sof(paths, stem.with_name(f"{stem.name}.sof"), overwrite=overwrite)
    lines = []
    for number, ((exposure, one, _), (dx, dy)) in enumerate(zip(frames, moves, strict=True)):
        row = row_of(rows, exposure.path or Path(), one)
        dra, ddec = (row.dra_arcsec, row.ddec_arcsec) if row else (0.0, 0.0)
        lines.append(f"{number:4d} {one.ifu or 0:3d} {dx:9.4f} {dy:9.4f} {dra:9.4f} {ddec:9.4f}  {exposure.label}")
    facts = {"shifts": shift_file.name, "sof": sof.name, "table": table.name, "name": name, "frames": "\n".join(lines)}
    text = write_text(_CONVENTION.format(**facts), stem.with_name(f"{stem.name}_README.txt"), overwrite=overwrite)
    return [shift_file, sof], text, moves[1:]
