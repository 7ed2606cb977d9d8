"""Whether cubes fit together and can be combined: wavelengths, units, spaxels, data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import GeometryError, KmosWarning
from napari_kmos.lazy import plane_blocks, read_piece
from napari_kmos.spatial.wcs import pixel_to_pixel

if TYPE_CHECKING:
    from astropy import units as u

    from napari_kmos.cube import Array, Cube

#: Wavelength grids count as equal if no plane differs by more than this part of a step.
_SAME_STEP = 0.01
#: Spaxels count as the same if no corner of the field is off by more than this part of one.
_SAME_SPAXEL = 0.01


class NoDataError(GeometryError):
    """None of the cubes has data."""

    @classmethod
    def of(cls, cubes: Sequence[Cube]) -> NoDataError:
        """Return the error that names the cubes."""
        return cls(f"no data in {_names(cubes)}: all values are NaN or zero; nothing can be combined")


def check_data(cubes: Sequence[Cube]) -> None:
    """Refuse cubes of which none has data, and warn of one without.

    Of each cube as few planes are read as show data, beginning in the middle.

    Raises
    ------
    NoDataError
        If none has data.
    """
    empty = [cube for cube in cubes if not _has_data(cube.flux)]
    if len(empty) == len(cubes):
        raise NoDataError.of(cubes)
    if empty:
        text = f"no data in {_names(empty)}: it adds nothing to the combined cube"
        warnings.warn(text, KmosWarning, stacklevel=3)


def _has_data(flux: Array) -> bool:
    """Tell whether any value is finite."""
    middle = flux.shape[0] // 2
    planes = slice(middle, middle + 1), slice(0, middle), slice(middle + 1, None)
    blocks = (block for part in planes for block in plane_blocks(flux, part))
    return any(np.isfinite(read_piece(flux, (block,))).any() for block in blocks)


def _names(cubes: Sequence[Cube]) -> str:
    return ", ".join(cube.source or cube.label for cube in cubes)


def check_wavelengths(first: Cube, other: Cube) -> None:
    """Refuse a cube on another wavelength grid.

    Raises
    ------
    GeometryError
        If number, wavelength or medium of the planes differ.
    """
    here, there = first.wavelength_um, other.wavelength_um
    step = (here[-1] - here[0]) / max(len(here) - 1, 1)
    if (
        len(here) == len(there)
        and np.abs(here - there).max() <= _SAME_STEP * max(step, 1e-9)
        and first.medium == other.medium
    ):
        return
    axes = [
        f"{len(wave)} planes {wave[0]:.5f}-{wave[-1]:.5f} um {medium} in {cube.source or cube.label}"
        for wave, medium, cube in ((here, first.medium, first), (there, other.medium, other))
    ]
    msg = f"wavelength grids differ: {axes[0]}, but {axes[1]}; give cubes of one band and sampling"
    raise GeometryError(msg)


def common_unit(cubes: Sequence[Cube]) -> u.UnitBase | None:
    """Find the unit of all cubes; an unknown one is taken to be that of the others, with a warning.

    Raises
    ------
    GeometryError
        If two are known and differ.
    """
    known = [cube for cube in cubes if cube.unit is not None]
    for cube in known[1:]:
        if cube.unit != known[0].unit:
            labels = " and ".join(f"{one.unit} in {one.source or one.label}" for one in (known[0], cube))
            msg = f"units differ: {labels}; calibrate all cubes or none"
            raise GeometryError(msg)
    if not known:
        return None
    if len(known) < len(cubes):
        text = f"the unit of {len(cubes) - len(known)} of {len(cubes)} cubes is unknown: taken to be {known[0].unit}"
        warnings.warn(text, KmosWarning, stacklevel=3)
    return known[0].unit


def check_spaxels(first: Cube, other: Cube) -> None:
    """Refuse a cube whose spaxels are not those of the first.

    Raises
    ------
    GeometryError
        If number or places on the sky differ.
    """
    names = f"{first.source or first.label} and {other.source or other.label}"
    if first.shape[1:] != other.shape[1:]:
        sides = " and ".join(f"{cube.shape[2]} x {cube.shape[1]}" for cube in (first, other))
        msg = f"{names} have {sides} spaxels; expected the same field, cut it out of both with `napari-kmos crop`"
        raise GeometryError(msg)
    n_y, n_x = first.shape[1:]
    corners = np.array([[0, 0, n_y - 1, n_y - 1], [0, n_x - 1, 0, n_x - 1]], dtype=float)
    off = np.abs(np.array(pixel_to_pixel(other.wcs, first.wcs, *corners)) - corners).max()
    if not off <= _SAME_SPAXEL:  # NaN where a corner is on the other side of the sky
        msg = (
            f"the spaxels of {names} lie up to {off:.2f} spaxel apart on the sky; expected the same spaxels, since "
            "none is resampled: combine both onto one grid first"
        )
        raise GeometryError(msg)
