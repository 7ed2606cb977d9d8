"""Shift files for `kmos_combine`: one a target, with its set of frames and a text that says what it means."""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_kmos.align import displacement_pix
from napari_kmos.errors import AlignmentError, KmosError, KmosWarning, WriteError
from napari_kmos.io import check_free, read_json, safe_name, write_record, write_shifts, write_sof, write_text
from napari_kmos.provenance import Step
from napari_kmos.recipes.outcome import Outcome
from napari_kmos.spatial.correction import corrected_wcs
from napari_kmos.spatial.fields import field_of

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from napari_kmos.cube import Cube
    from napari_kmos.exposure import Exposure
    from napari_kmos.offset import Offset

#: So many names are told in a warning.
_MOST_TOLD = 6
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


@dataclass(frozen=True, slots=True)
class WrittenFrames:
    """What a shift file leaves out: its target, its frames in order, the first's correction, errors of all (arcsec)."""

    target: str
    frames: tuple[str, ...]
    correction: tuple[float, float]
    errors: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A cube of an exposure, and the correction of its header."""

    exposure: Exposure
    cube: Cube
    offset: Offset

    @property
    def path(self) -> Path:
        """File of the exposure."""
        return self.exposure.path or Path(self.exposure.label)

    @property
    def target(self) -> str:
        """What it shows."""
        return target_of(self.cube)

    @property
    def wcs(self) -> WCS:
        """Corrected coordinates."""
        return corrected_wcs(field_of(self.cube), self.offset)


def target_of(cube: Cube) -> str:
    """Return by what name `kmos_combine` knows what a cube shows."""
    return cube.name or f"IFU{cube.ifu}"


def frames_by_target(frames: Sequence[Frame]) -> Mapping[str, list[Frame]]:
    """Return the frames of each target, in the order of the exposures; targets seen once have no shift.

    Raises
    ------
    AlignmentError
        If no target is left, or one was seen in several bands.
    """
    targets: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        if frame.offset.accepted:
            targets[frame.target].append(frame)
    _warn_of_refused([frame for frame in frames if not frame.offset.accepted], len(frames))
    for name, members in list(targets.items()):
        files = [frame.path for frame in members]
        if len(set(files)) < len(files):
            text = f"{name}: seen by several IFUs of one exposure, which no shift file can tell apart; left out"
            warnings.warn(text, KmosWarning, stacklevel=3)
            del targets[name]
    several = {name: members for name, members in targets.items() if len(members) > 1}
    if not several:
        msg = "no target has accepted offsets in two exposures or more: there is nothing to shift"
        raise AlignmentError(msg)
    for name, members in several.items():
        _check_band(name, members)
    return several


def _warn_of_refused(refused: Sequence[Frame], total: int) -> None:
    """Say in one warning which frames no shift file has."""
    if refused:
        notes = [frame.offset.note or "no reason given" for frame in refused]
        why = notes[0] + (", ..." if set(notes[1:]) - {notes[0]} else "")
        text = (
            f"{len(refused)} of {total} IFUs, {some(map(label_of, refused))}: offset not accepted ({why}); left out of "
        )
        warnings.warn(text + "the shift files", KmosWarning, stacklevel=4)


def _check_band(name: str, frames: Sequence[Frame]) -> None:
    """Refuse a target seen in several bands: `kmos_combine` takes the wavelengths of all frames to be the same."""
    bands = {frame.exposure.band: frame.path.name for frame in frames if frame.exposure.band}
    if len(bands) > 1:
        have = ", ".join(f"{band} ({file})" for band, file in bands.items())
        msg = f"{name}: frames of several bands, {have}; kmos_combine cannot combine them: leave all but one band out "
        raise AlignmentError(msg + "(--drop)")


def some(names: Iterable[str]) -> str:
    """Return the first few of many names, for a message."""
    first, *rest = names
    return ", ".join([first, *rest[: _MOST_TOLD - 1]]) + (", ..." if rest[_MOST_TOLD - 1 :] else "")


def label_of(frame: Frame) -> str:
    """Return what to call a frame in a message."""
    return f"{frame.exposure.label} {frame.cube.label}"


def is_for(shift_file: Path, name: str) -> bool:
    """Tell whether a shift file has the name of that of a target."""
    return shift_file.stem == stem_of(shift_file.parent, name).name


def stem_of(folder: Path, name: str) -> Path:
    """Return the path, without its ending, of the files of a target."""
    return folder / f"shifts_{safe_name(name)}"


def warn_of_leftovers(names: Collection[str], written: Collection[str], folder: Path) -> None:
    """Warn of shift files of before whose target has none any more."""
    for name in sorted(set(names) - set(written)):
        stem = stem_of(folder, name)
        old = stem.with_name(f"{stem.name}.txt")
        if old.is_file():
            text = f"{old}: not made again, since {name} is left in less than two exposures; remove it and its SOF"
            warnings.warn(text, KmosWarning, stacklevel=3)


def check_names(names: Sequence[str], folder: Path, overwrite: bool) -> None:
    """Check that the files of the targets can be written.

    Raises
    ------
    WriteError
        If two targets would have files of one name, or a file exists and may not be replaced.
    """
    taken: dict[Path, str] = {}
    for name in names:
        stem = stem_of(folder, name)
        if stem in taken:
            msg = f"targets {taken[stem]!r} and {name!r} would both be written as {stem.name}; rename one of them"
            raise WriteError(msg)
        taken[stem] = name
        for ending in (".txt", ".sof", "_README.txt", ".json"):
            check_free(stem.with_name(f"{stem.name}{ending}"), overwrite)


def displacements(name: str, frames: Sequence[Frame]) -> list[tuple[float, float]]:
    """Return the displacement, in pixels, of each frame of a target, the first included.

    Raises
    ------
    AlignmentError
        If its exposures differ in rotation, or are turned by their offsets.
    """
    first = frames[0]
    turned = [frame for frame in frames if frame.offset.rotation_deg]
    if turned:
        angle = f"{turned[0].offset.rotation_deg:+.3f} deg"
        msg = f"{name}: the offset of {label_of(turned[0])} has a rotation, {angle}, which no shift file can tell; "
        raise AlignmentError(msg + "write corrected copies (--crval), or combine with napari-kmos combine")
    try:
        return [displacement_pix(first.wcs, frame.wcs, shape=first.cube.shape[1:]) for frame in frames]
    except AlignmentError as err:
        msg = f"{name}: {err}, write corrected copies (--crval), or leave those of one angle out (--drop)"
        raise AlignmentError(msg) from err


def write_shift_files(
    name: str, frames: Sequence[Frame], moves: Sequence[tuple[float, float]], table: Path, folder: Path, overwrite: bool
) -> Outcome:
    """Write shift file, SOF, text and record of a target."""
    stem = stem_of(folder, name)
    paths = [(frame.path, frame.exposure.category) for frame in frames]
    shift_file = write_shifts(moves[1:], stem.with_name(f"{stem.name}.txt"), overwrite=overwrite)
    sof = write_sof(paths, stem.with_name(f"{stem.name}.sof"), overwrite=overwrite)
    facts = {"shifts": shift_file.name, "sof": sof.name, "table": table.name, "name": name}
    text = _CONVENTION.format(**facts, frames="\n".join(map(_line, range(len(frames)), frames, moves)))
    readme = write_text(text, stem.with_name(f"{stem.name}_README.txt"), overwrite=overwrite)
    written = (shift_file, sof, readme)
    record = write_record(shift_file, _step(name, frames, table), products=written, overwrite=overwrite)
    return Outcome(products=(shift_file, sof), extras=(readme, record))


def frames_of_record(shift_file: Path) -> WrittenFrames | None:
    """Return what the record beside a shift file tells of its frames; None if there is none of ours."""
    try:
        told = read_json(shift_file.with_suffix(".json"))["measured"]
        return WrittenFrames(
            str(told["target"]),
            tuple(told["frames"]),
            (told["first_dra_arcsec"], told["first_ddec_arcsec"]),
            tuple(math.nan if err is None else float(err) for err in told.get("err_arcsec", ())),
        )
    except (KmosError, KeyError, TypeError):
        return None


def _line(number: int, frame: Frame, move: tuple[float, float]) -> str:
    """Return the line of a frame in the text."""
    dra, ddec = frame.offset.dra_arcsec, frame.offset.ddec_arcsec
    place = f"{number:4d} {frame.cube.ifu or 0:3d} {move[0]:9.4f} {move[1]:9.4f} {dra:9.4f} {ddec:9.4f}"
    return f"{place}  {frame.exposure.label}"


def _step(name: str, frames: Sequence[Frame], table: Path) -> Step:
    """Describe what was done; a shift file tells no errors, nor how the first frame was corrected: its record does."""
    first = frames[0].offset
    measured = {
        "target": name,
        "frames": [frame.path.name for frame in frames],
        "first_dra_arcsec": first.dra_arcsec,
        "first_ddec_arcsec": first.ddec_arcsec,
        "err_arcsec": [frame.offset.err_arcsec for frame in frames],
    }
    return Step(name="offsets", inputs=(*(frame.path for frame in frames), table), measured=measured)
