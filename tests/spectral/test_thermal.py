from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import SkyError
from napari_kmos.spectral.thermal import planck_shape, thermal_background


def test_planck_shape_is_that_of_a_black_body():
    from astropy import units as u
    from astropy.modeling.models import BlackBody

    wave = np.linspace(1.9, 2.5, 7)
    expected = BlackBody(280 * u.K, scale=1 * u.Unit("W m-2 um-1 sr-1"))(wave * u.um).value
    ours = planck_shape(wave, 280.0)
    np.testing.assert_allclose(
        ours / ours[0], expected / expected[0], rtol=1e-4
    )  # the constant has six digits, times 27 in the exponent


def test_amplitude_is_the_brightest_emission():
    wave = np.linspace(1.9, 2.5, 100)
    background = thermal_background(wave, offset=0.5, amplitude=-3.0, temperature_k=280.0)
    assert background.max() == pytest.approx(3.5)
    assert background[0] < 0.6


@pytest.mark.parametrize(("wave", "temperature"), [([2.0, -1.0], 280.0), ([2.0], 0.0)])
def test_impossible_values_are_refused(wave, temperature):
    with pytest.raises(SkyError, match="positive"):
        planck_shape(wave, temperature)
