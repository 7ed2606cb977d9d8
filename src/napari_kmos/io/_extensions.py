"""The DATA and NOISE extensions of a product: found by name, checked, not yet understood."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from napari_kmos.errors import GeometryError, KmosError, NotKmosError
from napari_kmos.io._array import FitsArray

_IFU_NAME = re.compile(r"^IFU\.(\d+)\.(DATA|NOISE)$")
_NAME = re.compile(r"^(?:(?P<name>.+)\.)?(?P<kind>DATA|NOISE)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Extension:
    """One DATA or NOISE extension: where it is and what its header says."""

    name: str
    kind: str
    ifu: int | None
    header: fits.Header
    array: FitsArray | None
    where: str


@dataclass(frozen=True, slots=True)
class Product:
    """A file: its primary header, and the extensions that may be cubes or images."""

    path: Path
    primary: fits.Header
    extensions: tuple[Extension, ...]
    names: tuple[str, ...]

    def of_kind(self, kind: str) -> list[Extension]:
        """Return the extensions of one kind: DATA or NOISE."""
        return [extension for extension in self.extensions if extension.kind == kind]


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading; what astropy finds wrong becomes a `NotKmosError`, its warnings are ours to judge.

    Raises
    ------
    NotKmosError
        If the file is missing, a folder, unreadable, not FITS, or damaged.
    """
    if path.is_dir():
        msg = f"{path}: is a folder; expected a FITS file"
        raise NotKmosError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(path, memmap=False, do_not_scale_image_data=True, ignore_blank=True) as hdus:
                yield hdus
    except KmosError:
        raise
    except FileNotFoundError as err:
        msg = f"{path}: no such file"
        raise NotKmosError(msg) from err
    except (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, fits.VerifyError, AttributeError) as err:
        reason = str(err).splitlines()[0] if str(err) else type(err).__name__
        msg = f"{path}: not a FITS file that can be read ({reason})"
        raise NotKmosError(msg) from err


def open_product(path: Path, zeros: str = "mask") -> Product:
    """Read the headers of a file and find its DATA and NOISE extensions; ``zeros`` as in `FitsArray`."""
    with open_fits(path) as hdus:
        size = path.stat().st_size
        compressed = hdus.fileinfo(0)["file"].compression is not None
        extensions = []
        names = [str(hdu.header.get("EXTNAME", hdu.name)).strip() for hdu in hdus]
        for index, hdu in enumerate(hdus):
            match = _NAME.match(names[index]) if index else None
            if match and hdu.is_image:
                extensions.append(_extension(path, index, hdu, match, (size, compressed, zeros)))
        return Product(path, hdus[0].header.copy(), tuple(extensions), tuple(names[1:]))


def _extension(path: Path, index: int, hdu: Any, match: re.Match[str], how: tuple[int, bool, str]) -> Extension:
    size, compressed, zeros = how
    ifu = _IFU_NAME.match(match[0])
    where = f"{path.name}[{match[0]}]"
    kind = match["kind"]
    decoded = compressed or isinstance(hdu, fits.CompImageHDU)
    array = None
    if hdu.shape and 0 not in hdu.shape:
        stored = np.dtype(fits.BITPIX2DTYPE[hdu.header["BITPIX"]]).newbyteorder(">")
        array = FitsArray(
            path=path.absolute(),  # the working folder may change, and that of a cluster is another
            hdu=index,
            offset=None if decoded else int(hdu.fileinfo()["datLoc"]),
            shape=tuple(hdu.shape),
            stored=stored,
            scale=(float(hdu.header.get("BSCALE", 1)), float(hdu.header.get("BZERO", 0))),
            blank=hdu.header.get("BLANK") if stored.kind == "i" else None,
            zeros="all" if kind == "NOISE" and zeros == "mask" else zeros,
        )
        needed = 0 if array.offset is None else array.offset + int(np.prod(array.shape)) * stored.itemsize
        if needed > size:
            msg = f"{where}: file is truncated: {size} bytes, the data end at {needed}; copy it again"
            raise NotKmosError(msg)
    number = int(ifu[1]) if ifu else None
    return Extension(match["name"] or "", kind, number, hdu.header.copy(), array, where)


def check_pairs(file: Product) -> None:
    """Refuse files in which one extension of a pair is missing or of another shape."""
    noises = {(e.name, e.ifu): e for e in file.of_kind("NOISE")}
    data = {(e.name, e.ifu): e for e in file.of_kind("DATA")}
    for key, noise in noises.items():
        if key not in data:
            msg = f"{noise.where}: has no DATA extension beside it; one extension is missing, copy the file again"
            raise NotKmosError(msg)
    for key, extension in data.items():
        if extension.array is None or not noises:
            continue
        noise_array = noises[key].array if key in noises else None
        if noise_array is None:
            msg = f"{extension.where}: its NOISE extension is missing while others have theirs; copy the file again"
            raise NotKmosError(msg)
        if noise_array.shape != extension.array.shape:
            shapes = f"{extension.array.shape}, NOISE {noise_array.shape}"
            msg = f"{extension.where}: DATA has shape {shapes}; they must be equal"
            raise GeometryError(msg)
