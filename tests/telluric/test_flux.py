"""From counts to flux, and back to a magnitude."""

from __future__ import annotations

import dataclasses

import numpy as np
import observed_stars as stars
import pytest
from astropy import units as u

from napari_kmos.curve import Curve
from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.instrument import MAGNITUDES
from napari_kmos.telluric import band_mean, check_counts, flux_factor, magnitude_of, measure_magnitude, zero_point_of

WAVE = np.linspace(1.925, 2.5, 700)
RESPONSE = Curve(name="RESPONSE", wavelength_um=WAVE, flux=7 * stars.instrument(WAVE))


def test_star_of_known_flux_comes_back():
    truth = 4e-15 * stars.smooth_star(WAVE)
    counts = truth * stars.instrument(WAVE) * 3e17
    band, magnitude = measure_magnitude(WAVE, truth)
    assert band == "K"
    zero = zero_point_of(band_mean(WAVE, 3e17 * stars.instrument(WAVE), magnitude_of(WAVE)), 0.0)
    zero += 2.5 * np.log10(MAGNITUDES["K"].flux)  # a star of one unit of flux gives that rate
    found = counts * flux_factor(WAVE, RESPONSE, zero_point=zero)
    np.testing.assert_allclose(found, truth, rtol=1e-6)
    assert measure_magnitude(WAVE, found)[1] == pytest.approx(magnitude, abs=1e-6)


def test_vega_has_magnitude_zero():
    for band, wave in (("YJ", (1.0, 1.359)), ("H", (1.425, 1.867)), ("K", (1.925, 2.5)), ("HK", (1.46, 2.41))):
        grid = np.linspace(*wave, 500)
        name, found = measure_magnitude(grid, np.full(500, MAGNITUDES[band].flux))
        assert name == MAGNITUDES[band].name
        assert found == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(GeometryError, match=r"a response of K .* for data of H"):
        flux_factor(np.linspace(1.43, 1.86, 300), RESPONSE, zero_point=20.0)
    with pytest.raises(KmosError, match="no zero point"):
        flux_factor(WAVE, RESPONSE, zero_point=RESPONSE.zero_point)
    with pytest.raises(KmosError, match="expected a response above zero"):
        flux_factor(WAVE, dataclasses.replace(RESPONSE, flux=np.full(700, np.nan)), zero_point=20.0)
    with pytest.raises(KmosError, match="no magnitude of 2MASS"):
        magnitude_of(np.linspace(0.78, 1.09, 300))
    with pytest.raises(KmosError, match="calibrated already"):
        check_counts(u.erg / u.s / u.cm**2 / u.AA, "cube")
    check_counts(None, "cube")
    check_counts(u.adu / u.s, "cube")
    with pytest.raises(KmosError, match="expected a positive number"):
        zero_point_of(-1.0, 8.0)


def test_planes_where_the_response_is_nothing_have_no_flux():
    weak = dataclasses.replace(RESPONSE, flux=np.where(WAVE < 1.95, 1e-3, RESPONSE.flux))
    factor = flux_factor(WAVE, weak, zero_point=20.0)
    assert np.isnan(factor[WAVE < 1.949]).all()
    assert np.isfinite(factor[WAVE > 1.951]).all()
