"""The cube of one IFU or mosaic, and the image collapsed from it: facts only, no operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits

from napari_kmos.errors import GeometryError

if TYPE_CHECKING:
    import dask.array as da
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    Array = NDArray[Any] | da.Array


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cube:
    """Flux and noise of one IFU or mosaic on a wavelength axis and on the sky.

    Parameters
    ----------
    flux : numpy or dask array of float32, shape (n_wavelength, n_y, n_x)
        NaN is no data.
    noise : numpy or dask array of float32, same shape, optional
        1 sigma in the unit of the flux; NaN where unknown.
    wavelength : Quantity, shape (n_wavelength,)
        Plane centres in micron, ascending.
    wcs : WCS
        Celestial, two axes, (x, y) order and 0-based pixels through ``wcs.pixel_to_world_values``.
    unit : Unit, optional
        Unit of the flux per spaxel; None is unknown.
    name : str
        Target.
    ifu : int, optional
        1-24; None for a mosaic or where the file does not tell.
    exptime : float, optional
        Exposure time in seconds.
    medium : str
        ``"vacuum"`` or ``"air"``.
    noise_estimated : bool
        True if the noise was estimated from the flux instead of read.
    correlation : ndarray, shape (2k + 1, 2k + 1), optional
        Correlation of the noise of a spaxel with that of its neighbours, ``[k + dy, k + dx]``, on average over the
        field; 1 in the middle. Interpolation made it, and the noise of sums over spaxels needs it. None is unknown, or
        none.
    header : Header
        The extension's header as read; axes, unit and names above take precedence over it.
    source : str
        File name and extension the cube came from, for messages and records.

    Raises
    ------
    GeometryError
        If the shapes of flux, noise and wavelength do not agree, or the correlation is no square of odd size.
    """

    flux: Array
    noise: Array | None = None
    wavelength: u.Quantity
    wcs: WCS
    unit: u.UnitBase | None = None
    name: str = ""
    ifu: int | None = None
    exptime: float | None = None
    medium: str = "vacuum"
    noise_estimated: bool = False
    correlation: NDArray[np.float64] | None = None
    header: fits.Header = field(default_factory=fits.Header)
    source: str = ""

    def __post_init__(self) -> None:
        if self.flux.ndim != 3 or self.wavelength.shape != self.flux.shape[:1]:
            msg = (
                f"{self.label}: flux has shape {self.flux.shape} and the wavelength axis {self.wavelength.shape}; "
                "expected (wavelength, y, x) and (wavelength,)"
            )
            raise GeometryError(msg)
        if self.noise is not None and self.noise.shape != self.flux.shape:
            msg = f"{self.label}: noise has shape {self.noise.shape}, flux {self.flux.shape}; they must be equal"
            raise GeometryError(msg)
        if self.correlation is not None and not is_correlation(self.correlation.shape):
            shape = self.correlation.shape
            msg = f"{self.label}: correlation has shape {shape}; expected as many rows as columns, an odd number"
            raise GeometryError(msg)

    def __repr__(self) -> str:
        """Tell on one line what is here: fields whole are a page of arrays and headers."""
        n_wave, n_y, n_x = self.shape
        first, last = self.wavelength_um[[0, -1]]
        noise = "without noise" if self.noise is None else "with noise"
        unit = "unknown unit" if self.unit is None else str(self.unit)
        return f"<Cube {self.label}: {n_wave} x {n_y} x {n_x}, {first:.4f}-{last:.4f} um, {unit}, {noise}>"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of wavelengths, rows and columns."""
        n_wave, n_y, n_x = self.flux.shape
        return n_wave, n_y, n_x

    @property
    def wavelength_um(self) -> NDArray[np.float64]:
        """Plane centres in micron as a plain array."""
        return np.asarray(self.wavelength.to_value(u.um), dtype=float)

    @property
    def label(self) -> str:
        """What to call this cube in a message or a layer list."""
        ifu = "" if self.ifu is None else f"IFU {self.ifu}"
        return " ".join(part for part in (ifu, self.name) if part) or self.source or "cube"

    @property
    def is_lazy(self) -> bool:
        """True while the flux is a dask array."""
        return not isinstance(self.flux, np.ndarray)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Image:
    """An image on the sky: a collapsed cube or an exposure map.

    Parameters
    ----------
    data : ndarray, shape (n_y, n_x)
        NaN is no data.
    noise : ndarray, same shape, optional
        1 sigma in the unit of the data.
    wcs : WCS
        As in `Cube`.
    unit : Unit, optional
        None is unknown.
    name, ifu, header, source
        As in `Cube`.
    """

    data: NDArray[Any]
    noise: NDArray[Any] | None = None
    wcs: WCS
    unit: u.UnitBase | None = None
    name: str = ""
    ifu: int | None = None
    header: fits.Header = field(default_factory=fits.Header)
    source: str = ""

    def __repr__(self) -> str:
        """Tell on one line what is here."""
        n_y, n_x = self.data.shape
        unit = "unknown unit" if self.unit is None else str(self.unit)
        return f"<Image {self.name or self.source or 'image'}: {n_y} x {n_x}, {unit}>"


def pixel_scale_arcsec(wcs: WCS) -> float:
    """Return the side of a pixel: the square root of its area."""
    return float(np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600)


def is_correlation(shape: tuple[int, ...]) -> bool:
    """Tell whether the correlation of noise can have this shape: a square with one element in the middle."""
    return len(shape) == 2 and shape[0] == shape[1] and shape[0] % 2 == 1
