"""Stars that are pointed at give the offset, with its error."""

from __future__ import annotations

import numpy as np
import pytest
from factories import make_wcs, star_image

from napari_kmos.align.clicks import locate_star, measure_star_shift
from napari_kmos.cube import Image
from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.wcs import pixel_to_pixel, shift_wcs

ERROR = (0.35, -0.28)
PLACES = ((4.3, 8.7), (9.2, 3.6), (3.8, 3.2))
FLUX = (500.0, 300.0, 400.0)


def exposed(rng, wcs, truth, *, noise=0.3):
    """Image whose header says ``wcs`` while the sky is where ``truth`` says."""
    y, x = pixel_to_pixel(make_wcs(), truth, *np.array(PLACES).T)
    image = star_image((13, 15), list(zip(y, x, FLUX, strict=True)))
    return Image(data=image + noise * rng.standard_normal(image.shape), wcs=wcs), np.stack([y, x], axis=1)


def measured(seed, *, n=3, rotation=0.0):
    """Shift from the first n stars, pointed at by a hand that is off by up to a spaxel."""
    rng = np.random.default_rng(seed)
    truth = shift_wcs(make_wcs(rotation_deg=rotation), 0.1, 0.05)
    reference, here = exposed(rng, make_wcs(), make_wcs())
    moving, there = exposed(rng, shift_wcs(truth, -ERROR[0], -ERROR[1]), truth)
    found = [
        [locate_star(image, *(place + rng.uniform(-1, 1, 2))) for place in places[:n]]
        for image, places in ((moving, there), (reference, here))
    ]
    return measure_star_shift(*found)


@pytest.mark.parametrize(("n", "rotation"), [(1, 0.0), (3, 0.0), (3, 25.0)])
def test_the_shift_is_found_to_its_error(n, rotation):
    shifts = [measured(seed, n=n, rotation=rotation) for seed in range(6)]
    misses = np.array([(one.dra_arcsec - ERROR[0], one.ddec_arcsec - ERROR[1]) for one in shifts])
    errors = np.array([one.err_arcsec for one in shifts])
    assert np.abs(misses).max() < 0.03  # 0.15 spaxel
    assert np.sqrt(np.mean((misses / errors[:, None]) ** 2)) < 1.6
    assert all(one.n_pairs == n for one in shifts)
    assert np.isnan([one.rms_arcsec for one in shifts]).all() == (n == 1)


def test_a_wrong_counterpart_shows_in_rms_and_error():
    rng = np.random.default_rng(3)
    image, _ = exposed(rng, make_wcs(), make_wcs())
    stars = [locate_star(image, *place) for place in PLACES]
    right = measure_star_shift(stars, stars)
    wrong = measure_star_shift(stars, [stars[0], stars[2], stars[1]])
    assert right.rms_arcsec == pytest.approx(0.0, abs=1e-9)
    assert wrong.rms_arcsec > 0.5
    assert wrong.err_arcsec > 10 * right.err_arcsec


def test_nothing_is_located_where_nothing_is():
    rng = np.random.default_rng(4)
    image, _ = exposed(rng, make_wcs(), make_wcs())
    with pytest.raises(AlignmentError, match="no data there"):
        locate_star(image, 40.0, 3.0)
    image.data[:] = 1.0
    with pytest.raises(AlignmentError, match="no star"):
        locate_star(image, 4.0, 3.0)
    with pytest.raises(AlignmentError, match="0 stars and 0 counterparts"):
        measure_star_shift([], [])
