"""Read KMOS products: exposures of 24 arms, combined cubes, mosaics, collapsed images, exposure masks."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

from napari_kmos import instrument
from napari_kmos.cube import Cube, Image
from napari_kmos.errors import KmosWarning, NotKmosError
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.io import _arms, _axes
from napari_kmos.io._array import IMAGE
from napari_kmos.io._cubes import ifu_of, is_mosaic, read_cubes, target_of
from napari_kmos.io._extensions import Product, open_product
from napari_kmos.io._layouts import Group, Unused, check_pairs, find_groups
from napari_kmos.io._pixels import FLAT


def read_exposure(path: Path | str) -> Exposure:
    """Read what a file holds: an exposure of 24 arms, or combined cubes or mosaics as an exposure with an arm for each.

    Only headers are read; the cubes are dask arrays of shape (wavelength, y, x), native float32, wavelengths ascending,
    whose pieces are read when computed. The file is opened for each reading; if it is no longer what it was, that is a
    `NotKmosError`.

    NaN is no data: NaN and BLANK of the file, noise of zero or less, pixels which a quality extension calls bad, and
    the zeros with which the pipeline fills. In a cube of up to 64 MiB these are planes without any signal and the zeros
    of spaxels with more than a quarter of zeros. In a larger one every exact zero is no data, so that a piece tells
    without the rest of the cube; integers keep their zeros there, since BLANK says what is no data.

    Parameters
    ----------
    path : Path or str
        A FITS file: of KMOS, or with cubes of another instrument in a layout that tells flux, noise and quality apart
        by name or by ESO's keywords, or a bare cube. If it is compressed as a whole (gzip, bzip2), it is unpacked into
        the cache folder first.

    Returns
    -------
    Exposure
        NOISE may be absent, inactive arms have no cube; ``unused`` names the extensions that are not read, and why.

    Raises
    ------
    NotKmosError
        If the file is not FITS, is truncated, or holds no cube that can be used.
    GeometryError
        If DATA and NOISE differ in shape.
    WriteError
        If there is no room to unpack a compressed file.

    Warns
    -----
    KmosWarning
        If a file is unpacked, or if an extension that could be a cube cannot be used while another can.
    """
    file = open_product(Path(path))
    groups, unused = find_groups(file.extensions)
    check_pairs(groups, unused)
    cubes, refused = read_cubes(file, groups)
    unused = [*unused, *refused]
    if not cubes:
        raise _no_cube(file, unused)
    doubtful = "; ".join(str(one) for one in unused if one.is_cube)
    if doubtful:
        warnings.warn(f"{path}: not used: {doubtful}", KmosWarning, stacklevel=2)
    is_exposure = any(group.ifu is not None for group in groups)
    arms = _exposure_arms(file, groups, cubes) if is_exposure else _combined_arms(file, cubes)
    return _exposure(file, arms, unused, is_exposure=is_exposure)


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
    file = open_product(Path(path))
    groups, _ = find_groups(file.extensions)
    images = [_image(file, group) for group in groups if len(group.data.shape) == 2]
    if not images:
        held = ", ".join(extension.label for extension in file.extensions[1:]) or "no extensions"
        msg = f"{path}: no image in it: {held}; expected <name>.DATA with two axes"
        raise NotKmosError(msg)
    return tuple(images)


def _image(file: Product, group: Group) -> Image:
    data, noise = group.data, group.noise
    array = data.array(FLAT, IMAGE)
    errors = None
    if noise is not None and noise.shape == data.shape:
        errors = noise.array(FLAT, IMAGE if group.holds == "sigma" else group.holds)
    return Image(
        data=array[:],
        noise=None if errors is None else errors[:],
        wcs=_axes.read_wcs(data.header, file.primary, data.where, _axes.celestial_axes(data.header, 2, data.where)),
        unit=_axes.read_unit(data.header, file.primary, data.where),
        name=target_of(group, file.primary),
        ifu=ifu_of(group),
        header=data.header,
        source=data.where,
    )


def _no_cube(file: Product, unused: list[Unused]) -> NotKmosError:
    """Return the error of a file without a cube that can be used: it names what is in it, and why it is no use."""
    refused = [one for one in unused if one.is_cube]
    if len(refused) == 1 and len(unused) == 1:
        return NotKmosError(f"{refused[0].extension.where}: {refused[0].reason}")
    held = ", ".join(str(one) for one in unused) or "no extensions with data"
    hint = "; the images in it are read by read_images" if any(len(one.extension.shape) == 2 for one in unused) else ""
    expected = "expected extensions IFU.<n>.DATA or <name>.DATA, or another cube with wavelengths and sky on its axes"
    return NotKmosError(f"{file.path}: no cube in it: {held}; {expected}{hint}")


def _exposure(file: Product, arms: tuple[Arm, ...], unused: list[Unused], *, is_exposure: bool) -> Exposure:
    primary = file.primary
    cubes = [arm.cube for arm in arms if arm.cube is not None]
    return Exposure(
        arms=arms,
        kind="exposure" if is_exposure else "mosaic" if any(is_mosaic(cube) for cube in cubes) else "combined",
        path=file.path,
        band=_arms.read_band([primary, *(cube.header for cube in cubes)]),
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
        unused=tuple((one.extension.label, one.reason) for one in unused),
    )


def _exposure_arms(file: Product, groups: list[Group], cubes: dict[int, Cube]) -> tuple[Arm, ...]:
    by_ifu = {group.ifu: group for group in groups}
    unknown = [group for ifu, group in by_ifu.items() if ifu not in instrument.ARMS]
    if unknown:
        msg = f"{file.path}: extension {unknown[0].data.where} names no KMOS IFU; expected IFU.1 to IFU.24"
        raise NotKmosError(msg)
    twice = [group for group in groups if by_ifu[group.ifu] is not group]
    if twice:
        msg = f"{file.path}: two cubes are called {twice[0].data.name}; expected one of each IFU, copy the file again"
        raise NotKmosError(msg)
    _check_used_arms(file, set(by_ifu))
    arms = []
    for number in instrument.ARMS:
        cube = cubes.get(by_ifu[number].data.index) if number in by_ifu else None
        arms.append(dataclasses.replace(_arms.read_arm(file.primary, number), cube=cube))
    return tuple(arms)


def _check_used_arms(file: Product, found: set[int | None]) -> None:
    """Refuse an exposure without the extensions of arms that were used; a file of one IFU was cut out on purpose."""
    used = [n for n in instrument.ARMS if _arms.read_arm(file.primary, n).role != "off"]
    missing = ", ".join(str(n) for n in used if n not in found)
    if missing and len(found) > 1:
        msg = f"{file.path}: no extension for IFU {missing}, which the header says was used; copy the file again"
        raise NotKmosError(msg)


def _combined_arms(file: Product, cubes: dict[int, Cube]) -> tuple[Arm, ...]:
    arms = []
    for cube in cubes.values():
        arm = Arm(number=None) if cube.ifu is None else _arms.read_arm(file.primary, cube.ifu)
        arms.append(dataclasses.replace(arm, name=cube.name, role="object", not_used="", cube=cube))
    return tuple(arms)
