"""A click near a star ends on it; one where there is none stays."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.spatial.snapping import BRIGHTEST, CENTROID, OFF, snap

SHAPE, STAR, FWHM = (17, 14), (8.3, 5.8), 3.0


def image(*stars: tuple[float, float, float], sigma: float = 0.5) -> np.ndarray:
    y, x = np.indices(SHAPE)
    light = sum(peak * np.exp(-4 * np.log(2) * ((y - y0) ** 2 + (x - x0) ** 2) / FWHM**2) for y0, x0, peak in stars)
    return light + np.random.default_rng(5).normal(10, sigma, SHAPE)


def test_a_click_beside_a_star_ends_on_its_centroid_or_brightest_pixel():
    click = STAR[0] + 1.1, STAR[1] - 0.9
    found = snap(image((*STAR, 100)), click, reach_pix=2.0, how=CENTROID)
    assert found == pytest.approx(STAR, abs=0.05)  # SNR 200: a few thousandths of the width by noise
    assert snap(image((*STAR, 100)), click, reach_pix=2.0, how=BRIGHTEST) == (8, 6)
    assert snap(image((*STAR, 100)), click, reach_pix=2.0, how=OFF) == click


def test_a_faint_star_beside_a_bright_one_is_not_left_for_it():
    faint, bright = (8.0, 4.0), (8.2, 8.9)
    y, x = snap(image((*faint, 60), (*bright, 600)), (8.2, 3.8), reach_pix=1.5)
    assert np.hypot(y - faint[0], x - faint[1]) < 1.5


def test_without_a_star_the_brightest_pixel_within_reach_serves_and_without_data_the_place_itself():
    flat = np.full(SHAPE, 3.0)
    flat[4, 5] = 4.0
    assert snap(flat, (4.6, 5.4), reach_pix=1.0, how=BRIGHTEST) == (4, 5)
    assert snap(np.full(SHAPE, 3.0), (4.0, 5.0), reach_pix=0.2) == (4, 5)
    assert snap(np.full(SHAPE, np.nan), (4.2, 5.1), reach_pix=2.0) == (4.2, 5.1)
    hole = image((*STAR, 100))
    hole[8:10, 5:8] = np.nan
    y, x = snap(hole, STAR, reach_pix=2.0, how=BRIGHTEST)
    assert np.isfinite(hole[int(y), int(x)])
