"""Offsets applied: the one place where the coordinates of a field are corrected, shift and rotation together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

from napari_kmos.cube import Cube, Image
from napari_kmos.spatial.fields import Field, field_of
from napari_kmos.spatial.wcs import shift_wcs, turn_wcs

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from napari_kmos.offset import Offset

Item = TypeVar("Item", Cube, Image)


def place_wcs(field: Field, dra_arcsec: float, ddec_arcsec: float, rotation_deg: float) -> WCS:
    """Return coordinates with a correction added to them.

    Parameters
    ----------
    field : (WCS, (n_y, n_x))
        As the header has it; it is not modified.
    dra_arcsec, ddec_arcsec, rotation_deg : float
        As in `napari_kmos.offset.Offset`.

    Notes
    -----
    The rotation changes the matrix, and CRPIX such that the centre of the pixels stays where it is on the sky; the
    shift changes CRVAL. Neither touches what the other changes, and so corrections add up in any order.
    """
    wcs, (n_y, n_x) = field
    if rotation_deg:
        wcs = turn_wcs(wcs, rotation_deg, about=((n_y - 1) / 2, (n_x - 1) / 2))
    return shift_wcs(wcs, dra_arcsec, ddec_arcsec)


def corrected_wcs(field: Field, offset: Offset) -> WCS:
    """Return the coordinates of a field with an offset added to them."""
    return place_wcs(field, offset.dra_arcsec, offset.ddec_arcsec, offset.rotation_deg)


def corrected(item: Item, offset: Offset) -> Item:
    """Return a cube or an image with an offset added to its coordinates."""
    return dataclasses.replace(item, wcs=corrected_wcs(field_of(item), offset))
