"""Velocities of stars like the template, of others, and of none; zero points and frames."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from astropy import units as u
from measure_stars import DEC, LIGHT_KMS, RA, STEP, K, observed, star_of
from numpy.testing import assert_allclose

from napari_kmos.errors import GeometryError, KmosError
from napari_kmos.io import read_line_list
from napari_kmos.measure import (
    CorrelationParameters,
    LineFit,
    add_velocities,
    barycentric_correction,
    barycentric_corrections,
    correlate,
    late_template,
    lsr_correction,
    sky_zero_point,
    velocity_by_line,
    velocity_by_template,
)
from napari_kmos.simulate.lsf import Lsf, spread_lines
from napari_kmos.spectral import sky_lines, vacuum_to_air
from napari_kmos.spectral.carbon_monoxide import co_absorption, co_lines
from napari_kmos.spectral.observed import as_observed
from napari_kmos.spectral.zero_points import ZeroPoint
from napari_kmos.spectrum import SpectralLine, Template
from napari_kmos.times import ExposureTime

NONE = ZeroPoint(shift_pix=float("nan"))


@functools.cache
def late(temperature_k: float = 3800.0) -> Template:
    return late_template(read_line_list(), temperature_k=temperature_k)


def noisy(kms: float, rng: np.random.Generator, template: Template, *, snr: float = 50.0, **how: float):
    clean = observed(template, kms, **how)
    noise = clean / snr
    return clean + noise * rng.standard_normal(K.size), noise


def pulls(template: Template, n: int = 40, **how: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    off, pull = [], []
    for _ in range(n):
        truth = rng.normal(0, 100)
        flux, noise = noisy(truth, rng, template, depth=rng.uniform(0.6, 1.1), **how)
        found = correlate(K, flux, late(), noise=noise)
        off.append(found.velocity_kms - truth)
        pull.append(off[-1] / found.err_kms)
    return np.array(off), np.array(pull)


def test_heads_of_co_are_where_the_list_of_lines_has_them():
    wave, strength = co_lines(3800.0)
    heads = [
        line.wavelength_um for line in read_line_list() if line.species == "CO" and 2.29 < line.wavelength_um < 2.4
    ]
    for head in heads:
        near = wave[(np.abs(wave - head) < 2e-4) & (strength > 1e-3)]
        assert LIGHT_KMS * np.abs(near - head).min() / head < 0.7
    assert np.count_nonzero((wave > heads[0] - 0.002) & (wave < heads[0] - 1e-5)) == 0
    absorbed = co_absorption(np.linspace(2.2, 2.4, 2001))
    assert np.all((absorbed >= 0) & (absorbed < 1 + 1e-9))  # a difference of sums
    assert absorbed[:900].max() < 1e-6


def test_overtones_of_co_are_as_strong_as_measured():
    """The bands 2-0 and 3-0: 7.5e-20 and 4.9e-22 cm a molecule at 296 K, which hold the wavenumber; to 10 %."""
    wave, depth = co_lines(296.0)
    strength = depth / wave  # of lines of one width in velocity
    first, second = (strength[(wave > start) & (wave < end)].sum() for start, end in ((2.28, 2.45), (1.55, 1.65)))
    assert second / first == pytest.approx(4.9e-22 / 7.5e-20, rel=0.1)


@pytest.mark.parametrize("fwhm_pix", [1.9, 2.1])
def test_velocity_and_error_of_stars_like_the_template(fwhm_pix: float):
    off, pull = pulls(late(), fwhm_pix=fwhm_pix)

    # 40 stars: their mean to 0.08 km/s, the scatter of the pulls to 0.11.
    assert np.sqrt(np.mean(off**2)) < 0.9
    assert abs(off.mean()) < 0.3
    assert np.std(pull) == pytest.approx(1, abs=0.25)


def test_velocity_of_a_star_of_another_temperature():
    off, pull = pulls(late(3200.0))

    assert np.sqrt(np.mean(off**2)) < 1.0
    assert np.sqrt(np.mean(pull**2)) < 1.4


@pytest.mark.parametrize("temperature_k", [3200.0, 4600.0])
@pytest.mark.parametrize("depth", [30.0, 1000.0])
def test_bands_of_another_shape_do_not_move_the_velocity(temperature_k: float, depth: float):
    """CO of another temperature and amount, without noise: 0.2 km/s; without variants it is up to 2.3 km/s."""
    wave = late().wavelength_um
    flux = 1 - 0.5 * co_absorption(wave, temperature_k=temperature_k, depth=depth)
    other = Template(name="other", wavelength_um=wave, flux=flux)

    found = correlate(K, observed(other, 60.0), late())

    assert found.velocity_kms == pytest.approx(60, abs=0.2)


def test_variants_that_are_no_others_change_nothing():
    rng = np.random.default_rng(15)
    flux, noise = noisy(10.0, rng, late())
    plain = dataclasses.replace(late(), variants=())
    same = dataclasses.replace(plain, variants=(plain.flux, np.ones_like(plain.flux), 1 - 0.5 * (1 - plain.flux)))

    one, other = (correlate(K, flux, template, noise=noise) for template in (plain, same))

    assert other.velocity_kms == pytest.approx(one.velocity_kms, abs=1e-9)
    assert other.err_kms == pytest.approx(one.err_kms, rel=1e-9)
    with pytest.raises(GeometryError, match="expected four points or more"):
        dataclasses.replace(plain, variants=(plain.flux[1:],))


def test_without_noise_or_with_correlated_noise_the_error_holds():
    rng = np.random.default_rng(12)
    clean = observed(late(), 40.0)
    plain, wide = [], []
    for _ in range(40):
        white = rng.standard_normal(K.size + 1)
        found = correlate(K, clean + white[1:], late())
        plain.append((found.velocity_kms - 40) / found.err_kms)
        assert np.isnan(found.chi2)
        found = correlate(K, clean + (white[1:] + white[:-1]) / np.sqrt(2), late(), noise=np.ones(K.size))
        wide.append((found.velocity_kms - 40) / found.err_kms)
    assert np.std(plain) == pytest.approx(1, abs=0.25)
    assert np.std(wide) == pytest.approx(1, abs=0.25)


def test_a_bad_voxel_does_not_matter_and_windows_are_kept():
    rng = np.random.default_rng(13)
    flux, noise = noisy(-70.0, rng, late())
    flux[[1310, 1400]] += [2000, -300]
    flux[1200:1210] = np.nan
    sky = ((2.30, 2.31),)

    found = correlate(K, flux, late(), noise=noise, parameters=CorrelationParameters(exclude=sky))
    few = correlate(K, flux, late(), noise=noise, parameters=CorrelationParameters(windows=((2.28, 2.33),)))

    assert found.velocity_kms == pytest.approx(-70, abs=4 * found.err_kms)
    assert found.chi2 == pytest.approx(1, abs=0.2)
    assert few.n_points < 0.3 * found.n_points
    assert few.err_kms > found.err_kms
    assert found.trial_kms[np.argmax(found.coefficient)] == pytest.approx(-70, abs=12)


def test_template_in_air_is_converted():
    air = vacuum_to_air(late().wavelength_um * u.um).value
    found = correlate(K, observed(late(), 25), dataclasses.replace(late(), wavelength_um=air, medium="air"))

    assert found.velocity_kms == pytest.approx(25, abs=0.2)


def test_what_has_no_velocity_says_why():
    rng = np.random.default_rng(14)
    flat = 50 + rng.standard_normal(K.size)
    ones = np.ones(K.size)
    short = Template(name="short", wavelength_um=np.linspace(1.5, 1.6, 99), flux=np.ones(99))

    assert "no lines like those of the template" in correlate(K, flat, late(), noise=ones).reason
    assert "no lines" in correlate(K, 100 - observed(late(), 0), late(), noise=ones).reason  # in emission
    outside = CorrelationParameters(windows=((3.0, 3.1),))
    assert "windows lie outside" in correlate(K, flat, late(), parameters=outside).reason
    assert "the template short covers 1.5-1.6 um" in correlate(K, flat, short).reason
    assert "too few planes with data" in correlate(K, np.full(K.size, np.nan), late()).reason
    assert "no signal: the continuum is not positive" in correlate(K, -observed(late(), 0), late(), noise=ones).reason
    narrow = CorrelationParameters(max_kms=100)
    assert "look further" in correlate(K, observed(late(), 200), late(), noise=ones, parameters=narrow).reason
    with pytest.raises(KmosError, match="max_kms 0"):
        CorrelationParameters(max_kms=0)


def test_template_as_observed_keeps_its_light_and_its_own_resolution():
    wave = np.exp(np.linspace(np.log(2.0), np.log(2.4), 40_000))
    flux = 1 - 0.9 * np.exp(-0.5 * ((wave - 2.2) / 2e-5) ** 2)
    fine = Template(name="line", wavelength_um=wave, flux=flux)
    (shape,) = as_observed(fine, K, widths_um=[5e-4], reach_kms=100)
    shown = shape(np.linspace(2.19, 2.21, 4001))

    assert np.sum(1 - shown) * 5e-6 == pytest.approx(0.9 * 2e-5 * np.sqrt(2 * np.pi), rel=0.01)
    # Gaussian of 5e-4 um and a plane of 2.8e-4 um.
    half = np.ptp(np.linspace(2.19, 2.21, 4001)[1 - shown > 0.5 * (1 - shown).max()])
    assert half == pytest.approx(np.sqrt(5e-4**2 + (0.68 * STEP * 1.2) ** 2), rel=0.08)
    with pytest.raises(GeometryError, match="expected four points or more"):
        Template(name="bad", wavelength_um=np.array([2.0, 1.0, 3.0, 4.0]), flux=np.ones(4))
    with pytest.raises(KmosError, match="resolving power is 0"):
        dataclasses.replace(fine, resolution=0)


def sky_shifted(shift_pix: float, stretch_pix: float = 0.0) -> np.ndarray:
    lines = sky_lines((K[0], K[-1]))
    place = np.interp(lines.wavelength_um, K, np.arange(K.size))
    place += shift_pix + stretch_pix * (2 * place / (K.size - 1) - 1)
    return spread_lines(place, 100 * lines.strength, K.size, lsf=Lsf(fwhm_pix=1.9))


def test_zero_point_comes_from_the_file_or_from_the_sky():
    flux = observed(late(), 0)
    sky = 1 + sky_shifted(0.4) + 0.001 * np.random.default_rng(1).standard_normal(K.size)

    assert sky_zero_point(star_of(flux, sky=sky)).shift_pix == pytest.approx(0.4, abs=0.01)
    told = star_of(flux, sky=sky, zero_pix=-0.2, zero_err_pix=0.01)
    assert sky_zero_point(told) == ZeroPoint(shift_pix=-0.2, err_pix=0.01)
    assert not sky_zero_point(star_of(flux)).is_known
    assert not sky_zero_point(star_of(flux, sky=sky, medium="air")).is_known


def test_zero_point_is_that_where_the_lines_are():
    """Flexure that changes along the band by 0.2 planes to each side: 3 km/s where CO is; to 0.1 km/s."""
    (shown,) = as_observed(late(), K, widths_um=(1.9 * STEP,), reach_kms=600)
    further = STEP * (0.3 + 0.2 * np.linspace(-1, 1, K.size))
    true, flux = (shown((K - by) / (1 + 50 / LIGHT_KMS)) for by in (0.0, further))
    sky = 1 + sky_shifted(0.3, 0.2) + 0.001 * np.random.default_rng(1).standard_normal(K.size)

    found = velocity_by_template(star_of(flux, sky=sky), late(), frame="topocentric")
    plain = velocity_by_template(star_of(true), late(), zero_point=NONE, frame="topocentric")

    assert found.zero_kms > LIGHT_KMS * 0.3 * STEP / 2.3 + 2.0
    assert found.kms == pytest.approx(plain.kms, abs=0.1)
    assert sky_zero_point(star_of(flux, sky=sky)).shift_pix == pytest.approx(0.3, abs=0.01)


def test_zero_point_is_taken_off_the_wavelengths():
    true = observed(late(), 50)
    shifted = np.interp(np.arange(K.size) - 0.4, np.arange(K.size), true)  # features lie 0.4 planes too far
    star = star_of(shifted, true / 1000, zero_pix=0.4, zero_err_pix=0.03)

    found = velocity_by_template(star, late(), frame="topocentric", slitlet_err_pix=0.02)
    plain = velocity_by_template(star, late(), zero_point=NONE, frame="topocentric")

    # Linear interpolation broadens: a head of a band moves by tenths of a km/s.
    assert found.kms == pytest.approx(50, abs=1.0)
    assert plain.kms - found.kms == pytest.approx(0.4 * STEP / 2.31 * LIGHT_KMS, rel=0.03)
    assert found.zero_kms == pytest.approx(plain.kms - found.kms, rel=0.01)
    assert found.apparent_kms == pytest.approx(plain.kms, abs=0.1)
    # 0.03 planes and the slitlets' 0.02: 36.5 km/s a plane.
    assert found.zero_err_kms == pytest.approx(np.hypot(0.03, 0.02) * 36.5, rel=0.02)
    assert found.err_kms > found.zero_err_kms
    assert "zero point of the wavelengths unknown" in plain.note


def test_velocity_by_a_line():
    line = SpectralLine(name="Br gamma", wavelength_um=2.16612, err_um=4e-6)
    centre = 2.16612 * (1 - 30 / LIGHT_KMS)
    fit = LineFit(line=line, centre_um=centre, centre_err_um=2e-5, flux=-1.0, flux_err=0.1)
    star = star_of(np.ones(K.size), mjd=58000.3, exptime=600.0)

    found = velocity_by_line(star, fit, zero_point=NONE)

    assert found.kms == pytest.approx(add_velocities(-30, found.correction_kms), abs=1e-6)
    assert found.err_kms == pytest.approx(LIGHT_KMS * np.hypot(2e-5, 4e-6) / 2.16612, rel=1e-3)
    assert found.frame == "barycentric"
    assert velocity_by_line(star, LineFit(line=line, reason="gone")).reason == "gone"
    with pytest.raises(KmosError, match="frame 'galactic' is unknown"):
        velocity_by_line(star, fit, frame="galactic")


def test_barycentric_correction_is_that_of_the_earths_motion(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the net was asked")

    monkeypatch.setattr("astropy.utils.data.download_file", refuse)
    # The Galactic centre is at ecliptic longitude 267 deg, latitude -5.6 deg; the Sun at 163.9 and 2.9 deg. The Earth
    # moves by 29.8 km/s towards what is 90 deg behind the Sun; its rotation adds up to 0.42, the eccentricity 0.5.
    for mjd, sun_deg in ((58000.3, 163.9), (58200.3, 2.9)):
        expected = 29.8 * np.cos(np.radians(sun_deg - 90 - 267.0)) * np.cos(np.radians(5.6))
        assert barycentric_correction(RA, DEC, mjd) == pytest.approx(expected, abs=1.0)
    # Far beyond all tables of Earth's rotation.
    assert abs(barycentric_correction(RA, DEC, 75000.0)) < 31
    with pytest.raises(KmosError, match="expected degrees and a date"):
        barycentric_correction(RA, DEC, 2_458_000.5)


def test_lsr_is_the_suns_motion():
    # Towards the Galactic centre, the pole, and the direction of rotation.
    for place, speed in (((266.405, -28.936), 11.1), ((192.859, 27.128), 7.25), ((318.004, 48.330), 12.24)):
        assert lsr_correction(*place) == pytest.approx(speed, abs=0.05)
    assert lsr_correction(266.405, -28.936, solar_motion_kms=(10, 0, 0)) == pytest.approx(10, abs=0.01)


def test_frames_and_missing_dates():
    flux, noise = noisy(0, np.random.default_rng(2), late(), snr=200)
    dated = star_of(flux, noise, mjd=58000.3, exptime=600.0)

    bary, lsr = (velocity_by_template(dated, late(), zero_point=NONE, frame=frame) for frame in ("barycentric", "lsr"))
    undated = velocity_by_template(star_of(flux, noise), late(), zero_point=NONE)

    assert_allclose(lsr.kms - bary.kms, lsr_correction(RA, DEC), atol=0.01)
    assert bary.correction_kms == pytest.approx(barycentric_correction(RA, DEC, 58000.3 + 300 / 86400), abs=1e-6)
    assert (undated.frame, undated.correction_kms) == ("topocentric", 0)
    assert "no date: topocentric" in undated.note
    first = velocity_by_template(star_of(flux, noise, mjd=58000.3, n_combined=4), late(), zero_point=NONE)
    assert "date of the first of 4 exposures" in first.note
    assert "exposures" not in bary.note
    air = velocity_by_template(star_of(flux, noise, medium="air"), late())
    assert "its wavelengths are in air" in air.reason


def test_velocity_of_epochs_that_were_combined():
    """Two epochs, a third and two thirds of the time: the correction is their mean, and its spread is told."""
    rng = np.random.default_rng(8)
    truth, lengths = 40.0, (300.0, 600.0)
    for days, spread_kms in ((1.0, 0.05), (182.6, 20.0)):
        times = tuple(ExposureTime(58000.3 + n * days, length) for n, length in enumerate(lengths))
        each = barycentric_corrections(RA, DEC, [one.middle_mjd for one in times])
        # What the telescope sees is slower by the correction.
        seen = [observed(late(), truth - one) * length for one, length in zip(each, lengths, strict=True)]
        clean = sum(seen) / sum(lengths)
        noise = clean / 100
        star = star_of(clean + noise * rng.standard_normal(K.size), noise, mjd=58000.3, exptime=450.0, exposures=times)

        found = velocity_by_template(star, late(), zero_point=NONE)

        assert found.correction_kms == pytest.approx((each[0] + 2 * each[1]) / 3, abs=1e-6)
        assert found.spread_kms == pytest.approx(abs(each[1] - each[0]) * np.sqrt(2) / 3, abs=1e-6)
        assert found.spread_kms > spread_kms
        assert found.err_kms > found.spread_kms
        # Lines of two velocities are skewed: what is left is a small part of their distance.
        assert abs(found.kms - truth) < 2 + 0.1 * found.spread_kms
        assert ("corrections of 2 exposures in 182.6 days" in found.note) == (days > 100)


@pytest.mark.parametrize(("depth", "veil"), [(1.0, 0.0), (0.7, 0.0), (1.0, 1.0)])
def test_depth_is_the_light_that_lines_take_away(depth: float, veil: float):
    """Of a star alone, and of one whose light is one part of two."""
    flux = observed(late(), 30, depth=depth) + veil * 50 * (K / 2.2) ** -1.3

    found = correlate(K, flux, late(), noise=flux / 500)

    assert found.depth == pytest.approx(depth / (1 + veil), rel=0.05)


@pytest.mark.parametrize("light", ["slope", "black body", "falling", "hump"])
def test_a_template_of_fluxes_is_divided_by_its_continuum(light: str):
    """Where its light changes along the band by more than lines do, that took the place of the lines."""
    wave = late().wavelength_um
    along = {
        "slope": (wave / 2.2) ** -4,
        "black body": wave**-5 / np.expm1(14387.8 / (3800 * wave)),
        "falling": np.exp(-20 * (wave - 2.2)),
        "hump": np.exp(-0.5 * ((wave - 2.2) / 0.1) ** 2),
    }[light]
    flux, noise = noisy(-8.0, np.random.default_rng(4), late())
    plain = dataclasses.replace(late(), variants=())
    expected = correlate(K, flux, plain, noise=noise)
    found = correlate(K, flux, dataclasses.replace(plain, flux=plain.flux * along), noise=noise)
    assert abs(found.velocity_kms + 8) < 3 * found.err_kms
    # the two continua differ by what a cubic makes of CO, which the fit of the star's own takes back
    assert_allclose(found.velocity_kms, expected.velocity_kms, atol=0.1)
    assert_allclose([found.err_kms, found.depth], [expected.err_kms, expected.depth], rtol=0.03)


def test_emission_where_the_template_absorbs_is_no_velocity():
    """A significant fit of lines upside down is of another kind of star, or of what the sky left."""
    upside = 2.0 - observed(late(), 30.0) / np.median(observed(late(), 30.0))
    found = correlate(K, upside, late(), noise=np.full(K.size, 0.02))
    assert np.isnan(found.velocity_kms)
    assert found.significance > 6
    assert "emission for absorption" in found.reason
