"""From extensions that belong together to a cube: its arrays, axes, unit, target and arm."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from napari_kmos import instrument
from napari_kmos.cube import Cube, is_correlation, pixel_scale_arcsec
from napari_kmos.errors import NotKmosError
from napari_kmos.io import _arms, _axes
from napari_kmos.io._array import FLUX, IMAGE
from napari_kmos.io._geometry import read_geometry
from napari_kmos.io._layouts import Group, Unused
from napari_kmos.io._pixels import FLAT
from napari_kmos.io._quality import Quality

if TYPE_CHECKING:
    from astropy.io import fits

    from napari_kmos.io._extensions import Product
    from napari_kmos.io._pixels import View

#: A field this much wider than an IFU's was put together from several IFUs.
_MOSAIC_ARCSEC = 3 * instrument.FIELD_ARCSEC


def read_cubes(file: Product, groups: list[Group]) -> tuple[dict[int, Cube], list[Unused]]:
    """Return the cubes that can be used, by index of their extension, and what cannot be used, with the reasons."""
    cubes: dict[int, Cube] = {}
    refused: list[Unused] = []
    for group in groups:
        data = group.data
        if data.pixels is None:
            continue
        if len(data.shape) < 3:
            refused.append(Unused(data, "an image"))
            continue
        usable, partners = _usable(group)
        try:
            cubes[data.index] = _cube(file, usable)
        except NotKmosError as err:
            refused.append(Unused(data, str(err).removeprefix(f"{data.where}: "), is_cube=True))
        refused += partners
    return cubes, refused


def _usable(group: Group) -> tuple[Group, list[Unused]]:
    """Return a group without the partners that do not fit it, and these."""
    noise, quality, correlation = group.noise, group.quality, group.correlation
    refused = [
        Unused(part, f"has shape {part.shape}, the flux {group.data.shape}", is_cube=True)
        for part in (noise, quality)
        if part is not None and part.shape != group.data.shape
    ]
    if correlation is not None and not is_correlation(correlation.shape):
        refused.append(Unused(correlation, f"has shape {correlation.shape}; expected a square of odd size"))
    if quality is not None and quality.pixels is not None and quality.pixels.stored.kind == "f":
        refused.append(Unused(quality, "quality in real numbers; expected integers", is_cube=True))
    left = {one.extension.index for one in refused}
    kept = [None if part is None or part.index in left else part for part in (noise, quality, correlation)]
    return dataclasses.replace(group, noise=kept[0], quality=kept[1], correlation=kept[2]), refused


def _cube(file: Product, group: Group) -> Cube:
    """Return the lazy cube of a group."""
    data = group.data
    geometry = read_geometry(data.header, file.primary, data.shape, data.where)
    quality = _quality(group, geometry.view)
    noise = None if group.noise is None else group.noise.array(geometry.view, group.holds, quality).as_dask()
    exptime = data.header.get(instrument.KEY_EXPTIME, file.primary.get(instrument.KEY_EXPTIME))
    cube = Cube(
        flux=data.array(geometry.view, FLUX, quality).as_dask(),
        noise=noise,
        wavelength=geometry.wavelength,
        wcs=geometry.wcs,
        unit=_axes.read_unit(data.header, file.primary, data.where),
        name=target_of(group, file.primary),
        ifu=ifu_of(group),
        exptime=float(exptime) if isinstance(exptime, (int, float)) else None,
        medium=geometry.medium,
        noise_estimated=bool(data.header.get(instrument.KEY_NOISE_ESTIMATED, False)),
        correlation=None if group.correlation is None else group.correlation.array(FLAT, IMAGE)[:].astype(float),
        header=data.header,
        source=data.where,
    )
    if group.ifu is None and is_wide(cube):
        cut = file.primary.get(instrument.KEY_CUT_IFU)
        ifu = cut if cut == cube.ifu else None  # a mosaic's header speaks of its first IFU too
        cube = dataclasses.replace(cube, ifu=ifu, name=group.name or cube.name)
    return cube


def _quality(group: Group, view: View) -> Quality | None:
    extension = group.quality
    if extension is None or extension.pixels is None:
        return None
    zero = _axes.read_number(extension.header, "BZERO", extension.where, 0)
    if abs(zero) > 2**32:
        msg = f"{extension.where}: BZERO is {zero:g}; expected 0, or half the range of the stored integers"
        raise NotKmosError(msg)
    return Quality(extension.pixels, view, int(zero), group.flags)


def ifu_of(group: Group) -> int | None:
    """Return the arm of a cube: of its extension's name, else IFUNR, else the one arm its header speaks of."""
    if group.ifu is not None:
        return group.ifu
    header = group.data.header
    number = header.get(instrument.KEY_IFU)
    if isinstance(number, int) and number in instrument.ARMS:
        return number
    named = [n for n in instrument.ARMS if instrument.key_arm(n, "NAME") in header]
    return named[0] if len(named) == 1 else None


def target_of(group: Group, primary: fits.Header) -> str:
    """Return the target of a cube: the arm's, else (not in exposures) what EXTNAME has before the dot, else OBJECT."""
    if group.ifu is not None:
        return _arms.read_arm(primary, group.ifu).name
    ifu = ifu_of(group)
    for header in (group.data.header, primary):
        name = str(header.get(instrument.key_arm(ifu, "NAME"), "")).strip() if ifu else ""
        if name:
            return name
    return group.name or str(primary.get(instrument.KEY_OBJECT, "")).strip()


def is_mosaic(cube: Cube) -> bool:
    """Tell whether a cube was put together from several IFUs, and is not what was cut out for one of them."""
    return cube.ifu is None and is_wide(cube)


def is_wide(cube: Cube) -> bool:
    """Tell whether the field is wider than any dithered IFU's."""
    return max(cube.shape[1:]) * pixel_scale_arcsec(cube.wcs) > _MOSAIC_ARCSEC
