"""The shifts that `kmos_combine` writes into its log: a line an IFU of a frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from astropy.time import Time

from napari_kmos import instrument
from napari_kmos.errors import KmosError, NotKmosError

#: What stands in brackets before the shifts: the frame, if it is named, and the IFU.
_IFU = re.compile(r"\[([^\[\]]*?)[\s,;]*\bIFU\s*[.:#]?\s*(\d+)\s*\]", re.IGNORECASE)
_SHIFT = {axis: re.compile(rf"\bin\s+{axis}\s*[:=]?\s*([^\s,;]+)\s*([^\s,;]*)", re.IGNORECASE) for axis in "xy"}
#: Date and time as in the names that the archive gives; colons are often replaced.
_DATE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)[:_-](\d\d)[:_-](\d\d(?:\.\d+)?)")
_EXPECTED = "expected lines such as '[frame.fits, IFU 7] Shifts in x: -27.000 pix, in y: 54.000 pix'"
#: No log is larger; a mosaic given by mistake is.
_MOST_BYTES = 2**28
_TOLERANCE_PIX = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedShift:
    """Shift of one IFU of one frame against the reference frame.

    Parameters
    ----------
    frame : str
        What the log calls the frame; empty if it names none.
    ifu : int
        1-24.
    dx, dy : float
        In pixels, signs as `kmos_combine` has them: x_i - x_0 and y_0 - y_i of one point of the sky.
    mjd : float
        Start of the exposure by the name of its frame; NaN if that has no date.
    """

    frame: str
    ifu: int
    dx: float
    dy: float
    mjd: float = math.nan


def read_logged_shifts(path: Path | str) -> tuple[LoggedShift, ...]:
    """Read the shifts in the log of a `kmos_combine` run.

    Lines are taken that name an IFU in brackets and a shift in x or y; whatever else they say, and all other lines, do
    not matter.

    Parameters
    ----------
    path : path
        The log, or the folder that holds it as ``esorex.log``.

    Returns
    -------
    tuple of LoggedShift
        In the order of the log, what it repeats left out.

    Raises
    ------
    NotKmosError
        If the file cannot be read, or holds no shift.
    KmosError
        If a line cannot be understood, or an IFU of a frame has two shifts: the log of more than one run.
    """
    path = find_log(path)
    found: dict[tuple[str, int], LoggedShift] = {}
    shifts: list[LoggedShift] = []
    for number, line in _lines(path):
        one = _shift(line, f"{path}, line {number}")
        before = found.setdefault((one.frame, one.ifu), one) if one is not None and one.frame else one
        if one is None or before is None:
            continue
        if max(abs(one.dx - before.dx), abs(one.dy - before.dy)) > _TOLERANCE_PIX:
            msg = f"{path}, line {number}: a second shift for IFU {one.ifu} of {one.frame}: ({one.dx:g}, {one.dy:g}) "
            msg += f"after ({before.dx:g}, {before.dy:g}) pix; expected the log of one run, cut out the lines of yours"
            raise KmosError(msg)
        if one is before:
            shifts.append(one)
    if not shifts:
        msg = f"{path}: no shift in it; {_EXPECTED}, as kmos_combine writes them"
        raise NotKmosError(msg)
    return tuple(shifts)


def find_log(path: Path | str) -> Path:
    """Return a log, or the one in a folder."""
    path = Path(path)
    return path / "esorex.log" if path.is_dir() else path


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a log with their numbers; letters that are not UTF-8 do not matter."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            msg = f"{path}: too large for a log of kmos_combine; {_EXPECTED}"
            raise NotKmosError(msg)
        with path.open(encoding="utf-8", errors="replace") as stream:
            yield from enumerate(stream, start=1)
    except OSError as err:
        msg = f"{path}: cannot be read ({err.strerror}); expected the esorex.log of kmos_combine"
        raise NotKmosError(msg) from err


def _shift(line: str, where: str) -> LoggedShift | None:
    """Return the shift that a line tells of, if it tells of one."""
    head = _IFU.search(line)
    told = {axis: pattern.search(line, head.end()) for axis, pattern in _SHIFT.items()} if head else {}
    if head is None or not any(told.values()):
        return None
    ifu = int(head[2])
    if ifu not in instrument.ARMS:
        msg = f"{where}: IFU {ifu}; KMOS has IFUs 1 to {instrument.N_ARMS}"
        raise KmosError(msg)
    dx, dy = (_pixels(told[axis], f"{where}: shift of IFU {ifu} in {axis}") for axis in "xy")
    frame = head[1].strip()
    dates = _DATE.findall(frame)
    mjd = float(Time(":".join(dates[-1])).mjd) if dates else math.nan
    return LoggedShift(frame=frame, ifu=ifu, dx=dx, dy=dy, mjd=mjd)


def _pixels(match: re.Match[str] | None, where: str) -> float:
    """Return a shift in pixels."""
    text = match[1] if match else ""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if match is None or not math.isfinite(value):
        msg = f"{where} is {text!r}; {_EXPECTED}"
        raise KmosError(msg)
    if match[2].lower().startswith(("arc", '"')):
        msg = f"{where} is in {match[2]}; {_EXPECTED}"
        raise KmosError(msg)
    return value
