"""Which spaxels are taken as sky, and the mean over them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import SkyError
from napari_kmos.sky import SkyParameters
from napari_kmos.sky._spaxels import clipped_mode, mean_spectrum, sky_spaxels

SHAPE = (200, 12, 14)
DEFAULTS = SkyParameters()


def _field(seed=1):
    """Noise of sigma 1 about 10, and a star whose light reaches a third of the field."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE[1:])
    star = 200 * np.exp(-((y - 3) ** 2 + (x - 10) ** 2) / (2 * 2.5**2))
    return 10 + star + rng.standard_normal(SHAPE), star


def test_mode_is_that_of_the_sky_and_not_of_the_stars():
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(10, 1, 50_000), rng.uniform(10, 500, 5_000), [np.nan] * 100])
    mode, sigma = clipped_mode(values)
    assert mode == pytest.approx(10, abs=0.1)
    assert sigma == pytest.approx(1, abs=0.1)


def test_sky_spaxels_are_dark_and_inside():
    flux, star = _field()
    mask = sky_spaxels(flux, np.zeros(SHAPE), DEFAULTS)
    assert star[mask].max() < 2
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()
    assert mask.sum() == int(0.25 * 10 * 12)  # more are dark: the largest fraction allowed of the inner spaxels


@pytest.mark.parametrize(("least", "expected"), [(0.1, 12), (0.2, 24)])
def test_least_fraction_is_taken_where_too_few_are_dark(least, expected):
    flux, _ = _field()
    flux += np.linspace(0, 30, SHAPE[0])[:, None, None] ** 2  # a bright end: no spaxel is dark everywhere
    parameters = SkyParameters(min_frac=1.0, min_spaxels=least)
    assert sky_spaxels(flux, np.zeros(SHAPE), parameters).sum() == expected


def test_spaxels_with_data_in_both_only():
    flux, _ = _field()
    flux[: SHAPE[0] * 2 // 3, :, :7] = np.nan
    sky = np.zeros(SHAPE)
    sky[:, 8:] = np.nan
    mask = sky_spaxels(flux, sky, DEFAULTS)
    assert mask.any()
    assert not mask[:, :7].any()
    assert not mask[8:].any()


def test_planes_without_data_do_not_make_a_spaxel_bad():
    flux, _ = _field()
    flux[: SHAPE[0] * 2 // 3] = np.nan
    assert sky_spaxels(flux, np.zeros(SHAPE), DEFAULTS).sum() == int(0.25 * 10 * 12)


def test_a_strip_of_spaxels_is_used_though_all_are_edge():
    flux = np.random.default_rng(3).standard_normal((50, 2, 9))
    assert sky_spaxels(flux, flux, DEFAULTS).sum() == 4


def test_no_spaxel_in_common_is_an_error():
    flux = np.full(SHAPE, np.nan)
    with pytest.raises(SkyError, match="no spaxel has data in both the object and the sky"):
        sky_spaxels(flux, np.zeros(SHAPE), DEFAULTS)


def test_mean_spectrum_rejects_outliers_and_ignores_nan():
    flux = np.random.default_rng(4).normal(5, 0.1, (30, 6, 7))
    mask = np.ones((6, 7), dtype=bool)
    mask[0] = False
    flux[:, 0] = 1e6
    flux[4, 2, 3] = 1e4
    flux[5, 1:5] = np.nan
    flux[6] = np.nan
    spectrum = mean_spectrum(flux, mask, 3.0)
    assert np.isnan(spectrum[6])
    assert np.delete(spectrum, 6) == pytest.approx(5, abs=0.2)
