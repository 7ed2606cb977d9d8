"""Centroids: a star is found where it was put, and nothing where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import AlignmentError
from napari_kmos.spatial.centroid import fit_centroid


def star(y0=5.3, x0=8.8, *, sigma=(1.2, 1.7), angle=0.5, shape=(13, 15)):
    y, x = np.indices(shape)
    u, v = (y - y0) * np.cos(angle) + (x - x0) * np.sin(angle), (x - x0) * np.cos(angle) - (y - y0) * np.sin(angle)
    return 100 * np.exp(-0.5 * ((u / sigma[0]) ** 2 + (v / sigma[1]) ** 2)) + 20


def test_noiseless_ellipse_is_recovered():
    found = fit_centroid(star())
    assert (found.y, found.x) == (pytest.approx(5.3, abs=1e-6), pytest.approx(8.8, abs=1e-6))
    assert found.fwhm_pix == pytest.approx(2.3548 * np.sqrt(1.2 * 1.7), rel=1e-4)
    assert (found.peak, found.background) == (pytest.approx(100, rel=1e-4), pytest.approx(20, abs=1e-3))


def test_error_is_the_scatter():
    rng = np.random.default_rng(1)
    found = [fit_centroid(star(sigma=(1.5, 1.5)) + 5 * rng.normal(size=(13, 15))) for _ in range(60)]
    scatter = np.std([[one.y, one.x] for one in found], axis=0).mean()
    assert np.mean([one.err_pix for one in found]) == pytest.approx(scatter, rel=0.25)  # 120 values: 7 %


def test_star_at_an_edge_without_data():
    image = star(1.4, 7.0)
    image[0] = np.nan
    image[5, 7] = np.nan
    found = fit_centroid(image)
    assert (found.y, found.x) == (pytest.approx(1.4, abs=1e-4), pytest.approx(7.0, abs=1e-4))


def test_start_and_radius_choose_the_star():
    image = star(3.2, 3.1, sigma=(1, 1)) + 3 * star(9.4, 11.2, sigma=(1, 1))
    near = fit_centroid(image, start=(3, 3), radius_pix=4)
    assert (near.y, near.x) == (pytest.approx(3.2, abs=0.01), pytest.approx(3.1, abs=0.01))
    assert fit_centroid(image).y == pytest.approx(9.4, abs=0.05)


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (np.full((9, 8), np.nan), "0 spaxels with data"),
        (np.ones((9, 8)), "the image is flat"),
        (np.add.outer(np.arange(9.0), np.arange(8.0)), "does not fit"),
    ],
)
def test_no_star(image, what):
    with pytest.raises(AlignmentError, match=f"no star to centre on.*{what}"):
        fit_centroid(image)
