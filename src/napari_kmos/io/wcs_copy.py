"""Copies of files whose celestial coordinates are corrected: not a bit of the pixels changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from napari_kmos.io import _axes
from napari_kmos.io._cards import add_step
from napari_kmos.io._checksum import ones_complement_sum, with_checksum
from napari_kmos.io._extensions import open_fits, open_product
from napari_kmos.io._file import FitsFile
from napari_kmos.io._layouts import find_groups
from napari_kmos.io.atomic import atomic_path
from napari_kmos.progress import Progress, silent

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.wcs import WCS

    from napari_kmos.provenance import Step

_PIECE_BYTES = 16 * 2**20


def write_copy(
    source: Path | str, path: Path | str, *, step: Step, overwrite: bool = False, progress: Progress = silent
) -> Path:
    """Copy a file, piece by piece, with a step added to its primary header; the rest as in `write_wcs_copy`."""
    return write_wcs_copy(source, path, {}, step=step, overwrite=overwrite, progress=progress)


def write_wcs_copy(
    source: Path | str,
    path: Path | str,
    wcs: Mapping[str, WCS],
    *,
    step: Step,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Path:
    """Copy a file, piece by piece, with other celestial coordinates for some of its cubes.

    Parameters
    ----------
    source : path
        What is copied; one that is compressed as a whole is unpacked, tile-compressed extensions stay so.
    path : path
        The copy.
    wcs : mapping of str to WCS
        By `Cube.source`: what its extensions shall have (data, noise and quality). Reference pixel, reference
        position, scale and rotation are written, in the form in which the header has them; the projection stays.
    step : Step
        Added to the primary header.
    overwrite : bool
        Replace an existing copy.
    progress : Progress
        Told how many MiB are written; it may raise `Cancelled`, and then nothing is left.

    Returns
    -------
    Path
        The copy.

    Raises
    ------
    NotKmosError
        If the file cannot be read.
    WriteError
        If the copy exists and may not be replaced, or cannot be written.

    Notes
    -----
    Every header gets CHECKSUM and DATASUM.
    """
    origin = Path(source)
    groups, _ = find_groups(open_product(origin).extensions)
    corrected = {
        part.index: wcs[group.data.where]
        for group in groups
        if group.data.where in wcs
        for part in group.parts
        if part is not group.correlation
    }
    plain = FitsFile.at(origin).plain_path()
    with (
        open_fits(plain, named=origin, as_stored=True) as hdus,
        plain.open("rb") as stored,
        atomic_path(path, overwrite) as temporary,
        temporary.open("w+b") as stream,
    ):
        for index, hdu in enumerate(hdus):
            header = hdu.header.copy()
            if index in corrected:
                _put_wcs(header, corrected[index], f"{origin.name}[{index}]")
            if index == 0:
                add_step(header, step)
            _copy(stored, stream, header, hdu.fileinfo(), _told(progress, plain, Path(path).name))
    return Path(path)


def _told(progress: Progress, plain: Path, name: str) -> Progress:
    """Return what is told the byte that is reached."""
    size = plain.stat().st_size

    def tell(done: int, _total: int, _text: str) -> None:
        progress(done // 2**20, size // 2**20, f"writing {name}")

    return tell


def _copy(stored: BinaryIO, stream: BinaryIO, header: fits.Header, place: Mapping[str, Any], tell: Progress) -> None:
    """Copy the data of an extension behind its header, which is written again when their checksum is known."""
    start = stream.tell()
    stream.write(with_checksum(header, 0))
    stored.seek(place["datLoc"])
    left, total = place["datSpan"], 0
    while left:
        piece = stored.read(min(left, _PIECE_BYTES))
        if not piece:
            msg = f"{stored.name}: ends too early"
            raise OSError(msg)
        total = ones_complement_sum(piece, total)
        stream.write(piece)
        left -= len(piece)
        tell(stored.tell(), 0, "")
    end = stream.tell()
    stream.seek(start)
    stream.write(with_checksum(header, total))
    stream.seek(end)


def _put_wcs(header: fits.Header, wcs: WCS, where: str) -> None:
    """Write reference pixel and position, scale and rotation into a header, in its own units and form."""
    n_axes = int(header.get("ZNAXIS", header["NAXIS"]))
    axes = _axes.celestial_axes(header, n_axes, where)
    degrees = np.array([_axes.read_degrees(header, axis, where) for axis in axes])
    for number, axis in enumerate(axes):
        header[f"CRPIX{axis}"] = float(wcs.wcs.crpix[number])
        header[f"CRVAL{axis}"] = float(wcs.wcs.crval[number] / degrees[number])
    matrix = wcs.pixel_scale_matrix / degrees[:, None]
    pairs = [(row, column) for row in range(2) for column in range(2)]
    if any(f"CD{axes[row]}_{axes[column]}" in header for row, column in pairs):
        for row, column in pairs:
            header[f"CD{axes[row]}_{axes[column]}"] = float(matrix[row, column])
        for number, axis in enumerate(axes):  # beside CD they say how large a pixel is, as the pipeline has it
            if f"CDELT{axis}" in header:
                header[f"CDELT{axis}"] = math.copysign(math.hypot(*matrix[:, number]), header[f"CDELT{axis}"])
        return
    for row, column in pairs:
        header[f"PC{axes[row]}_{axes[column]}"] = float(matrix[row, column] / header[f"CDELT{axes[row]}"])
    for axis in axes:
        header.remove(f"CROTA{axis}", ignore_missing=True)
