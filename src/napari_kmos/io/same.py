"""What differs between two files that should be the same: pixels within rounding, headers but for dates, tables."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_kmos.io._extensions import open_fits
from napari_kmos.io.atomic import FITS_ENDINGS
from napari_kmos.io.records import read_table
from napari_kmos.io.text import read_text

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.table import Table

#: Bytes of two arrays that are compared at a time.
_PIECE = 64 * 2**20
#: Of one kind of difference, so many are told.
_TOLD = 3
#: Cards that tell when and with what a file was written, not what it is.
_ASIDE = re.compile(r"^(DATE|DATE-HDU|CHECKSUM|DATASUM|HISTORY|COMMENT|)$|^ESO PRO REC\d+ (PKG\d+ ID|PIPE ID)$")
#: Columns that tell how long the work took.
_TIMES = ("seconds",)
#: Files whose content is not numbers or text.
PICTURES = (".png", ".pdf")


def differences(made: Path, original: Path, *, tolerance: float) -> list[str]:
    """Return what differs between two files of one kind, a text each; empty if they are the same.

    Floating point numbers are the same if they differ by less than the tolerance times the larger one or, in an image,
    times the largest value of the plane; NaN is the same as NaN. Names of files may lie in other folders.

    Parameters
    ----------
    made, original : Path
        The files.
    tolerance : float
        Relative.

    Raises
    ------
    NotKmosError
        If one of them cannot be read.
    """
    if original.name.endswith(FITS_ENDINGS):
        return list(_fits_differences(made, original, tolerance))
    if original.suffix == ".ecsv":
        return list(_table_differences(read_table(made), read_table(original), tolerance))
    lines = (read_text(path).splitlines() for path in (made, original))
    pairs = itertools.zip_longest(*lines, fillvalue="")
    found = (
        f"line {number}: {new[:60]!r}, was {old[:60]!r}"
        for number, (new, old) in enumerate(pairs, start=1)
        if not _same_line(new, old, tolerance)
    )
    return list(itertools.islice(found, _TOLD))


def _fits_differences(made: Path, original: Path, tolerance: float) -> Iterator[str]:
    with open_fits(made) as new, open_fits(original) as old:
        if len(new) != len(old):
            yield f"{len(new)} extensions, were {len(old)}"
            return
        for number, (one, other) in enumerate(zip(new, old, strict=True)):
            where = str(other.name or number)
            yield from itertools.islice(_header_differences(one.header, other.header, where, tolerance), _TOLD)
            yield from _data_differences(one, other, where, tolerance)


def _header_differences(new: fits.Header, old: fits.Header, where: str, tolerance: float) -> Iterator[str]:
    for key in dict.fromkeys((*old, *new)):
        if _ASIDE.match(key):
            continue
        if key not in new or key not in old:
            yield f"{where}: {key} is {'missing' if key not in new else 'new'}"
        elif not _same_value(new[key], old[key], tolerance):
            yield f"{where}: {key} is {str(new[key])[:40]!r}, was {str(old[key])[:40]!r}"


def _data_differences(new: Any, old: Any, where: str, tolerance: float) -> Iterator[str]:
    if hasattr(old, "columns"):
        from astropy.table import Table

        yield from _table_differences(Table(new.data), Table(old.data), tolerance, f"{where}: ")
        return
    if new.shape != old.shape:
        yield f"{where}: shape {new.shape}, was {old.shape}"
        return
    wrong, largest = _count_different(new, old, tolerance) if old.shape else (0, 0.0)
    if wrong:
        yield f"{where}: {wrong} of {math.prod(old.shape)} values differ, by up to {largest:.3g}"


def _count_different(new: Any, old: Any, tolerance: float) -> tuple[int, float]:
    """Return how many values of two images differ, and by how much at most; read a piece at a time."""
    step = max(1, _PIECE // (8 * math.prod(old.shape[1:])))
    wrong, largest = 0, 0.0
    for first in range(0, old.shape[0], step):
        one, other = (np.asarray(hdu.section[first : first + step], dtype=float) for hdu in (new, old))
        axes = tuple(range(1, other.ndim)) if other.ndim > 2 else None
        finite = np.where(np.isfinite(other), np.abs(other), 0)
        limit = tolerance * np.maximum(finite, finite.max(axis=axes, keepdims=True, initial=0))
        with np.errstate(invalid="ignore"):
            gap = np.abs(one - other)
            same = (one == other) | (np.isnan(one) & np.isnan(other)) | (gap <= limit)
        wrong += int(np.count_nonzero(~same))
        largest = max(largest, float(np.nanmax(np.where(same, 0, gap), initial=0)))
    return wrong, largest


def _table_differences(new: Table, old: Table, tolerance: float, where: str = "") -> Iterator[str]:
    if new.colnames != old.colnames:
        yield f"{where}columns {', '.join(new.colnames)}, were {', '.join(old.colnames)}"
        return
    if len(new) != len(old):
        yield f"{where}{len(new)} rows, were {len(old)}"
        return
    for name in (name for name in old.colnames if name not in _TIMES):
        pairs = enumerate(zip(new[name].tolist(), old[name].tolist(), strict=True), start=1)
        wrong = [(row, one, other) for row, (one, other) in pairs if not _same_value(one, other, tolerance)]
        if wrong:
            row, one, other = wrong[0]
            yield f"{where}column {name}: {len(wrong)} rows differ; row {row} is {str(one)[:40]}, was {str(other)[:40]}"


def _same_value(new: Any, old: Any, tolerance: float) -> bool:
    """Tell whether two values are the same: numbers within the tolerance, files by their names."""
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(_same_value(*pair, tolerance) for pair in zip(new, old, strict=True))
    if isinstance(new, Mapping) and isinstance(old, Mapping):
        return new.keys() == old.keys() and all(_same_value(new[key], old[key], tolerance) for key in old)
    if isinstance(new, float) and isinstance(old, int | float):
        return bool(np.isclose(new, old, rtol=tolerance, atol=0, equal_nan=True))
    if isinstance(new, str) and isinstance(old, str) and new != old:
        return ("/" in new or "/" in old) and Path(new).name == Path(old).name
    return bool(new == old)


def _same_line(new: str, old: str, tolerance: float) -> bool:
    """Tell whether two lines of text are the same, word by word."""
    if new == old:
        return True
    words = [re.split(r"[\s,;()]+", line) for line in (new, old)]
    return len(words[0]) == len(words[1]) and all(
        _same_value(_number(one), _number(other), tolerance) for one, other in zip(*words, strict=True)
    )


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
