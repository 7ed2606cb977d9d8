"""Where exposures lie on the sky: their header WCS, corrected as the placing method says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.correction import corrected_wcs
from napari_kmos.spatial.fields import field_of
from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky, shift_wcs
from napari_kmos.spectral import collapse_median

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from napari_kmos.cube import Cube
    from napari_kmos.offset import Offset

    Placing = Callable[[Sequence[Cube], Sequence[Offset] | None], list[WCS]]


def place(method: str, cubes: Sequence[Cube], offsets: Sequence[Offset] | None) -> list[WCS]:
    """Return the corrected WCS of each cube.

    Parameters
    ----------
    method : str
        A key of `PLACING_METHODS`.
    cubes : sequence of Cube
        Exposures of one target, or fields of a mosaic.
    offsets : sequence of Offset, optional
        One for each cube; needed by ``user``, refused by the others.

    Raises
    ------
    AlignmentError
        If offsets are missing, superfluous or of another number, or ``center`` finds no star.
    """
    if method == "user":
        if offsets is None or len(offsets) != len(cubes):
            found = "none" if offsets is None else str(len(offsets))
            msg = f"method user needs one offset for each of the {len(cubes)} exposures, found {found}; give --offsets"
            raise AlignmentError(msg)
    elif offsets is not None:
        msg = f"offsets were given but method {method} does not use them: take --method user, or leave them out"
        raise AlignmentError(msg)
    return PLACING_METHODS[method](cubes, offsets)


def _as_they_are(cubes: Sequence[Cube], offsets: Sequence[Offset] | None) -> list[WCS]:
    """Spaxel on spaxel: every exposure is taken to have the WCS of the first."""
    return [cubes[0].wcs for _ in cubes]


def _by_header(cubes: Sequence[Cube], offsets: Sequence[Offset] | None) -> list[WCS]:
    """As the headers say."""
    return [cube.wcs for cube in cubes]


def _by_offsets(cubes: Sequence[Cube], offsets: Sequence[Offset] | None) -> list[WCS]:
    """Header plus correction, the first included."""
    return [corrected_wcs(field_of(cube), offset) for cube, offset in zip(cubes, offsets or (), strict=True)]


def _by_star(cubes: Sequence[Cube], offsets: Sequence[Offset] | None) -> list[WCS]:
    """Lay the brightest star of each white-light image where it lies in the first."""
    where = [_star(cube) for cube in cubes]
    corrections = [offset_arcsec(*star, *where[0]) for star in where]
    return [shift_wcs(cube.wcs, *correction) for cube, correction in zip(cubes, corrections, strict=True)]


def _star(cube: Cube) -> tuple[float, float]:
    """Sky position of the brightest star."""
    try:
        star = fit_centroid(collapse_median(cube).data)
    except AlignmentError as err:
        msg = f"{cube.source or cube.label}: {err}; take another --method than center"
        raise AlignmentError(msg) from err
    ra, dec = pixel_to_sky(cube.wcs, star.y, star.x)
    return float(ra), float(dec)


#: How exposures are placed, by the names of `kmos_combine`.
PLACING_METHODS: Mapping[str, Placing] = MappingProxyType(
    {"none": _as_they_are, "header": _by_header, "center": _by_star, "user": _by_offsets}
)
