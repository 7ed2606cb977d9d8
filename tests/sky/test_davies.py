"""The Davies method finds the factors, the shift and the thermal change that were put in."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from sky_pairs import N_PLANES, make_pair

from napari_kmos.errors import KmosWarning
from napari_kmos.sky import SkyParameters, subtract_sky

subtract_davies = functools.partial(subtract_sky, method="davies")

GROUPS = {"low": 0.9, "medium": 1.07}
#: Lines of 2.4 pixels FWHM interpolated by a cubic spline are wrong by up to 0.5 % of their peak.
FACTOR_TOLERANCE = 0.01


def _found(result):
    return {band.name: band for band in result.bands}


@pytest.mark.parametrize("band", ["K", "H", "YJ", "IZ", "HK"])
def test_band_and_group_factors_are_recovered(band):
    pair = make_pair(band=band, groups=GROUPS, shift=0.3, sigma=2.0)

    result = subtract_davies(pair.target, pair.sky)

    fitted = [found for found in result.bands if found.fitted]
    assert {found.name: found.factor for found in fitted} == pytest.approx(
        {found.name: pair.bands[found.name] for found in fitted}, abs=FACTOR_TOLERANCE
    )
    assert len(fitted) >= len(result.bands) - 1  # a band of which the cube has a few pixels only has no continuum
    assert {group.name: group.factor for group in result.groups} == pytest.approx(GROUPS, abs=FACTOR_TOLERANCE)
    assert result.shift_pix == pytest.approx(0.3, abs=0.01)
    # What is left is the error of the interpolation.
    assert all(found.rms_after < 0.15 * found.rms_before for found in fitted)


def test_negative_shift_beyond_a_pixel_is_found():
    pair = make_pair(shift=-1.4)
    assert subtract_davies(pair.target, pair.sky).shift_pix == pytest.approx(-1.4, abs=0.01)


def test_without_shift_and_rotation_none_is_made():
    pair = make_pair(groups=GROUPS, shift=0.3)
    result = subtract_davies(pair.target, pair.sky, parameters=SkyParameters(shift=False, rotation=False))
    assert result.shift_pix == 0
    assert result.groups == ()
    assert result.rms_after > 5 * subtract_davies(pair.target, pair.sky).rms_after


def test_stretch_follows_a_shift_that_changes_along_the_spectrum():
    position = np.linspace(-1, 1, N_PLANES)
    pair = make_pair(shift=0.2 + 0.5 * position**3, sigma=2.0)
    with pytest.warns(KmosWarning, match="IFU 5 target: lines lie .* in band final bit .* less on lines: set stretch"):
        plain_shift = subtract_davies(pair.target, pair.sky)

    for resampling, gain in (("spline", 0.15), ("linear", 0.5)):  # linear interpolation broadens the lines
        parameters = SkyParameters(stretch=True, stretch_degree=5, stretch_resampling=resampling)
        assert subtract_davies(pair.target, pair.sky, parameters=parameters).rms_after < gain * plain_shift.rms_after


def test_stretch_without_enough_lines_says_so():
    pair = make_pair(band="IZ", shift=0.2, without=("5-1", "6-2", "7-3", "8-4", "3-0", "9-5", "5-2"))
    with pytest.warns(KmosWarning, match=r"allow a stretch of degree \d, not 14"):
        subtract_davies(pair.target, pair.sky, parameters=SkyParameters(stretch=True, stretch_degree=14))


@pytest.mark.parametrize("star", [0.0, 2000.0])
def test_thermal_change_is_subtracted_and_starlight_is_not(star):
    pair = make_pair(thermal=(220.0, 200.0), sigma=2.0, star=star)

    with_tbsub = subtract_davies(pair.target, pair.sky)
    without = subtract_davies(pair.target, pair.sky, parameters=SkyParameters(tbsub=False))

    thermal = with_tbsub.thermal
    assert without.thermal is None
    assert thermal.temperature_k == pytest.approx(280, abs=5)
    assert thermal.sky_level == pytest.approx(200, rel=0.05)  # a little too low: faint wings of lines look like sky
    assert thermal.object_level - thermal.sky_level == pytest.approx(20, abs=2)
    # The last planes, without lines, in the sky spaxels: all of the change is left without tbsub, and none with it.
    assert np.mean(without.residual_spectrum[-8:]) == pytest.approx(20, abs=2)
    assert np.mean(with_tbsub.residual_spectrum[-8:]) == pytest.approx(0, abs=2)


def test_no_thermal_background_is_looked_for_where_it_does_not_show():
    pair = make_pair(band="H")
    assert subtract_davies(pair.target, pair.sky).thermal is None


def test_lines_and_continuum_do_not_share_a_factor():
    pair = make_pair(band="H", factors=(1.3,), sigma=0.0)
    result = subtract_davies(pair.target, pair.sky)
    # The continuum is 5 in object and sky: scaled with the lines it would leave -1.5.
    assert np.median(np.asarray(result.cube.flux)[~result.line_mask]) == pytest.approx(0, abs=0.05)


def test_band_without_lines_takes_the_interpolated_factor():
    pair = make_pair(factors=(1.1, 0.8, 1.2, 1.2), without=("8-6",))
    found = _found(subtract_davies(pair.target, pair.sky))
    assert not found["8-6"].fitted
    assert found["8-6"].n_line_pixels == 0
    assert np.isnan(found["8-6"].rms_after)
    assert found["8-6"].factor == pytest.approx(0.5 * (1.1 + 1.2), abs=FACTOR_TOLERANCE)


def test_last_band_is_fitted_or_takes_the_factor_of_the_one_before():
    pair = make_pair(factors=(1.1, 0.9, 1.2, 0.8))
    own = _found(subtract_davies(pair.target, pair.sky))
    discarded = _found(subtract_davies(pair.target, pair.sky, parameters=SkyParameters(discard_subband=True)))
    assert own["final bit"].factor == pytest.approx(0.8, abs=FACTOR_TOLERANCE)
    assert not discarded["final bit"].fitted
    assert discarded["final bit"].factor == discarded["9-7"].factor == pytest.approx(1.2, abs=FACTOR_TOLERANCE)


def test_emission_line_of_the_object_is_not_taken_for_sky():
    pair = make_pair()
    clean = _found(subtract_davies(pair.target, pair.sky))
    line = np.asarray(pair.target.flux).copy()
    on_a_line = int(np.argmax(np.asarray(pair.sky.flux)[700:1200, 4, 5])) + 700
    line[on_a_line - 1 : on_a_line + 2] += 400
    found = _found(subtract_davies(dataclasses.replace(pair.target, flux=line), pair.sky))
    # 400 on a line of at most 1000: without the rejection the factor of its band changes by more than 0.02.
    assert all(found[name].factor == pytest.approx(clean[name].factor, abs=FACTOR_TOLERANCE) for name in clean)


def test_without_any_line_the_sky_is_subtracted_unscaled_with_a_warning():
    pair = make_pair(band="H", without=("2-0", "3-1", "4-2", "5-3", "6-4", "7-5"), sigma=1.0)
    with pytest.warns(KmosWarning, match="IFU 5 target: no band has 3 line pixels that fit"):
        result = subtract_davies(pair.target, pair.sky)
    assert np.all(result.scale == 1)
    assert not any(band.fitted for band in result.bands)


def test_few_line_pixels_are_worth_a_warning():
    pair = make_pair(band="H")
    with pytest.warns(KmosWarning, match="few line pixels in band 7-5"):
        subtract_davies(pair.target, pair.sky, parameters=SkyParameters(warn_pixels=60))
