"""Images of the sky by others (HST, VVV, GNS, ...), of any size: only what is asked for is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.cube import Image
from napari_kmos.errors import NotKmosError
from napari_kmos.io import _axes
from napari_kmos.io._array import IMAGE
from napari_kmos.io._extensions import Extension, Product, open_product
from napari_kmos.io._pixels import TiledPixels, View
from napari_kmos.io.atomic import fits_stem

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.wcs import WCS


@dataclass(frozen=True, slots=True, eq=False)
class SkyImage:
    """An image of the sky in a file, of which parts can be read.

    Parameters
    ----------
    wcs : WCS
        Celestial, as of `Image`.
    shape : tuple of int
        (n_y, n_x).
    name : str
        Of the file.
    source : str
        File and extension, for messages.
    """

    wcs: WCS
    shape: tuple[int, int]
    name: str
    source: str
    _unit: u.UnitBase | None
    _view: View
    _extension: Extension

    def cut(self, rows: slice, columns: slice) -> Image:
        """Read a part.

        Parameters
        ----------
        rows, columns : slice
            With start and end, inside the image.

        Returns
        -------
        Image
            Without noise. NaN is no data, and so are the exact zeros of real numbers, with which images that were put
            together are filled.
        """
        array = self._extension.array(self._view, IMAGE)
        pixels = self._extension.pixels
        # The tiles of a compressed image are rows as a rule: to decode whole ones is to decode nothing in vain.
        data = array[rows][:, columns].copy() if isinstance(pixels, TiledPixels) else array[rows, columns]
        if pixels is not None and pixels.stored.kind == "f":
            data[data == 0] = np.nan
        return Image(
            data=data,
            wcs=self.wcs[rows, columns],
            unit=self._unit,
            name=self.name,
            header=self._extension.header,
            source=self.source,
        )


def open_sky_image(path: Path | str) -> SkyImage:
    """Open the first image with celestial coordinates of a file; its pixels are not read yet.

    Parameters
    ----------
    path : path
        FITS file of any origin, plain or compressed: the image is the primary one or that of an extension. Axes of
        one element beside the two of the sky are left out.

    Raises
    ------
    NotKmosError
        If the file is not FITS, is truncated, or holds no image with world coordinates.

    Warns
    -----
    KmosWarning
        If the image has a distortion that is not applied, or the file is unpacked.
    """
    file = open_product(Path(path))
    extension, axes = _first_image(file)
    n_axes = len(extension.shape)
    view = View((n_axes - axes[1], n_axes - axes[0]))
    n_y, n_x = view.shape_of(extension.shape)
    return SkyImage(
        wcs=_axes.read_wcs(extension.header, file.primary, extension.where, axes),
        shape=(n_y, n_x),
        name=fits_stem(Path(path)),
        source=extension.where,
        _unit=_axes.read_unit(extension.header, file.primary, extension.where),
        _view=view,
        _extension=extension,
    )


def axes_held(path: Path | str) -> tuple[int, ...]:
    """Return how many axes each image and cube of a file has; none if it holds tables only.

    Raises
    ------
    NotKmosError
        If the file is not FITS, or is truncated.
    """
    return tuple(len(one.shape) for one in open_product(Path(path)).extensions if one.pixels is not None)


def _first_image(file: Product) -> tuple[Extension, tuple[int, int]]:
    """Return the first image of the sky, and the numbers, 1-based, of its axes of right ascension and declination."""
    reasons = []
    for extension in file.extensions:
        if extension.pixels is None:
            continue
        shape = extension.shape
        try:
            axes = _axes.celestial_axes(extension.header, len(shape), extension.where)
        except NotKmosError as err:
            reasons.append(f"{extension.label}: {str(err).removeprefix(f'{extension.where}: ').partition(';')[0]}")
            continue
        if all(length == 1 for axis, length in enumerate(reversed(shape), start=1) if axis not in axes):
            return extension, axes
        reasons.append(f"{extension.label} has {len(shape)} axes")
    held = "; ".join(reasons) or "no pixels at all"
    msg = f"{file.path}: no image with world coordinates: {held}; expected two axes such as RA---TAN and DEC--TAN"
    raise NotKmosError(msg)
