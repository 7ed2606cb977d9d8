"""The signal-to-noise ratio of a spectrum whose ratio is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.instrument import BANDS
from napari_kmos.io import read_line_list
from napari_kmos.spectral import default_windows, der_snr, measure_snr

K = 1.925 + 0.575 / 2048 * np.arange(2048)
CURVED = 50 * (1 + 0.8 * (K - 2.2) - 3 * (K - 2.2) ** 2)


def test_known_ratio_is_measured_on_a_curved_continuum():
    rng = np.random.default_rng(2)
    ratios = [measure_snr(K, CURVED * (1 + rng.normal(0, 1 / 40, K.size))).value for _ in range(60)]

    # 96 points, some clipped: one value scatters by 8 %, their mean by 1 %; clipping at 3 sigma adds 1 to 2 %.
    assert np.mean(ratios) == pytest.approx(40, rel=0.04)


def test_lines_and_bad_pixels_do_not_count_as_noise():
    rng = np.random.default_rng(3)
    flux = CURVED * (1 + rng.normal(0, 1 / 40, K.size))
    clean = measure_snr(K, flux).value
    flux[[1135, 1150, 1240]] += [40, -30, 500]
    flux[1145] = np.nan

    assert measure_snr(K, flux).value == pytest.approx(clean, rel=0.1)


def test_propagated_ratio_is_the_median_of_flux_over_noise():
    measured = measure_snr(K, CURVED, ((2.0, 2.05), (2.2, 2.3)), noise=CURVED / 25)

    assert measured.propagated == pytest.approx(25)
    assert measured.windows == ((2.0, 2.05), (2.2, 2.3))
    assert measured.n_points == np.count_nonzero(((K >= 2.0) & (K <= 2.05)) | ((K >= 2.2) & (K <= 2.3)))


def test_without_noise_or_data_the_ratios_are_unknown():
    assert np.isnan(measure_snr(K, CURVED).propagated)
    empty = measure_snr(K, np.full(K.size, np.nan), noise=np.ones(K.size))
    assert np.isnan(empty.value)
    assert np.isnan(empty.propagated)
    assert np.isnan(measure_snr(K, CURVED, ((3.0, 3.1),)).value)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0, 2.0])
def test_ratio_of_a_star_lost_in_the_noise_is_its_small_self(level: float):
    rng = np.random.default_rng(5)
    values = [measure_snr(K, level + rng.normal(0, 1, K.size)).value for _ in range(40)]

    # The median of 96 points has a scatter of 0.13, the mean of 40 of them 0.02; clipping adds a few per cent.
    assert np.mean(values) == pytest.approx(level, rel=0.05, abs=0.07)


@pytest.mark.parametrize("band", BANDS)
def test_default_windows_are_those_of_the_band_and_hold_no_marked_line(band: str):
    limits = BANDS[band]
    wave = np.linspace(limits.start_um, limits.end_um, 2048)

    windows = default_windows(wave)

    assert windows != ((wave[0], wave[-1]),)
    for start, end in windows:
        assert limits.start_um < start < end < limits.end_um
        assert [line.name for line in read_line_list() if line.marked and start < line.wavelength_um < end] == []


def test_a_piece_of_a_band_is_its_own_window():
    piece = K[200:300]
    assert default_windows(piece) == ((piece[0], piece[-1]),)


def test_der_snr_of_white_noise_is_the_ratio_and_needs_no_continuum():
    rng = np.random.default_rng(7)
    spectra = [CURVED + rng.normal(0, 0.8, K.size) for _ in range(20)]

    # 2000 differences: one value scatters by 3 %.
    assert np.mean([der_snr(flux) for flux in spectra]) == pytest.approx(np.median(CURVED) / 0.8, rel=0.02)
    # 96 points in the windows: one value scatters by 14 %. The star is at 52 to 53 there.
    assert np.median([measure_snr(K, flux).der for flux in spectra]) == pytest.approx(52.6 / 0.8, rel=0.1)


def test_der_snr_without_data_or_noise():
    assert np.isnan(der_snr([]))
    assert np.isnan(der_snr(np.full(50, np.nan)))
    assert der_snr(np.ones(50)) == np.inf


def test_correlated_noise_is_told():
    rng = np.random.default_rng(8)
    white = rng.normal(0, 1, (60, K.size + 1))
    pairs = (white[:, 1:] + white[:, :-1]) / np.sqrt(2)

    factors = [np.mean([measure_snr(K, 50 + one).correlation for one in noise]) for noise in (white[:, 1:], pairs)]

    # One value scatters by 0.15. Neighbours correlated by 0.5: sqrt(1 + 2 x 0.5), of which the continuum takes some.
    assert factors == pytest.approx([1.0, np.sqrt(2)], abs=0.12)
    assert np.isnan(measure_snr(K, np.full(K.size, np.nan)).correlation)
