"""How a cube lies in its stored array and what its axes say, in whatever order they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_kmos.errors import NotKmosError
from napari_kmos.io._axes import axis_type, celestial_axes, read_number, read_wcs
from napari_kmos.io._pixels import View
from napari_kmos.io._spectral_axis import is_spectral, read_wavelength

if TYPE_CHECKING:
    from astropy import units as u
    from astropy.io import fits
    from astropy.wcs import WCS

#: What is left of zero in a matrix that was rotated and rotated back.
_MIXED = 1e-15


@dataclass(frozen=True, slots=True)
class Geometry:
    """The axes of a cube: its view of the stored array, plane centres (micron, ascending), medium, and sky."""

    view: View
    wavelength: u.Quantity
    medium: str
    wcs: WCS


def read_geometry(header: fits.Header, primary: fits.Header, shape: tuple[int, ...], where: str) -> Geometry:
    """Read the axes of a cube.

    Parameters
    ----------
    header : Header
        Of the extension.
    primary : Header
        Of the file.
    shape : tuple of int
        Stored shape, slowest axis first: the last FITS axis.
    where : str
        Names the extension in messages.

    Raises
    ------
    NotKmosError
        If there is no sky or no wavelength in it, or a further axis of more than one element.
    """
    n_axes = len(shape)
    sky = celestial_axes(header, n_axes, where)
    spectral = _spectral_axis(header, shape, sky, where)
    wcs = read_wcs(header, primary, where, sky)
    wavelength, medium, is_reversed = read_wavelength(header, spectral, shape[n_axes - spectral], where)
    ra, dec = sky
    return Geometry(View((n_axes - spectral, n_axes - dec, n_axes - ra), is_reversed), wavelength, medium, wcs)


def _spectral_axis(header: fits.Header, shape: tuple[int, ...], sky: tuple[int, int], where: str) -> int:
    """Return the number, 1-based, of the axis that is neither on the sky nor of one element; by its name if all are."""
    others = [axis for axis in range(1, len(shape) + 1) if axis not in sky]
    long = [axis for axis in others if shape[-axis] > 1]
    named = [axis for axis in others if is_spectral(axis_type(header, axis))]
    chosen = ([axis for axis in long if axis in named] or long or named or others or [0])[0]
    if not chosen:
        msg = f"{where}: both axes are on the sky; expected a third one with wavelengths"
        raise NotKmosError(msg)
    for axis in long:
        if axis != chosen:
            msg = f"{where}: axis {axis} ({axis_type(header, axis) or 'no CTYPE'}) has {shape[-axis]} elements beside "
            msg += f"the spectral axis {chosen}; expected one, cut it first"
            raise NotKmosError(msg)
    for one, other in ((i, j) for axis in sky for i, j in ((axis, chosen), (chosen, axis))):
        for key in (f"CD{one}_{other}", f"PC{one}_{other}"):
            if abs(read_number(header, key, where, 0.0)) > _MIXED:
                msg = f"{where}: {key} is {header[key]}; expected 0: sky and wavelength on axes of their own"
                raise NotKmosError(msg)
    return chosen
