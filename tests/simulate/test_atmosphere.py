"""The simulated atmosphere: what it absorbs where, and that the instrument keeps the light."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.simulate.atmosphere import depths, over_planes, seen_through, transmission

FINE = np.arange(1.90, 2.525, 1e-5)


def test_molecules_absorb_in_their_bands():
    found = depths(FINE)
    bands = {"H2O": (1.93, 1.98), "CO2": (2.00, 2.02), "CH4": (2.29, 2.34)}
    for name, (start, end) in bands.items():
        inside = (start < FINE) & (end > FINE)
        strongest = max(found, key=lambda one: found[one][inside].mean())
        assert strongest == name


def test_water_and_airmass_deepen_it_and_lines_saturate():
    how = {"fwhm_um": 5e-4}
    light = np.ones(FINE.size)
    once, twice = (seen_through(light, FINE, airmass=x, water_mm=2.0, **how) for x in (1.0, 2.0))
    assert np.all(twice <= once + 1e-12)
    deep = once < 0.8
    assert np.all(twice[deep] > once[deep] ** 2 - 1e-9)  # a power law is too strong for blurred lines
    wet = seen_through(light, FINE, airmass=1.0, water_mm=4.0, **how)
    assert np.mean(wet[FINE < 1.98]) < np.mean(once[FINE < 1.98]) - 0.05


def test_planes_hold_all_the_light():
    light = 1 + 0.3 * np.sin(400 * FINE)
    planes = np.linspace(1.95, 2.45, 640)
    step = planes[1] - planes[0]
    inside = (planes[0] - step / 2 < FINE) & (planes[-1] + step / 2 > FINE)
    total = np.sum(over_planes(light, FINE, planes)) * step
    assert total == pytest.approx(np.sum(light[inside]) * 1e-5, rel=1e-4)


def test_planes_see_the_bands_of_the_air_and_what_is_between_them():
    wave = np.arange(0.8, 2.5, 2e-4)
    through = transmission(wave)
    assert np.all((through > 0) & (through <= 1))
    for start, end in ((0.93, 0.96), (1.12, 1.15), (1.26, 1.28), (1.36, 1.40), (1.80, 1.88), (2.0, 2.02), (2.45, 2.5)):
        assert np.mean(through[(wave > start) & (wave < end)]) < 0.93
    for start, end in ((1.00, 1.10), (1.17, 1.25), (1.50, 1.56), (2.09, 2.14)):
        assert np.mean(through[(wave > start) & (wave < end)]) > 0.97
    np.testing.assert_array_equal(through, transmission(wave))
    assert np.all(transmission(wave, water_mm=5.0) <= through + 1e-9)
