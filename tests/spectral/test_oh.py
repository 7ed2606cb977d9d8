from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.errors import SkyError
from napari_kmos.instrument import BANDS
from napari_kmos.spectral.oh import level_population, sky_lines

# Davies (2007): wavelengths of P1(2.5) and Q1(1.5), given to 1e-5 micron, an independent list.
P1 = {
    "4-1": 1.03757, "5-2": 1.09264, "6-3": 1.15388, "7-4": 1.22293, "8-5": 1.30216, "2-0": 1.45190, "3-1": 1.52410,
    "4-2": 1.60308, "5-3": 1.69037, "6-4": 1.78803, "8-6": 2.02758, "9-7": 2.18023,
}  # fmt: skip
Q1 = {
    "4-1": 1.02895, "5-2": 1.08343, "6-3": 1.14399, "7-4": 1.21226, "8-5": 1.29057, "2-0": 1.43444, "3-1": 1.50555,
    "4-2": 1.58333, "5-3": 1.66924, "6-4": 1.76532, "8-6": 2.00082, "9-7": 2.15073,
}  # fmt: skip


def test_wavelengths_agree_with_an_independent_list():
    lines = sky_lines((1.0, 2.3))
    ours = dict(zip(lines.label.tolist(), lines.wavelength_um.tolist(), strict=True))
    for listed, branch in ((P1, "P1(2.5)"), (Q1, "Q1(1.5)")):
        for band, wave in listed.items():
            assert ours[f"{band} {branch}"] == pytest.approx(wave, abs=1e-5)  # the list is rounded to 1e-5


@pytest.mark.parametrize("band", BANDS)
def test_every_band_has_strong_lines_in_order(band):
    lines = sky_lines(band)
    limits = BANDS[band]
    inside = (lines.wavelength_um > limits.start_um) & (lines.wavelength_um < limits.end_um)
    assert np.all(np.diff(lines.wavelength_um) >= 0)
    assert np.sum(lines.strength[inside] > 0.1 * lines.strength[inside].max()) >= 30
    assert np.all(lines.strength > 0)


def test_lines_of_one_level_keep_their_ratio_when_the_temperature_changes():
    cold, warm = sky_lines("H", t_rot=185.0, faintest=0.0), sky_lines("H", t_rot=210.0, faintest=0.0)
    assert cold.label.tolist() == warm.label.tolist()
    ratio = warm.strength / cold.strength
    levels = np.stack([cold.v_upper, cold.n_upper, cold.f_upper], axis=1)
    for level in np.unique(levels, axis=0):
        of_level = np.all(levels == level, axis=1)
        np.testing.assert_allclose(ratio[of_level], ratio[of_level][0], rtol=1e-12)
    assert np.ptp(ratio) > 0.1


def test_rotational_temperature_can_be_read_off_the_lines():
    # Q1 lines of one band up to N' = 4 on a Boltzmann plot with Hoenl-London factors of pure Hund's case b
    # would be 10 % off; the population alone must give back the temperature.
    energy = np.array([0.0, 100.0, 250.0])
    slope = np.polyfit(energy, np.log(level_population(energy, t_rot=195.0, hot_fraction=0.0)), 1)[0]
    assert -1.438777 / slope == pytest.approx(195.0, rel=1e-6)
    assert level_population(3000.0) > 100 * level_population(3000.0, hot_fraction=0.0)


def test_spin_component_one_is_the_brighter():
    lines = sky_lines("K", faintest=0.0)
    strength = dict(zip(lines.label.tolist(), lines.strength.tolist(), strict=True))
    # F2 lies 126 cm-1 above F1 (spin-orbit splitting): about 0.4 at 195 K, with a weight of 1/2 at the lowest J.
    assert 0.1 < strength["9-7 Q2(0.5)"] / strength["9-7 Q1(1.5)"] < 0.4


def test_oxygen_lies_at_1_27_micron():
    lines = sky_lines("YJ", faintest=0.0)
    oxygen = lines.f_upper == 0
    mean = np.average(lines.wavelength_um[oxygen], weights=lines.strength[oxygen])
    assert mean == pytest.approx(1.2690, abs=0.002)
    assert all(label.startswith("O2 ") for label in lines.label[oxygen])
    assert not np.any(sky_lines("K").f_upper == 0)


def test_faint_lines_can_be_left_out():
    assert len(sky_lines("K", faintest=0.1).strength) < len(sky_lines("K").strength)


@pytest.mark.parametrize("band", ["L", (2.4, 2.0)])
def test_bad_band_is_refused(band):
    with pytest.raises(SkyError, match=r"no band|is empty"):
        sky_lines(band)


@pytest.mark.realdata
def test_wavelengths_agree_with_measured_lines(real_data):
    path = real_data / "oh_oliva2013.dat"
    if not path.exists():
        pytest.skip("no line list of Oliva et al. (2013) beside the real files")
    rows = [line.split() for line in path.read_text().splitlines()]
    pairs = [(float(row[0]), float(row[1])) for row in rows if len(row) == 3 and row[0][0].isdigit()]
    measured = np.mean(pairs, axis=1) / 1e4
    ours = sky_lines((0.9, 2.35), faintest=1e-9).wavelength_um
    off = np.array([np.abs(ours - wave).min() for wave in measured]) * 1e4
    assert len(measured) > 300
    assert np.median(off) < 0.01  # angstrom
    assert off.max() < 0.2
