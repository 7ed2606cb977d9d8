"""The image of a catalogue agrees with the sky it describes."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from factories import DEC, RA

from napari_kmos.align import white_light
from napari_kmos.align.catalogue_image import catalogue_image
from napari_kmos.align.score import PairScore
from napari_kmos.catalogue import Catalogue
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import sky_to_pixel

ERROR = (0.31, -0.22)


def catalogue_of(field, *, ra=RA):
    """Catalogue of the stars of a field, one of them without a magnitude."""
    magnitude = -2.5 * np.log10(field.flux)
    magnitude[np.argsort(magnitude)[len(magnitude) // 2]] = np.nan
    return Catalogue(
        name="stars",
        table=Table({"K": magnitude}),
        ra=ra + field.east / 3600 / np.cos(np.deg2rad(DEC)),
        dec=DEC + field.north / 3600,
        ra_name="ra",
        dec_name="dec",
        magnitude_name="K",
    )


def test_an_image_is_scored_best_where_it_fits_its_catalogue(make_field):
    field = make_field(3, 60)
    moving = white_light(field.expose(error=ERROR, rotation=20.0, noise=0.1))
    reference = catalogue_image(catalogue_of(field), moving, reach_arcsec=2.0)
    curve = PairScore(reference, moving).curve(*ERROR, reach_arcsec=0.4, n=9)
    assert np.argmin(curve.east) == np.argmin(curve.north) == 4


def test_stars_lie_where_the_catalogue_says_and_the_light_around_the_image_is_there(make_field):
    field = make_field(4, 1)
    moving = white_light(field.expose())
    catalogue = catalogue_of(field)
    image = catalogue_image(catalogue, moving, reach_arcsec=2.9)
    assert image.data.shape == tuple(size + 30 for size in moving.data.shape)
    y, x = sky_to_pixel(image.wcs, catalogue.ra[0], catalogue.dec[0])
    brightest = np.unravel_index(np.argmax(image.data), image.data.shape)
    np.testing.assert_allclose(brightest, (y, x), atol=0.51)
    assert image.data.sum() == pytest.approx(1.0, abs=0.15)  # the wings of the profile go far


def test_a_catalogue_of_another_sky_is_refused(make_field):
    field = make_field(4, 5)
    with pytest.raises(AlignmentError, match="none of its 5 sources lies within 5 arcsec"):
        catalogue_image(catalogue_of(field, ra=RA + 0.1), white_light(field.expose()), reach_arcsec=5.0)
