"""Air and vacuum."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from numpy.testing import assert_allclose

from napari_kmos.spectral import air_to_vacuum, lines_between, rydberg_wavelength, vacuum_to_air
from napari_kmos.spectrum import SpectralLine


def test_air_and_vacuum_are_inverse_and_keep_the_unit():
    wavelength = np.linspace(7800, 25000, 50) * u.AA
    there_and_back = vacuum_to_air(air_to_vacuum(wavelength))

    assert there_and_back.unit == u.AA
    assert_allclose(there_and_back.value, wavelength.value, rtol=1e-14)


def test_known_pairs():
    # Peck & Reeder (1972) as tabulated for neon by Sansonetti et al. (2004): 8495.3595 in air is 8497.6937 in vacuum.
    assert air_to_vacuum(8495.3595 * u.AA).value == pytest.approx(8497.6937, abs=3e-4)
    assert vacuum_to_air(2.16612 * u.um).value == pytest.approx(2.165529, abs=1e-6)


def test_rydberg_formula_of_hydrogen_and_helium():
    assert rydberg_wavelength(3, 2).to_value(u.AA) == pytest.approx(6564.7, abs=0.1)
    assert rydberg_wavelength(4, 3, charge=2).to_value(u.AA) == pytest.approx(4687.0, abs=0.2)


def test_lines_are_chosen_by_wavelength_and_mark():
    lines = [
        SpectralLine(name="c", wavelength_um=2.3),
        SpectralLine(name="a", wavelength_um=2.1),
        SpectralLine(name="b", wavelength_um=2.2, marked=False),
    ]

    assert [line.name for line in lines_between(lines, 2100 * u.nm, 2.3 * u.um)] == ["a", "b", "c"]
    assert [line.name for line in lines_between(lines, 2.05 * u.um, 2.25 * u.um, marked=True)] == ["a"]
