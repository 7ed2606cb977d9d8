"""What is taken of a cube that is combined: its own spaxels, without its error of wavelength."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.spatial.wcs import window_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.spatial.fields import Field
    from napari_kmos.spatial.resample import Resampler

    Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Part:
    """What is taken of a cube.

    Parameters
    ----------
    own : ndarray of bool, shape (n_y, n_x), optional
        Spaxels that are taken, as if the others had no data. All if not given.
    zero_pix : float
        Planes by which its lines lie towards longer wavelengths than they should. The resampling takes that out.
    """

    own: Bools | None = None
    zero_pix: float = 0.0


def own_field(wcs: WCS, shape: tuple[int, int], part: Part) -> Field:
    """Return the smallest field that holds the own spaxels of a cube."""
    if part.own is None or part.own.all():
        return wcs, shape
    rows, columns = np.flatnonzero(part.own.any(axis=1)), np.flatnonzero(part.own.any(axis=0))
    side = (int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)
    return window_wcs(wcs, int(rows[0]), int(columns[0])), side


def take_part(resampler: Resampler, part: Part, *, n_planes: int) -> Resampler | None:
    """Return a resampler from a cube to a grid that takes a part only: own spaxels, with their wavelengths put right.

    None if no own spaxel lies on the grid.
    """
    moved = resampler.shifted(part.zero_pix, n_planes)
    if part.own is None or part.own.all():
        return moved
    inside = resampler.inside & (resampler.area(part.own[None].astype(np.float32))[0] > resampler.min_coverage)
    return dataclasses.replace(moved, inside=inside) if inside.any() else None
