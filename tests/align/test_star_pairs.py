"""Stars are found and paired one to one."""

from __future__ import annotations

import numpy as np
import pytest
from factories import DEC, RA, make_wcs, star_image

from napari_kmos.align.star_pairs import StarSearch, pair_stars, star_places
from napari_kmos.cube import Image
from napari_kmos.errors import KmosError
from napari_kmos.spatial.wcs import pixel_to_sky


def test_only_each_others_nearest_within_the_radius_are_pairs():
    first = np.array([(0.0, 0.0), (0.3, 0.0), (5.0, 5.0)])
    second = np.array([(5.0, 7.0), (0.2, 0.1)])
    assert pair_stars(first, second, radius=0.5).tolist() == [[1, 1]]
    assert pair_stars(first, second, radius=3.0).tolist() == [[1, 1], [2, 0]]
    assert pair_stars(first, second[:0], radius=1.0).shape == (0, 2)


def test_stars_lie_where_they_are_on_the_sky():
    wcs = make_wcs(rotation_deg=30.0)
    image = Image(data=star_image((13, 15), [(4.3, 8.7, 500.0)]), noise=np.full((13, 15), 0.5), wcs=wcs)
    (place,) = star_places(image, (RA, DEC), StarSearch())
    ra, dec = pixel_to_sky(wcs, 4.3, 8.7)
    truth = (ra - RA) * 3600 * np.cos(np.deg2rad(DEC)), (dec - DEC) * 3600
    np.testing.assert_allclose(place, truth, atol=0.02)  # a tenth of a spaxel


def test_a_search_without_a_width_is_refused():
    with pytest.raises(KmosError, match="fwhm_arcsec is 0"):
        StarSearch(fwhm_arcsec=0)
