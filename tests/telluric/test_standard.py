"""A standard star divided by its own model."""

from __future__ import annotations

import dataclasses

import numpy as np
import observed_stars as stars
import pytest

from napari_kmos.errors import KmosError
from napari_kmos.spectral.lines import rydberg_wavelength
from napari_kmos.spectrum import Template
from napari_kmos.telluric import StandardParameters, measure_throughput

PLAIN = StandardParameters()


def _measured(curve, *, airmass=stars.STANDARD_AIRMASS, template=None, **facts):
    return measure_throughput(curve, airmass=airmass, parameters=StandardParameters(**facts), template=template)


def test_hydrogen_is_removed_also_where_the_atmosphere_hides_it():
    through = _measured(stars.standard(np.random.default_rng(1)))
    places = [rydberg_wavelength(upper, 4).value for upper in (8, 7)]
    np.testing.assert_allclose(through.lines_um, places)
    near = np.abs(through.wavelength_um - places[1]) < 0.01
    truth = stars.see(stars.hot_star, airmass=1.15, water=2.2, snr=1e9, rng=np.random.default_rng(1)).transmission
    left = (through.transmission / truth)[near]
    assert np.ptp(left) < 0.04  # the line was 0.25 deep; noise 0.0025 and weak lines of the air are left
    kept = _measured(stars.standard(np.random.default_rng(1)), hydrogen=False)
    assert np.ptp((kept.transmission / truth)[near]) > 0.15


def test_response_is_that_of_the_instrument():
    through = _measured(stars.standard(np.random.default_rng(2)))
    expected = stars.instrument(through.wavelength_um)
    ratio = through.response / expected
    assert np.ptp(ratio / np.median(ratio)) < 0.1  # no clear plane at either end of K: the polynomial reaches out
    assert np.nanmax(np.abs(through.response * through.transmission)) > 0


def test_template_in_place_of_a_black_body():
    curve = stars.standard(np.random.default_rng(3))
    template = Template(name="A0", wavelength_um=stars.FINE, flux=stars.hot_star(stars.FINE))
    through = _measured(curve, template=template, hydrogen=False)
    truth = stars.see(stars.hot_star, airmass=1.15, water=2.2, snr=1e9, rng=np.random.default_rng(1)).transmission
    near = np.abs(through.wavelength_um - 2.166) < 0.01
    assert np.ptp((through.transmission / truth)[near]) < 0.04
    short = dataclasses.replace(template, wavelength_um=stars.FINE + 0.1)
    with pytest.raises(KmosError, match="expected a template that reaches over all of it"):
        _measured(curve, template=short)


def test_bad_standards_are_refused():
    curve = stars.standard(np.random.default_rng(4))
    rng = np.random.default_rng(4)
    for flux, text in (
        (rng.normal(0, 1, curve.flux.size), "signal over noise"),
        (np.minimum(curve.flux, np.median(curve.flux)), "saturated"),
        (np.where(np.arange(curve.flux.size) < 50, curve.flux, np.nan), "50 planes with data"),
    ):
        with pytest.raises(KmosError, match=text):
            _measured(dataclasses.replace(curve, flux=flux))
    with pytest.raises(KmosError, match="standard-airmass"):
        _measured(curve, airmass=0.0)


@pytest.mark.parametrize("values", [{"temperature_k": 10.0}, {"order": 20}, {"half_width_um": 0.0}, {"hidden": 3.0}])
def test_parameters_that_make_no_sense(values):
    with pytest.raises(KmosError, match=next(iter(values))):
        StandardParameters(**values)
