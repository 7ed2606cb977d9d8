"""Absorption brought from a standard to a target at another airmass, on another night: the truth comes back."""

from __future__ import annotations

import dataclasses

import numpy as np
import observed_stars as stars
import pytest

from napari_kmos.errors import GeometryError, KmosError, KmosWarning
from napari_kmos.telluric import StandardParameters, TelluricParameters, measure_throughput, scale_throughput


@pytest.fixture(scope="module")
def throughput():
    curve = stars.standard(np.random.default_rng(5))
    return measure_throughput(curve, airmass=stars.STANDARD_AIRMASS, parameters=StandardParameters())


def _target(**facts):
    how = {"airmass": stars.TARGET_AIRMASS, "water": stars.TARGET_WATER, "snr": 150.0} | facts
    return stars.see(stars.smooth_star, rng=np.random.default_rng(6), **how)


def _scaled(throughput, seen, **facts):
    p = TelluricParameters(**facts)
    return scale_throughput(throughput, seen.wave, seen.flux, seen.noise, airmass=stars.TARGET_AIRMASS, parameters=p)


def _rms(correction, throughput, **facts):
    """Scatter about the truth where half of the light and more comes through; the target's own noise is left out."""
    clean = _target(snr=1e9, **facts)
    ratio = clean.flux / correction.transmission / throughput.response / stars.smooth_star(clean.wave)
    ratio = ratio[clean.absorbed] / np.nanmedian(ratio)
    return float(np.sqrt(np.nanmean((ratio - 1) ** 2)))


@pytest.mark.parametrize("water", [1.1, 3.2])
def test_continuum_comes_back_within_two_per_cent(throughput, water):
    facts = {"water": water, "shift_pix": (0.4, 0.2)}
    fitted = _scaled(throughput, _target(**facts))
    assert len(fitted.windows) == 3
    left = _rms(fitted, throughput, **facts)
    assert left < 0.02  # 0.01 of it: no power is right for blurred lines
    by_headers = _scaled(throughput, _target(**facts), fit=False)
    assert _rms(by_headers, throughput, **facts) > 1.5 * left
    assert by_headers.windows[0].airmass == pytest.approx(stars.TARGET_AIRMASS / stars.STANDARD_AIRMASS)
    assert all(fit.rms_after < fit.rms_before for fit in fitted.windows)
    (first, *_) = fitted.windows  # before is by the headers, not by what the whole band says, which is as good as after
    assert first.rms_before > 1.1 * first.rms_after


def test_shift_along_the_band_is_found_in_each_window(throughput):
    seen = _target(shift_pix=(0.6, 0.1))
    shifts = [fit.shift_pix for fit in _scaled(throughput, seen).windows]
    middles = [0.5 * (fit.start_um + fit.end_um) for fit in _scaled(throughput, seen).windows]
    expected = np.interp(middles, seen.wave[[0, -1]], [0.6, 0.1])
    np.testing.assert_allclose(shifts, expected, atol=0.08)  # a window has one shift, its lines are not in its middle


def test_lines_of_the_target_do_not_count(throughput):
    seen = _target()
    line = 1 - 0.5 * np.exp(-0.5 * ((seen.wave - 2.302) / 4e-4) ** 2)
    plain = _scaled(throughput, seen).windows[1]
    lined = _scaled(throughput, dataclasses.replace(seen, flux=seen.flux * line)).windows[1]
    assert lined.airmass == pytest.approx(plain.airmass, abs=0.03)
    assert lined.n_planes < plain.n_planes


def test_late_type_star_does_not_lead_the_fit_astray(throughput):
    """Its CO lies among the lines of CH4 and water; windows cannot leave what the whole band says by far."""
    facts = {"airmass": stars.TARGET_AIRMASS, "water": 2.0, "snr": 100.0}
    seen = stars.see(stars.late_star, rng=np.random.default_rng(7), **facts)
    plain = stars.see(stars.smooth_star, rng=np.random.default_rng(7), **facts)
    for late, smooth in zip(_scaled(throughput, seen).windows, _scaled(throughput, plain).windows, strict=True):
        assert late.airmass == pytest.approx(smooth.airmass, abs=0.15)
        assert late.water == pytest.approx(smooth.water, abs=0.25)


def test_noise_is_that_of_target_and_standard_and_opaque_planes_have_none(throughput):
    seen = _target()
    correction = _scaled(throughput, seen, min_transmission=0.6)
    assert np.isnan(correction.transmission[seen.transmission < 0.5]).all()
    clear = seen.transmission > 0.98
    assert 1 / 800 < np.median(correction.relative_noise[clear]) < 1 / 200  # the standard has 400


def test_faint_targets_are_scaled_by_the_headers(throughput):
    (first, *_) = _scaled(throughput, _target(snr=3.0)).windows
    assert "signal over noise" in first.note
    assert first.water == pytest.approx(stars.TARGET_AIRMASS / stars.STANDARD_AIRMASS)


def test_spectra_without_noise_are_fitted_as_well_as_those_with_it(throughput):
    seen = _target()
    without = _scaled(throughput, dataclasses.replace(seen, noise=np.full(seen.noise.size, np.nan)))
    assert not any(fit.note for fit in without.windows)
    assert _rms(without, throughput) < 1.2 * _rms(_scaled(throughput, seen), throughput)


def test_star_that_shows_nothing_of_the_atmosphere_is_warned_of(throughput):
    seen = _target()
    noise = np.random.default_rng(3).normal(0, 1, seen.noise.size) * seen.noise
    with pytest.warns(KmosWarning, match=r"ends where no more is looked for .*--reference"):
        _scaled(throughput, dataclasses.replace(seen, flux=seen.truth + noise))


def test_one_window(throughput):
    correction = _scaled(throughput, _target(), one_window=True)
    assert len(correction.windows) == 1
    assert np.isfinite(correction.transmission).mean() > 0.9


def test_standard_of_another_band_is_refused(throughput):
    wave = np.linspace(1.43, 1.86, 500)
    with pytest.raises(GeometryError, match="expected a standard of the same band"):
        scale_throughput(throughput, wave, wave, wave, airmass=1.2, parameters=TelluricParameters())


@pytest.mark.parametrize(("nz", "start_um"), [(1500, 1.9251), (3072, 1.921)])
def test_standard_on_another_grid_of_the_band(throughput, nz, start_um):
    """Planes of another width, and a first one that lies elsewhere: the standard is brought to them."""
    grid = dataclasses.replace(stars.K, start_um=start_um, end_um=2.4999)
    how = {"airmass": stars.TARGET_AIRMASS, "water": stars.TARGET_WATER, "nz": nz, "setup": grid}
    seen, clean = (stars.see(stars.smooth_star, rng=np.random.default_rng(6), snr=snr, **how) for snr in (150.0, 1e9))
    correction = _scaled(throughput, seen)
    assert correction.transmission.shape == (nz,)
    assert not any(fit.note for fit in correction.windows)
    assert all(abs(fit.shift_pix) < 0.1 for fit in correction.windows)
    own = np.interp(seen.wave, throughput.wavelength_um, throughput.response)
    ratio = (clean.flux / correction.transmission / own / stars.smooth_star(seen.wave))[clean.absorbed]
    left = np.sqrt(np.nanmean((ratio / np.nanmedian(ratio) - 1) ** 2))
    assert left < 0.02  # as on its own grid
    beyond = seen.wave < throughput.wavelength_um[0]
    assert np.isnan(correction.transmission[beyond]).all()


def test_airmass_must_be_one(throughput):
    seen = _target()
    with pytest.raises(KmosError, match="airmass of the target is nan"):
        scale_throughput(throughput, seen.wave, seen.flux, seen.noise, airmass=np.nan, parameters=TelluricParameters())


@pytest.mark.parametrize(
    ("values", "text"),
    [({"edges": (2.3, 2.1)}, "edges"), ({"edges": (2.0, 2.1, 2.2)}, "two wavelengths"), ({"clip": 0.0}, "clip")],
)
def test_parameters_that_make_no_sense(values, text):
    with pytest.raises(KmosError, match=text):
        TelluricParameters(**values)
