"""Continua of known shape are found, and spectra divided by them."""

from __future__ import annotations

import numpy as np
import pytest
from measure_stars import K, star_of
from numpy.testing import assert_allclose

from napari_kmos.errors import KmosError
from napari_kmos.measure import ContinuumParameters, fit_continuum, normalise

CURVED = 50 * (1 + 0.8 * (K - 2.2) - 3 * (K - 2.2) ** 2)
LINES = ((2.2935, 2.31), (2.164, 2.168))


def lined(rng: np.random.Generator) -> np.ndarray:
    flux = CURVED * (1 + rng.normal(0, 0.01, K.size))
    flux[(K > 2.2935) & (K < 2.31)] *= 0.7
    flux[np.abs(K - 2.16612) < 0.002] *= 1.5
    flux[:30] = np.nan
    return flux


def test_polynomial_follows_the_star_and_not_its_lines():
    continuum, used = fit_continuum(K, lined(np.random.default_rng(6)))

    # Noise of 1 % over 2000 points; what the clipped edges of the lines leave is below 1 %.
    assert_allclose(continuum, CURVED, rtol=0.01)
    assert not used[:30].any()
    nothing, used = fit_continuum(K, np.full(K.size, np.nan))
    assert np.isnan(nothing).all()
    assert not used.any()


@pytest.mark.parametrize("method", ["polynomial", "spline", "percentile"])
def test_lines_that_are_named_have_no_part_in_it(method: str):
    flux = lined(np.random.default_rng(6))

    continuum, used = fit_continuum(
        K, flux, noise=0.01 * CURVED, exclude=LINES, parameters=ContinuumParameters(method=method)
    )

    # The running median of 70 points is known to 0.15 %, and at the ends it lags by half its length.
    assert_allclose(continuum[100:-100], CURVED[100:-100], rtol=0.01)
    assert not used[(K > 2.2935) & (K < 2.31)].any()


def test_continuum_rests_on_its_windows():
    flux = CURVED.copy()
    flux[(K > 2.1) & (K < 2.2)] = 1e4

    continuum, used = fit_continuum(K, flux, windows=((2.0, 2.08), (2.25, 2.4)))

    assert_allclose(continuum, CURVED, rtol=1e-6)
    assert used.sum() == np.count_nonzero(((K >= 2.0) & (K <= 2.08)) | ((K >= 2.25) & (K <= 2.4)))


def test_noisy_planes_count_less():
    rng = np.random.default_rng(9)
    noise = np.where(K > 2.3, 30.0, 0.3)
    flux = CURVED + noise * rng.standard_normal(K.size)

    continuum, _ = fit_continuum(K, flux, noise=noise)

    # Below 2.3 um 1300 points of noise 0.3: 0.02; four terms.
    assert_allclose(continuum[K < 2.28], CURVED[K < 2.28], atol=0.1)


def test_normalised_spectrum_keeps_its_signal_to_noise():
    rng = np.random.default_rng(4)
    flux = CURVED * (1 + rng.normal(0, 0.02, K.size))
    flux[700] = np.nan

    result = normalise(star_of(flux, 0.02 * CURVED))

    assert np.nanmedian(result.flux) == pytest.approx(1, abs=0.003)
    assert_allclose(result.noise, 0.02, rtol=0.01)
    assert np.isnan(result.flux[700])
    assert_allclose(result.continuum, CURVED, rtol=0.01)


def test_what_has_no_continuum():
    with pytest.raises(KmosError, match="no continuum; fewer than 4 wavelengths"):
        normalise(star_of(np.full(K.size, np.nan)))
    with pytest.raises(KmosError, match="no continuum"):
        normalise(star_of(CURVED), windows=((3.0, 3.1),))
    below = normalise(star_of(np.full(K.size, -1.0)))
    assert np.isnan(below.flux).all()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"method": "median"}, "'median' is unknown; expected polynomial"), ({"width_um": 0}, "width_um 0: expected pos")],
)
def test_parameters_that_make_no_sense(wrong: dict, message: str):
    with pytest.raises(KmosError, match=message):
        ContinuumParameters(**wrong)
