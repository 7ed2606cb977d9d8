"""Sky masks: which spaxels of a sky exposure show sky, as images that other programs show and change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from napari_kmos.cube import Image
from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.io._array import IMAGE
from napari_kmos.io._cards import extension_header, primary_header
from napari_kmos.io._extensions import Extension, open_product
from napari_kmos.io._pixels import View
from napari_kmos.io.atomic import atomic_path

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.exposure import Exposure
    from napari_kmos.provenance import Step

    #: IFU (None for a cube that has no number) to its image, True = sky.
    SkyMasks = Mapping[int | None, NDArray[np.bool_]]

CATEGORY = "SKY_MASK"

_WORD = "MASK"
_NAME = re.compile(r"^IFU\.(\d+)$")
#: An image lies in its array as it is stored.
_FLAT = View((0, 1))
_EXPECTED = "expected 1 where a spaxel shows sky and 0 elsewhere"


def write_sky_mask(
    masks: SkyMasks, path: Path | str, *, exposure: Exposure, step: Step | None = None, overwrite: bool = False
) -> Path:
    """Write the sky masks of an exposure: an empty primary and ``IFU.<n>.MASK``, an image an IFU with its WCS.

    The images are 8 bit integers, 1 where a spaxel shows sky and 0 elsewhere. A cube without IFU number has
    ``<name>.MASK``.

    Parameters
    ----------
    masks : mapping
        IFU to image of bool, shape (n_y, n_x), True = sky. IFUs of the exposure that are not in it are left out.
    path : Path or str
        Output; written under a temporary name and renamed when complete.
    exposure : Exposure
        Whose masks they are; gives world coordinates and primary header.
    step : Step, optional
        What made them.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    GeometryError
        If a mask has not the shape of its cube.
    WriteError
        If the output exists or cannot be written.
    """
    hdus = [fits.PrimaryHDU(header=primary_header(exposure.header, step, category=CATEGORY))]
    for cube in exposure.cubes:
        if cube.ifu in masks:
            _check_shape(masks[cube.ifu], cube.shape[1:], f"{exposure.label}: sky mask of {cube.label}")
            image = masks[cube.ifu].astype(np.uint8)
            facts = {"wcs": cube.wcs, "name": cube.name, "ifu": cube.ifu, "header": cube.header}
            header = extension_header(Image(data=image, **facts), _extension_name(cube.ifu, cube.name))
            hdus.append(fits.ImageHDU(image, header=header))
    with atomic_path(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary, overwrite=True, checksum=True, output_verify="silentfix")
    return Path(path)


def read_sky_mask(path: Path | str, *, exposure: Exposure | None = None) -> dict[int | None, NDArray[np.bool_]]:
    """Read the sky masks of an exposure, as `write_sky_mask` or another program has written them.

    Parameters
    ----------
    path : Path or str
        FITS file with extensions ``IFU.<n>.MASK``, numbers of any kind that are 0 or 1.
    exposure : Exposure, optional
        What they are for: each of its cubes must have a mask of its shape.

    Returns
    -------
    dict
        IFU to image of bool, shape (n_y, n_x), True = sky.

    Raises
    ------
    NotKmosError
        If the file is not FITS.
    KmosError
        If it holds no mask, values other than 0 and 1, or not every IFU of the exposure.
    GeometryError
        If a mask has not the shape of its cube.
    """
    file = open_product(Path(path))
    masks = {}
    for extension in file.extensions:
        target, _, word = extension.name.rpartition(".")
        if word.upper() == _WORD and len(extension.shape) == 2:
            number = _NAME.match(target)
            masks[int(number[1]) if number else None] = _read_mask(extension)
    if not masks:
        held = ", ".join(extension.label for extension in file.extensions[1:]) or "no extensions"
        msg = f"{path}: no sky mask in it: {held}; expected images IFU.<n>.MASK, as sky-mask writes them"
        raise KmosError(msg)
    if exposure is not None:
        _check_masks(masks, exposure, Path(path))
    return masks


def _extension_name(ifu: int | None, name: str) -> str:
    return f"{name or 'cube'}.{_WORD}" if ifu is None else f"IFU.{ifu}.{_WORD}"


def _read_mask(extension: Extension) -> NDArray[np.bool_]:
    values = extension.array(_FLAT, IMAGE)[:]
    other = values[(values != 0) & (values != 1)]
    if other.size:
        shown = ", ".join(f"{value:g}" for value in np.unique(other)[:3])
        msg = f"{extension.where}: {other.size} spaxels are neither 0 nor 1 ({shown}); {_EXPECTED}"
        raise KmosError(msg)
    return np.asarray(values == 1)


def _check_masks(masks: SkyMasks, exposure: Exposure, path: Path) -> None:
    """Refuse masks that do not belong to an exposure."""
    missing = ", ".join(cube.label for cube in exposure.cubes if cube.ifu not in masks)
    if missing:
        have = ", ".join("no number" if ifu is None else str(ifu) for ifu in masks)
        msg = f"{path}: no mask for {missing} of {exposure.label}; IFUs there: {have}. Give a mask made for this sky."
        raise KmosError(msg)
    for cube in exposure.cubes:
        _check_shape(masks[cube.ifu], cube.shape[1:], f"{path}: mask of {cube.label}")


def _check_shape(mask: NDArray[np.bool_], shape: tuple[int, ...], what: str) -> None:
    if mask.shape != shape:
        msg = f"{what} has shape {mask.shape} (y, x), its cube {shape}; they must be equal"
        raise GeometryError(msg)
