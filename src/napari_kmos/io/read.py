"""Read KMOS products: exposures of 24 arms, combined cubes, mosaics, collapsed images, exposure masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos import instrument
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import NotKmosError
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.io import _arms, _axes
from napari_kmos.io._extensions import Extension, Product, check_pairs, open_product

if TYPE_CHECKING:
    import dask.array as da
    from astropy.io import fits

    from napari_kmos.io._array import FitsArray

#: A field this much wider than an IFU's was put together from several IFUs.
_MOSAIC_ARCSEC = 3 * instrument.FIELD_ARCSEC


def read_exposure(path: Path | str) -> Exposure:
    """Read what a file holds: an exposure of 24 arms, or a combined cube or mosaic as an exposure with one arm.

    Only headers are read; the cubes are dask arrays of shape (wavelength, y, x), native float32, whose pieces are read
    when computed. Planes without any signal, the zeros of spaxels with more than a quarter of zeros, and noise of zero
    are NaN: the pipeline fills what it has no data for with zeros. In files above 64 MiB the spaxels without data are
    found from 64 planes, and a plane is judged by the part of it that is read.

    Parameters
    ----------
    path : Path or str
        A FITS file, optionally compressed (then a cube is decompressed whole when first computed).

    Returns
    -------
    Exposure
        Extensions are found by EXTNAME; NOISE may be absent, inactive arms have no cube.

    Raises
    ------
    NotKmosError
        If the file is not FITS, is truncated, holds no cube, or a cube cannot be used.
    GeometryError
        If DATA and NOISE differ in shape.
    """
    file = open_product(Path(path))
    if not any(e.array is not None and e.array.ndim == 3 for e in file.of_kind("DATA")):
        held = ", ".join(name or "an extension without name" for name in file.names) or "no extensions"
        hint = "; the images in it are read by read_images" if any(e.array for e in file.extensions) else ""
        msg = f"{path}: no cube in it: {held}; expected extensions IFU.<n>.DATA or <name>.DATA with three axes{hint}"
        raise NotKmosError(msg)
    check_pairs(file)
    is_exposure = any(extension.ifu is not None for extension in file.extensions)
    arms = _exposure_arms(file) if is_exposure else _combined_arms(file)
    cubes = [arm.cube for arm in arms if arm.cube is not None]
    headers = [file.primary, *(cube.header for cube in cubes)]
    primary = file.primary
    return Exposure(
        arms=arms,
        kind="exposure" if is_exposure else "mosaic" if any(_is_mosaic(cube) for cube in cubes) else "combined",
        path=Path(path),
        band=_arms.read_band(headers),
        date=_arms.read_date(primary),
        object_name=str(primary.get(instrument.KEY_OBJECT, "")).strip(),
        ob_name=str(primary.get(instrument.KEY_OB_NAME, "")).strip(),
        template=str(primary.get(instrument.KEY_TEMPLATE, "")).strip(),
        category=str(primary.get(instrument.KEY_CATEGORY, "")).strip(),
        dither_arcsec=(
            _arms.read_float(primary, instrument.KEY_DITHER_RA),
            _arms.read_float(primary, instrument.KEY_DITHER_DEC),
        ),
        rotation_deg=_arms.read_float(primary, instrument.KEY_ROTATION),
        header=primary,
    )


def read_cube(path: Path | str, ifu: int | None = None) -> Cube:
    """Read the cube of one IFU, or the only cube of a file; lazy as in `read_exposure`.

    Parameters
    ----------
    path : Path or str
        FITS file.
    ifu : int, optional
        Needed where the file holds several cubes.

    Returns
    -------
    Cube
        Shape (wavelength, y, x).

    Raises
    ------
    NotKmosError
        As in `read_exposure`.
    KmosError
        If there is no such IFU, or several cubes and no ``ifu``.
    """
    return read_exposure(path).cube(ifu)


def read_images(path: Path | str) -> tuple[Image, ...]:
    """Read the images of a file: collapsed cubes or exposure masks, in memory.

    Zeros are kept: an exposure mask counts from zero.

    Returns
    -------
    tuple of Image
        Shape (y, x), one for each DATA extension with two axes; NaN is no data.

    Raises
    ------
    NotKmosError
        If the file is not FITS, is truncated, or holds no such image.
    """
    file = open_product(Path(path), zeros="keep")
    noises = {(e.name, e.ifu): e.array for e in file.of_kind("NOISE")}
    images = []
    for extension in file.of_kind("DATA"):
        if extension.array is None or extension.array.ndim != 2:
            continue
        noise = noises.get((extension.name, extension.ifu))
        images.append(
            Image(
                data=extension.array[:],
                noise=None if noise is None or noise.shape != extension.array.shape else noise[:],
                wcs=_axes.read_wcs(extension.header, extension.where),
                unit=_axes.read_unit(extension.header, file.primary, extension.where),
                name=_target(extension, file.primary),
                ifu=_ifu(extension),
                header=extension.header,
                source=extension.where,
            )
        )
    if not images:
        msg = f"{path}: no image in it: {', '.join(file.names) or 'no extensions'}; expected <name>.DATA with two axes"
        raise NotKmosError(msg)
    return tuple(images)


def _exposure_arms(file: Product) -> tuple[Arm, ...]:
    by_ifu = {e.ifu: e for e in file.of_kind("DATA")}
    unknown = [ifu for ifu in by_ifu if ifu not in instrument.ARMS]
    if unknown:
        msg = f"{file.path}: extension {by_ifu[unknown[0]].where} names no KMOS IFU; expected IFU.1 to IFU.24"
        raise NotKmosError(msg)
    _check_used_arms(file, set(by_ifu))
    noises = {e.ifu: e for e in file.of_kind("NOISE")}
    arms = []
    for number in instrument.ARMS:
        arm = _arms.read_arm(file.primary, number)
        extension = by_ifu.get(number)
        if extension is not None and extension.array is not None:
            arm = dataclasses.replace(arm, cube=_cube(file, extension, noises.get(number), name=arm.name, ifu=number))
        arms.append(arm)
    return tuple(arms)


def _check_used_arms(file: Product, found: set[int | None]) -> None:
    """Refuse an exposure without the extensions of arms that were used; a file of one IFU was cut out on purpose."""
    used = [n for n in instrument.ARMS if _arms.read_arm(file.primary, n).role != "off"]
    missing = ", ".join(str(n) for n in used if n not in found)
    if missing and len(found) > 1:
        msg = f"{file.path}: no extension for IFU {missing}, which the header says was used; copy the file again"
        raise NotKmosError(msg)


def _combined_arms(file: Product) -> tuple[Arm, ...]:
    noises = {e.name: e for e in file.of_kind("NOISE")}
    arms = []
    for extension in file.of_kind("DATA"):
        if extension.array is None or extension.array.ndim != 3:
            continue
        name, ifu = _target(extension, file.primary), _ifu(extension)
        cube = _cube(file, extension, noises.get(extension.name), name=name, ifu=ifu)
        if _is_mosaic(cube):
            cube = dataclasses.replace(cube, ifu=None, name=extension.name)
        arm = Arm(number=None) if cube.ifu is None else _arms.read_arm(file.primary, cube.ifu)
        arms.append(dataclasses.replace(arm, name=cube.name, role="object", not_used="", cube=cube))
    return tuple(arms)


def _cube(file: Product, data: Extension, noise: Extension | None, *, name: str, ifu: int | None) -> Cube:
    array = data.array
    if array is None or array.ndim != 3:
        msg = f"{data.where}: has {array.ndim if array else 0} axes; expected a cube with three"
        raise NotKmosError(msg)
    wavelength, medium = _axes.read_wavelength(data.header, array.shape[0], data.where)
    exptime = data.header.get(instrument.KEY_EXPTIME, file.primary.get(instrument.KEY_EXPTIME))
    return Cube(
        flux=_dask(array),
        noise=None if noise is None or noise.array is None else _dask(noise.array),
        wavelength=wavelength,
        wcs=_axes.read_wcs(data.header, data.where),
        unit=_axes.read_unit(data.header, file.primary, data.where),
        name=name,
        ifu=ifu,
        exptime=float(exptime) if isinstance(exptime, (int, float)) else None,
        medium=medium,
        noise_estimated=bool(data.header.get(instrument.KEY_NOISE_ESTIMATED, False)),
        header=data.header,
        source=data.where,
    )


def _dask(array: FitsArray) -> da.Array:
    """Name the lazy array by the file's identity, so that a changed file is another array."""
    stat = array.path.stat()
    return array.as_dask(name=f"{array.path.resolve()}-{array.hdu}-{stat.st_mtime_ns}-{stat.st_size}")


def _ifu(extension: Extension) -> int | None:
    """Return the arm of a combined cube: IFUNR, else the one arm its header speaks of."""
    if extension.ifu is not None:
        return extension.ifu
    number = extension.header.get(instrument.KEY_IFU)
    if isinstance(number, int) and number in instrument.ARMS:
        return number
    named = [n for n in instrument.ARMS if instrument.key_arm(n, "NAME") in extension.header]
    return named[0] if len(named) == 1 else None


def _target(extension: Extension, primary: fits.Header) -> str:
    """Return the target of a combined cube: the arm's, else the part of EXTNAME before the dot."""
    ifu = _ifu(extension)
    for header in (extension.header, primary):
        name = str(header.get(instrument.key_arm(ifu, "NAME"), "")).strip() if ifu else ""
        if name:
            return name
    return extension.name


def _is_mosaic(cube: Cube) -> bool:
    """Tell whether the field is wider than any dithered IFU's."""
    cd = np.asarray(cube.wcs.pixel_scale_matrix) * 3600
    scale = np.sqrt(abs(np.linalg.det(cd)))
    return bool(max(cube.shape[1:]) * scale > _MOSAIC_ARCSEC)
