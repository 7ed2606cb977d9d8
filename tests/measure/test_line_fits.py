"""Lines of known flux, place and width are found with errors that are right."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy import units as u
from measure_stars import STEP, K, star_of
from numpy.testing import assert_allclose
from scipy.special import voigt_profile

from napari_kmos.errors import KmosError
from napari_kmos.measure import LineParameters, fit_lines
from napari_kmos.spectrum import SpectralLine

BR_GAMMA = SpectralLine(name="Br gamma", wavelength_um=2.16612, err_um=4e-6)
NA = tuple(SpectralLine(name=f"Na {um}", wavelength_um=um) for um in (2.206244, 2.208969))
CENTRE, SIGMA, FLUX = 2.1667, 0.0006, -0.02
CONTINUUM = 50 * (1 + 0.3 * (K - 2.2))


def trials(profile: str, gamma: float, n: int = 100):
    rng = np.random.default_rng(3)
    truth = CONTINUUM + FLUX * voigt_profile(K - CENTRE, SIGMA, gamma)
    how = LineParameters(profile=profile)
    for _ in range(n):
        yield fit_lines(star_of(truth + rng.standard_normal(K.size), np.ones(K.size)), [BR_GAMMA], parameters=how)[0]


def test_gaussian_and_its_errors():
    fits = list(trials("gaussian", 0.0))

    level = np.interp(CENTRE, K, CONTINUUM)
    for value, error, truth in (
        ("centre_um", "centre_err_um", CENTRE),
        ("flux", "flux_err", FLUX),
        ("width_um", "width_err_um", -FLUX / level),
        ("fwhm_um", "fwhm_err_um", 2.3548 * SIGMA),
    ):
        pulls = np.array([(getattr(one, value) - truth) / getattr(one, error) for one in fits])
        # 100 pulls: mean to 0.1, standard deviation to 0.07.
        assert abs(pulls.mean()) < 0.35, value
        assert pulls.std() == pytest.approx(1, abs=0.22), value
    assert np.mean([one.chi2 for one in fits]) == pytest.approx(1, abs=0.1)
    assert not any(one.scaled or one.reason for one in fits)


def test_voigt_profile_has_a_lorentzian_part():
    fits = list(trials("voigt", 4e-4, 40))

    assert np.median([one.flux for one in fits]) == pytest.approx(FLUX, rel=0.08)
    assert np.median([one.gamma_um for one in fits]) == pytest.approx(4e-4, rel=0.6)  # strongly tied to sigma
    expected = 0.5346 * 8e-4 + np.sqrt(0.2166 * 8e-4**2 + (2.3548 * SIGMA) ** 2)
    assert np.median([one.fwhm_um for one in fits]) == pytest.approx(expected, rel=0.06)


def test_without_noise_errors_are_by_what_the_fit_leaves():
    rng = np.random.default_rng(5)
    flux = CONTINUUM + FLUX * voigt_profile(K - CENTRE, SIGMA, 0) + rng.standard_normal(K.size)

    (told,) = fit_lines(star_of(flux, np.ones(K.size)), [BR_GAMMA])
    (plain,) = fit_lines(star_of(flux), [BR_GAMMA])

    assert plain.scaled
    assert "the spectrum has no noise" in plain.note
    # 71 planes tell the noise to 9 %.
    assert plain.flux_err == pytest.approx(told.flux_err, rel=0.3)
    assert np.isnan(plain.chi2)


def test_lines_that_lie_together_are_fitted_together():
    flux = 50 - sum(0.01 * voigt_profile(K - line.wavelength_um, 4e-4, 0) for line in NA)

    fits = fit_lines(star_of(flux, np.ones(K.size)), NA)

    assert [one.line for one in fits] == list(NA)
    assert_allclose([one.flux for one in fits], -0.01, rtol=1e-4)
    assert fits[0].window == fits[1].window
    near = np.abs(K - 2.2076) < 0.004
    both = fits[0].evaluate(K) + fits[1].evaluate(K) - 50
    assert_allclose(both[near], flux[near], atol=0.01)


@pytest.mark.parametrize("profile", ["gaussian", "voigt"])
def test_models_agree_with_those_that_specutils_fits(profile: str):
    from astropy.nddata import StdDevUncertainty
    from specutils import Spectrum
    from specutils.fitting import fit_lines as fit_by_specutils

    rng = np.random.default_rng(6)
    gamma = 4e-4 if profile == "voigt" else 0.0
    flux = CONTINUUM + FLUX * voigt_profile(K - CENTRE, SIGMA, gamma) + 0.1 * rng.standard_normal(K.size)
    (ours,) = fit_lines(star_of(flux, np.full(K.size, 0.1)), [BR_GAMMA], parameters=LineParameters(profile=profile))
    near = (ours.window[0] <= K) & (ours.window[1] >= K)
    error = StdDevUncertainty(np.full(np.count_nonzero(near), 0.1))
    spectrum = Spectrum(flux=flux[near] * u.one, spectral_axis=K[near] * u.um, uncertainty=error)

    theirs = fit_by_specutils(spectrum, ours.to_model(), weights="unc")

    # The same minimum: theirs begins there and stays, to much less than the errors.
    assert_allclose(theirs(K[near] * u.um).value, ours.evaluate(K[near]), atol=0.01)
    assert_allclose(ours.to_model()(K[near]), ours.evaluate(K[near]), atol=2e-3)


def test_what_cannot_be_fitted_says_why_and_the_rest_goes_on():
    rng = np.random.default_rng(7)
    flux = CONTINUUM + FLUX * voigt_profile(K - CENTRE, SIGMA, 0) + rng.standard_normal(K.size)
    flux[np.abs(K - 2.05869) < 0.009] = np.nan
    lines = [
        dataclasses.replace(BR_GAMMA, name="Pa beta", wavelength_um=1.282159),
        SpectralLine(name="CO 2-0", wavelength_um=2.293523, kind="head"),
        SpectralLine(name="He I", wavelength_um=2.05869),
        SpectralLine(name="nothing", wavelength_um=2.40),
        BR_GAMMA,
    ]

    outside, head, gap, nothing, found = fit_lines(star_of(flux, np.ones(K.size)), lines)

    assert "its window 1.2722-1.2922 lies outside the spectrum, 1.9250-2.4997 um" in outside.reason
    assert "head of a band is no line" in head.reason
    assert "planes of its window have data; too few" in gap.reason
    assert "nothing stands out" in nothing.reason
    assert np.isnan(outside.flux)
    assert not found.reason
    assert found.significance > 10


def test_line_is_looked_for_where_the_velocity_says():
    place = 2.16612 * (1 + 900 / 299792.458)
    flux = 50 - 0.02 * voigt_profile(K - place, SIGMA, 0)

    (fit,) = fit_lines(star_of(flux, np.ones(K.size)), [BR_GAMMA], parameters=LineParameters(velocity_kms=800))

    assert fit.centre_um == pytest.approx(place, abs=0.01 * STEP)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"profile": "moffat"}, "'moffat' is unknown"), ({"half_width_um": 0}, "half_width_um 0, reach_kms 400")],
)
def test_parameters_that_make_no_sense(wrong: dict, message: str):
    with pytest.raises(KmosError, match=message):
        LineParameters(**wrong)


def test_spectrum_of_zeros_has_no_line():
    (found,) = fit_lines(star_of(np.zeros(K.size)), [SpectralLine(name="Br gamma", wavelength_um=2.16612)])
    assert found.reason == "its continuum is zero"


def test_without_a_positive_continuum_there_is_no_width():
    line = FLUX * voigt_profile(K - CENTRE, SIGMA, 0)
    noise = np.ones(K.size)
    below = -CONTINUUM

    (emission,), (absorption,) = (fit_lines(star_of(below + flux, noise), [BR_GAMMA]) for flux in (-line, line))

    assert emission.flux == pytest.approx(-FLUX, rel=0.01)
    assert np.isnan(emission.width_um)
    assert "no equivalent width" in emission.note
    assert "no signal" in absorption.reason
