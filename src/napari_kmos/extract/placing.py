"""Which apertures lie in a cube, and the piece of the cube each one needs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from dask.base import compute

from napari_kmos.errors import ExtractionError
from napari_kmos.spatial.apertures import annulus_mask, aperture_weights, bounding_box
from napari_kmos.spatial.wcs import pixel_scale_arcsec, sky_to_pixel
from napari_kmos.spectral.noise import ensure_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube

#: A cube up to this size is read whole, once; of a larger one only the surroundings of each aperture.
_WHOLE_BYTES = 64 * 2**20
#: Of a larger cube, the most that is read for one aperture: flux and noise.
_MOST_BYTES = 2**31
#: Surroundings from which the noise of a large cube is estimated, in spaxels: an IFU's field or more.
_NOISE_REACH_PIX = 14


@dataclass(frozen=True, slots=True)
class Placed:
    """An aperture on the pixels of a cube: 0-based centre and radius."""

    aperture: Aperture
    y: float
    x: float
    radius_pix: float

    @property
    def area_pix(self) -> float:
        """Area in spaxels."""
        return math.pi * self.radius_pix**2


@dataclass(frozen=True, slots=True)
class Spaxels:
    """Spectra of some spaxels as the cube has them, shape (n_wavelength, n_spaxels), and the weight of each."""

    flux: NDArray[Any]
    noise: NDArray[Any]
    weights: NDArray[np.float64]


def place_apertures(cube: Cube, apertures: Iterable[Aperture]) -> tuple[tuple[Placed, ...], tuple[Aperture, ...]]:
    """Return the apertures whose centre lies on a spaxel of the cube, on its pixels, and those that lie outside.

    Raises
    ------
    ExtractionError
        If an aperture inside is larger than the cube.
    """
    inside, outside = [], []
    scale = pixel_scale_arcsec(cube.wcs)
    for aperture in apertures:
        y, x = sky_to_pixel(cube.wcs, aperture.ra, aperture.dec)
        if -0.5 <= y < cube.shape[1] - 0.5 and -0.5 <= x < cube.shape[2] - 0.5:
            if aperture.radius_arcsec > scale * max(cube.shape[1:]):
                _refuse_size(aperture, cube, scale)
            inside.append(Placed(aperture, y, x, aperture.radius_arcsec / scale))
        else:
            outside.append(aperture)
    return tuple(inside), tuple(outside)


def _refuse_size(aperture: Aperture, cube: Cube, scale: float) -> NoReturn:
    """Tell that an aperture is larger than the field: most likely its radius is in another unit."""
    msg = (
        f"aperture {aperture.id!r}: radius {aperture.radius_arcsec:g} arcsec is larger than {cube.label} "
        f'({scale * max(cube.shape[1:]):.1f} arcsec); give arcsec, in a region file with its sign, as in 0.5"'
    )
    raise ExtractionError(msg)


def apertures_inside(cube: Cube, apertures: Iterable[Aperture]) -> tuple[Aperture, ...]:
    """Return the apertures that belong to a cube: those whose centre lies on one of its spaxels."""
    return tuple(placed.aperture for placed in place_apertures(cube, apertures)[0])


class CubeReader:
    """Reads the surroundings of apertures, with noise; a large lazy cube is never held whole.

    The last piece read is kept, so that after the ring of an aperture its circle costs nothing.

    Parameters
    ----------
    cube : Cube
        In memory or lazy. Where it has no noise, it is estimated: from the whole of a small cube, from the
        surroundings of the aperture in a large one.
    """

    def __init__(self, cube: Cube) -> None:
        self.cube = cube
        self.noise_estimated = cube.noise_estimated or cube.noise is None
        self._whole: Cube | None = None
        self._last: tuple[slice, slice, Cube] | None = None
        if not cube.is_lazy or int(np.prod(cube.shape)) * 4 <= _WHOLE_BYTES:
            self._whole = _loaded(ensure_noise(cube), slice(None), slice(None))

    def circle(self, placed: Placed) -> Spaxels:
        """Return the spaxels that an aperture touches, with exact weights."""
        rows, columns = bounding_box(self.cube.shape[1:], placed.y, placed.x, placed.radius_pix)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        weights = aperture_weights(shape, placed.y - rows.start, placed.x - columns.start, placed.radius_pix)
        return self._spaxels(rows, columns, weights)

    def ring(self, placed: Placed, inner: float, outer: float) -> Spaxels:
        """Return the spaxels of a ring around an aperture, radii in units of its own; weights are one."""
        reach = outer * placed.radius_pix
        rows, columns = bounding_box(self.cube.shape[1:], placed.y, placed.x, reach)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        centre = placed.y - rows.start, placed.x - columns.start
        return self._spaxels(rows, columns, annulus_mask(shape, *centre, inner * placed.radius_pix, reach))

    def _spaxels(self, rows: slice, columns: slice, weights: NDArray[np.float64] | NDArray[np.bool_]) -> Spaxels:
        y, x = np.nonzero(weights)
        if y.size == 0:
            nothing = np.empty((self.cube.shape[0], 0))
            return Spaxels(nothing, nothing, np.empty(0))
        piece = self._piece(rows, columns)
        flux, noise = np.asarray(piece.flux), np.asarray(piece.noise)
        return Spaxels(flux[:, y, x], noise[:, y, x], weights[y, x].astype(float))

    def _piece(self, rows: slice, columns: slice) -> Cube:
        """Rows and columns of the cube in memory, with noise."""
        if self._whole is not None:
            return _cut(self._whole, rows, columns)
        if self._last is None or not (_holds(self._last[0], rows) and _holds(self._last[1], columns)):
            self._last = self._read(rows, columns)
        y0, x0 = self._last[0].start, self._last[1].start
        inside = slice(rows.start - y0, rows.stop - y0), slice(columns.start - x0, columns.stop - x0)
        return _cut(self._last[2], *inside)

    def _read(self, rows: slice, columns: slice) -> tuple[slice, slice, Cube]:
        """Read rows and columns, and more around them where the noise has to be estimated."""
        if self.cube.noise is None:
            rows, columns = (
                slice(max(part.start - _NOISE_REACH_PIX, 0), min(part.stop + _NOISE_REACH_PIX, length))
                for part, length in ((rows, self.cube.shape[1]), (columns, self.cube.shape[2]))
            )
        n_bytes = 8 * self.cube.shape[0] * (rows.stop - rows.start) * (columns.stop - columns.start)
        if n_bytes > _MOST_BYTES:
            msg = (
                f"{self.cube.label}: an aperture with its sky ring takes {n_bytes / 2**30:.1f} GiB of memory; "
                "choose a smaller radius, or a smaller outer radius of the ring"
            )
            raise ExtractionError(msg)
        return rows, columns, ensure_noise(_loaded(self.cube, rows, columns))


def _holds(outer: slice, inner: slice) -> bool:
    """Whether one slice lies in another."""
    return bool(outer.start <= inner.start and inner.stop <= outer.stop)


def _loaded(cube: Cube, rows: slice, columns: slice) -> Cube:
    """Rows and columns of a cube, computed: flux and noise together, so that shared work is done once."""
    cut = _cut(cube, rows, columns)
    flux, noise = compute(cut.flux, cut.noise)
    return dataclasses.replace(cut, flux=flux, noise=noise)


def _cut(cube: Cube, rows: slice, columns: slice) -> Cube:
    """Rows and columns of a cube; the WCS, which nothing here needs, stays that of the whole."""
    noise = None if cube.noise is None else cube.noise[:, rows, columns]
    return dataclasses.replace(cube, flux=cube.flux[:, rows, columns], noise=noise)
