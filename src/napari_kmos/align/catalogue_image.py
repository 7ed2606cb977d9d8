"""The image that a catalogue foretells, so that it can be looked at and scored as any other reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.align.parameters import AlignParameters
from napari_kmos.align.star_lists import catalogue_rows, relative_flux
from napari_kmos.align.star_model import Profile, star_images
from napari_kmos.cube import Image, pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.fields import centre_of, field_of
from napari_kmos.spatial.wcs import sky_to_pixel, window_wcs

if TYPE_CHECKING:
    from napari_kmos.catalogue import Catalogue


def catalogue_image(
    catalogue: Catalogue, image: Image, *, reach_arcsec: float, parameters: AlignParameters | None = None
) -> Image:
    """Make the image of the stars of a catalogue, on the pixels of an image and as far around it as this may move.

    Parameters
    ----------
    catalogue : Catalogue
        With positions of the date of the image. Sources without magnitude are as bright as the median of the others.
    image : Image
        Shape (n_y, n_x).
    reach_arcsec : float
        How far around.
    parameters : AlignParameters, optional
        Width, profile and number of the stars; the defaults if not given.

    Returns
    -------
    Image
        Without noise. The star of median magnitude has flux 1 in all.

    Raises
    ------
    AlignmentError
        If no source lies there.
    """
    parameters = parameters or AlignParameters()
    rows = catalogue_rows(catalogue, image, reach_arcsec, parameters.star_most)
    if not len(rows):
        ra, dec = centre_of(field_of(image))
        msg = (
            f"{catalogue.label}: none of its {len(catalogue)} sources lies within {reach_arcsec:g} arcsec of "
            f"{image.name or 'the image'} (RA {ra:.4f}, Dec {dec:.4f}); choose another catalogue or other columns"
        )
        raise AlignmentError(msg)
    scale = pixel_scale_arcsec(image.wcs)
    reach = int(np.ceil(reach_arcsec / scale))
    wcs = window_wcs(image.wcs, -reach, -reach)
    n_y, n_x = (size + 2 * reach for size in image.data.shape)
    places = np.stack(sky_to_pixel(wcs, catalogue.ra[rows], catalogue.dec[rows]))
    profile = Profile(parameters.star_fwhm_arcsec / scale, parameters.star_power)
    stars, *_ = star_images(np.indices((n_y, n_x), dtype=float).reshape(2, -1), places, profile)
    return Image(
        data=(stars @ relative_flux(catalogue, rows)).reshape(n_y, n_x), wcs=wcs, name=catalogue.name, ifu=image.ifu
    )
