"""The second pass: what is subtracted, from where it comes, and that nothing else is touched."""

from __future__ import annotations

import dataclasses

import dask.array as da
import numpy as np
import pytest
from leftover_sky import HEIGHT, SHAPE, leftover, leftover_exposure, with_leftover
from scipy import ndimage

from napari_kmos.errors import SkyError
from napari_kmos.simulate import SimulationParameters, true_sky, true_stars
from napari_kmos.simulate.night import Night, simulate_exposure
from napari_kmos.simulate.scene import find_exposure, make_scene
from napari_kmos.simulate.stars import select_stars
from napari_kmos.simulate.templates import absorption
from napari_kmos.sky import (
    choose_emptier,
    fit_second_pass,
    make_template,
    measure_residual,
    subtract_residual,
    subtract_sky,
)

GAINS = {1: 1.0, 2: 1.0, 3: 1.0, 4: 0.6, 5: 1.0, 9: 1.2}
#: Those with the same gain and no stars.
SOURCES = (2, 3, 5)


@pytest.fixture(scope="module")
def exposure():
    """Six IFUs with residual lines, the first of them full of stars, the last alone on its detector."""
    return leftover_exposure(GAINS, crowded=(1,))


@pytest.fixture(scope="module")
def residuals(exposure):
    return [measure_residual(cube) for cube in exposure.cubes]


def _second(cube, residuals, emptier, own=None):
    template = make_template(cube, residuals, emptier)
    return fit_second_pass(cube, own or measure_residual(cube), template)[0]


def _amplitudes(second):
    """Amplitudes of the IFU that count, with their errors, by group."""
    named = zip(second.template.name, second.amplitude, second.error, strict=True)
    return {name: (value, error) for name, value, error in named if value}


def test_emptier_ifus_are_found_or_given(residuals):
    assert choose_emptier(residuals) == (2, 3, 4, 5, 9)
    assert choose_emptier(residuals, (4, 1)) == (1, 4)
    with pytest.raises(SkyError, match="no data for IFU 7; IFUs with data: 1, 2, 3, 4, 5, 9"):
        choose_emptier(residuals, (7,))


def test_sources_are_on_the_same_detector_and_never_the_ifu_itself(exposure, residuals):
    found = {cube.ifu: make_template(cube, residuals, (2, 3, 4, 9)) for cube in exposure.cubes}
    assert {ifu: template.sources for ifu, template in found.items()} == {
        1: (2, 3, 4), 2: (3, 4), 3: (2, 4), 4: (2, 3), 5: (2, 3, 4), 9: (2, 3, 4),
    }  # fmt: skip
    assert [template.same_detector for template in found.values()] == [True] * 5 + [False]
    assert make_template(exposure.cube(3), residuals, (3,)) is None
    assert make_template(dataclasses.replace(exposure.cube(3), ifu=None), residuals, (2, 4)) is None


def test_an_ifu_has_no_part_in_what_is_subtracted_from_it(exposure, residuals):
    """Whatever is in IFU 3, its template is the same."""
    spoilt = [dataclasses.replace(each, spectrum=1e3 * each.spectrum) if each.ifu == 3 else each for each in residuals]
    first, second = (make_template(exposure.cube(3), each, (2, 3, 4)) for each in (residuals, spoilt))
    assert np.array_equal(first.columns, second.columns)


@pytest.mark.parametrize("ifu", [2, 4, 9])
def test_amplitude_is_that_of_the_ifu_over_that_of_the_sources(exposure, residuals, ifu):
    """To 4 sigma for each group, 3 % for the brightest, and half again the noise is left where there was 7 times."""
    cube, own = exposure.cube(ifu), measure_residual(exposure.cube(ifu))
    second, after = fit_second_pass(cube, own, make_template(cube, residuals, SOURCES))
    found = _amplitudes(second)
    assert found["9-7 low"][0] == pytest.approx(GAINS[ifu], rel=0.03)
    assert all(abs(value - GAINS[ifu]) < 4 * error for value, error in found.values())
    assert own.residual_over_noise > 7
    assert after.residual_over_noise < 1.5


@pytest.mark.parametrize("ifu", [2, 4, 9])
def test_noise_grows_by_the_error_of_what_is_subtracted(exposure, residuals, ifu):
    """On 43 bright planes, mean over the spaxels: to a factor of 2, as lines that are shrunk are off by more."""
    cube = exposure.cube(ifu)
    result = subtract_residual(cube, _second(cube, residuals, SOURCES))
    truth = GAINS[ifu] * HEIGHT * leftover(cube)
    bright = truth > 0.2 * truth.max()
    bright[:25] = bright[-25:] = False  # nothing is subtracted there
    wrong = np.mean(cube.flux - result.flux, axis=(1, 2), dtype=float) - truth
    added = np.mean(np.square(result.noise, dtype=float) - np.square(cube.noise, dtype=float), axis=(1, 2))
    assert 0.5 < np.sqrt(np.mean(wrong[bright] ** 2) / np.mean(added[bright])) < 2


def test_a_crowded_ifu_has_the_amplitudes_of_its_darkest_spaxels(exposure, residuals):
    """They hold stars of up to 60 sigma: to 4 sigma for each group."""
    found = _amplitudes(_second(exposure.cube(1), residuals, SOURCES))
    assert "9-7 low" in found
    assert all(abs(value - GAINS[1]) < 4 * error for value, error in found.values())


def test_each_spaxel_has_its_own_where_they_differ(exposure, residuals):
    """Gains of 30 % rms are found to 10 %, where noise alone gives 3; and hardly any where they are the same."""
    rng = np.random.default_rng(4)
    gain = 1 + 0.3 * rng.standard_normal(SHAPE[1:])
    bare = exposure.cube(2)
    cube = with_leftover(bare, HEIGHT * (2 * gain - 1))
    second = _second(cube, residuals, SOURCES)
    image = second.spaxel[second.template.name.index("9-7 low")]
    assert np.std(image / image.mean() - gain / gain.mean()) < 0.1
    assert _second(bare, residuals, SOURCES).spaxel.std(axis=(1, 2)).max() < 0.1


def test_nothing_left_nothing_subtracted():
    exposure = leftover_exposure({1: 1.0, 2: 1.0, 3: 1.0}, height=0.0)
    residuals = [measure_residual(cube) for cube in exposure.cubes]
    for cube in exposure.cubes:
        second = _second(cube, residuals, (1, 2, 3))
        assert not second.is_significant
        assert np.array_equal(subtract_residual(cube, second).flux, cube.flux)


def test_nothing_is_taken_from_an_ifu_without_residuals(residuals):
    """Its neighbours have 5 sigma; a thousandth of that is subtracted at most."""
    (cube,) = leftover_exposure({5: 0.0}, seed=7).cubes
    second = _second(cube, residuals, SOURCES)
    assert np.abs(second.amplitude).max() < 0.05
    assert np.abs(subtract_residual(cube, second).flux - cube.flux).max() < 0.2


def test_line_of_an_object_in_one_source_does_not_get_into_others(exposure, residuals):
    """A galaxy's line of 20 sigma on a sky line in all spaxels of IFU 3: below 0.3 sigma elsewhere."""
    plane = int(np.argmax(leftover(exposure.cube(2))))
    spoilt = dataclasses.replace(exposure.cube(3), flux=exposure.cube(3).flux.copy())
    spoilt.flux[plane - 1 : plane + 2] += 20
    others = [each if each.ifu != 3 else measure_residual(spoilt) for each in residuals]
    usual, changed = (make_template(exposure.cube(1), each, SOURCES).columns for each in (residuals, others))
    assert np.abs(changed - usual)[plane - 1 : plane + 2].max() < 0.3


def test_lines_alone_are_touched(exposure, residuals):
    """What is subtracted vanishes beside lines, and a continuum of up to 5 sigma stays to 1 % of it."""
    cube = exposure.cube(3)
    second = _second(cube, residuals, SOURCES)
    beside = measure_residual(cube).member == "other"
    taken = np.asarray(cube.flux - subtract_residual(cube, second).flux)
    assert np.abs(taken[beside]).max() < 0.1 * np.abs(taken).max()
    smooth = (3 + 2 * np.sin(np.linspace(0, 3, SHAPE[0])))[:, None, None].astype(np.float32)
    bright = dataclasses.replace(cube, flux=cube.flux + smooth)
    again = np.asarray(bright.flux - subtract_residual(bright, _second(bright, residuals, SOURCES)).flux)
    assert np.abs(again - taken).max() < 0.05


def test_nan_stays_and_the_input_is_not_touched(exposure, residuals):
    cube = exposure.cube(3)
    flux, noise = cube.flux.copy(), cube.noise.copy()
    flux[:40] = flux[:, 0] = flux[300, 4, 5] = np.nan
    noise[np.isnan(flux)] = np.nan
    cube = dataclasses.replace(cube, flux=flux, noise=noise)
    copies = flux.copy(), noise.copy()
    result = subtract_residual(cube, _second(cube, residuals, SOURCES))
    assert np.array_equal(np.isnan(result.flux), np.isnan(flux))
    assert np.array_equal(np.isnan(result.noise), np.isnan(flux))
    assert result.flux.dtype == result.noise.dtype == np.float32
    assert all(np.array_equal(*pair, equal_nan=True) for pair in zip((flux, noise), copies, strict=True))


def test_lazy_stays_lazy(exposure, residuals):
    cube = exposure.cube(3)
    flux, noise = (da.from_array(array, chunks=(64, -1, -1)) for array in (cube.flux, cube.noise))
    lazy = dataclasses.replace(cube, flux=flux, noise=noise)
    second = _second(lazy, residuals, SOURCES)
    result, expected = subtract_residual(lazy, second), subtract_residual(cube, second)
    assert result.is_lazy
    assert result.flux.chunks == flux.chunks
    assert np.allclose(result.flux, expected.flux, atol=1e-5)
    assert np.allclose(result.noise, expected.noise, atol=1e-5)
    assert np.all(expected.noise >= cube.noise)


def test_sources_on_other_wavelengths_are_left_out(exposure, residuals):
    other = [dataclasses.replace(each, wavelength_um=each.wavelength_um + 0.1) for each in residuals]
    assert make_template(exposure.cube(3), other, (2, 4)) is None


@pytest.fixture(scope="module")
def night():
    """Six IFUs in K, four without stars, sky subtracted plainly: night, cubes, residuals."""
    parameters = SimulationParameters(seed=41, ifus=6, exposures=1, epochs=1, skies=1)
    scene = make_scene(parameters)
    scene = dataclasses.replace(scene, stars=select_stars(scene.stars, np.isin(scene.stars.ifu, (1, 17))))
    target, sky = (simulate_exposure(scene, find_exposure(scene, 0, on_sky=on_sky)) for on_sky in (False, True))
    night = Night(objects=(target,), skies=(sky,), files=(), sky_files=(), truth=(), scene=scene)
    cubes = {cube.ifu: subtract_sky(cube, sky.cube(cube.ifu), method="plain").cube for cube in target.cubes}
    return night, cubes, [measure_residual(cube) for cube in cubes.values()]


def _left(night, cube):
    """What is left over its noise on line planes: per spaxel, and of the mean of the 36 darkest over its own noise."""
    stars, light = true_stars(night, 0, cube.ifu), true_sky(night, 0, cube.ifu).mean(axis=(1, 2))
    used = np.isfinite(cube.flux).mean(axis=0) > 0.5
    dark = np.argsort(np.where(used, stars.mean(axis=0), np.inf), axis=None)[:36]
    z = ((np.asarray(cube.flux) - stars) / cube.noise).reshape(len(stars), -1)[:, dark]
    z[np.abs(z) > 12] = np.nan
    z -= ndimage.median_filter(np.nan_to_num(z), (61, 1))
    lines = light - ndimage.percentile_filter(light, 25, 61)
    lines = ndimage.binary_dilation(lines > 0.03 * lines.max(), np.ones(5, bool))
    lines &= ndimage.binary_erosion(np.isfinite(z).any(axis=1), np.ones(51, bool))
    return 1.4826 * np.nanmedian(np.abs(z[lines])), 6 * np.sqrt(np.mean(np.nanmean(z[lines], axis=1) ** 2))


def test_less_is_left_in_every_ifu_of_a_night(night):
    """A third of it in the mean, and per spaxel the noise that the cube tells, within 5 %."""
    simulated, cubes, residuals = night
    assert choose_emptier(residuals) == (3, 9, 11, 19)
    for ifu, cube in cubes.items():
        after = subtract_residual(cube, _second(cube, residuals, choose_emptier(residuals)))
        (spaxel, mean), (spaxel_after, mean_after) = _left(simulated, cube), _left(simulated, after)
        assert mean_after < 0.4 * mean, ifu
        assert spaxel_after < spaxel, ifu
        assert 0.93 < spaxel_after < 1.05, ifu


@pytest.mark.parametrize("peak", [300.0, 5.0])
def test_an_injected_star_keeps_its_light_and_its_features(night, peak):
    """In the IFU and in its source: 0.3 % of its light and of its CO bands, or half the noise of these."""
    _, cubes, residuals = night
    y, x = np.indices(cubes[3].shape[1:])
    image = peak * np.exp(-((y - 6.3) ** 2 + (x - 7.6) ** 2) / (2 * 1.5**2))
    depth = absorption("late", cubes[3].wavelength_um)
    sigma = float(np.nanmedian(cubes[3].noise))
    star = (sigma * image * (1 - depth)[:, None, None]).astype(np.float32)
    starry = {ifu: dataclasses.replace(cubes[ifu], flux=cubes[ifu].flux + star) for ifu in (3, 9, 11)}
    seen = [measure_residual(starry[each.ifu]) if each.ifu in starry else each for each in residuals]
    for ifu in (9, 11):
        with_star, without = (
            subtract_residual(each[ifu], _second(each[ifu], known, (9, 11)))
            for each, known in ((starry, seen), (cubes, residuals))
        )
        lost = np.nansum((star - (with_star.flux - without.flux)) * image, axis=(1, 2)) / np.sum(image**2) / sigma
        known = np.isfinite(cubes[ifu].flux).any(axis=(1, 2))
        feature = (depth - ndimage.uniform_filter1d(depth, 201)) * known
        depth_error = 1 / np.sqrt(np.sum(image**2) * (feature @ feature))
        assert abs(lost[known].mean()) < 0.003
        assert abs(lost @ feature) / (feature @ feature) < max(0.003, 0.5 * depth_error)
