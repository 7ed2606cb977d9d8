"""Several skies for one object: each matched on its own, then averaged; and nights on which that must help."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import ndimage
from sky_pairs import make_pair

from napari_kmos.errors import SkyError
from napari_kmos.simulate import SimulationParameters
from napari_kmos.simulate.night import simulate_exposure
from napari_kmos.simulate.render import sky_cube, stars_cube
from napari_kmos.simulate.scene import make_scene
from napari_kmos.sky import SKY_METHODS, SkySource, choose_best, sky_options, subtract_skies, subtract_sky
from napari_kmos.sky.parameters import SkyParameters
from napari_kmos.spectral.nan import nan_mean

WEIGHTS = (0.3, 0.7)


@pytest.fixture(scope="module")
def three():
    """An object and two skies whose lines lie 0.3 planes further, one on either side."""
    pairs = [make_pair(sigma=2.0, shift=shift, seed=seed) for shift, seed in ((0.15, 1), (-0.15, 2))]
    target = make_pair(sigma=2.0, seed=3).target
    return target, [dataclasses.replace(pair.target, source=f"sky {k}") for k, pair in enumerate(pairs)]


@pytest.fixture(scope="module", params=list(SKY_METHODS))
def averaged(request, three):
    """The average of a method, and the results it is made of."""
    target, skies = three
    singles = [subtract_sky(target, sky, method=request.param) for sky in skies]
    pairs = tuple(zip(skies, WEIGHTS, strict=True))
    return subtract_skies(target, pairs, method=request.param), singles


def test_the_average_is_that_of_the_models(averaged, three):
    mean, singles = averaged
    flux = sum(weight * np.asarray(each.cube.flux, float) for weight, each in zip(WEIGHTS, singles, strict=True))
    assert np.asarray(mean.cube.flux) == pytest.approx(flux, rel=1e-5, abs=1e-3, nan_ok=True)
    assert mean.cube.flux.dtype == mean.cube.noise.dtype == np.float32
    assert mean.shift_pix == pytest.approx(np.dot(WEIGHTS, [each.shift_pix for each in singles]), abs=1e-9)
    factors = [[band.factor for band in each.bands] for each in singles]
    assert [band.factor for band in mean.bands] == pytest.approx(np.dot(WEIGHTS, factors))
    assert [band.n_line_pixels for band in mean.bands] == [band.n_line_pixels for band in singles[1].bands]
    assert mean.sky_source == "0.70 x sky 1 and 0.30 x sky 0"


def test_the_noise_of_the_models_is_added_in_quadrature(averaged, three):
    mean, singles = averaged
    own = np.asarray(three[0].noise, float) ** 2
    models = [np.asarray(each.cube.noise, float) ** 2 - own for each in singles]
    expected = np.sqrt(own + sum(weight**2 * model for weight, model in zip(WEIGHTS, models, strict=True)))
    assert np.asarray(mean.cube.noise) == pytest.approx(expected, rel=1e-4, nan_ok=True)


def test_what_is_left_is_that_of_the_mean(averaged):
    mean, singles = averaged
    largest = max(each.rms_after for each in singles)
    assert mean.rms_after <= largest
    residual = np.dot(WEIGHTS, [each.residual_spectrum for each in singles])
    if mean.method == "levels":  # the others look at other spaxels with another sky
        assert mean.residual_spectrum == pytest.approx(residual, abs=1e-6, nan_ok=True)


def test_where_one_sky_has_no_value_the_other_counts(three):
    target, skies = three
    holed = np.array(skies[0].flux)
    holed[100:110, 4, 5] = np.nan
    skies = [dataclasses.replace(skies[0], flux=holed), skies[1]]
    mean = subtract_skies(target, tuple(zip(skies, WEIGHTS, strict=True)), method="plain")
    alone = subtract_sky(target, skies[1], method="plain")
    hole = slice(100, 110), 4, 5
    assert np.asarray(mean.cube.flux)[hole] == pytest.approx(np.asarray(alone.cube.flux)[hole])
    assert np.asarray(mean.cube.noise)[hole] == pytest.approx(np.asarray(alone.cube.noise)[hole])


def test_one_sky_is_the_usual_subtraction(three):
    target, skies = three
    mean = subtract_skies(target, ((skies[0], 1.0),), method="plain")
    assert np.array_equal(mean.cube.flux, subtract_sky(target, skies[0], method="plain").cube.flux, equal_nan=True)
    with pytest.raises(SkyError, match="no sky cube is given"):
        subtract_skies(target, ())


def test_inputs_are_not_touched_and_noise_is_estimated_once(three):
    target, skies = (dataclasses.replace(three[0], noise=None), three[1])
    before = np.array(target.flux)
    mean = subtract_skies(target, tuple(zip(skies, WEIGHTS, strict=True)), method="plain")
    assert np.array_equal(target.flux, before)
    assert target.noise is None
    assert mean.cube.noise_estimated


# --- nights ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nights():
    """What `plain` and `levels` leave over the truth, by pick, with the object between two skies."""
    return [_night(seed) for seed in (1, 2, 3)]


def _night(seed):
    """Object at 12 min, skies at 0, 18 and 36 min; flexure 0.25 planes."""
    settings = SimulationParameters(seed=seed, ifus=1, exposures=1, skies=6, epochs=1, flexure=0.25, nz=1024)
    scene = make_scene(settings)
    slots = sorted(scene.exposures, key=lambda one: one.mjd)
    skies = [
        SkySource(simulate_exposure(scene, dataclasses.replace(slots[slot], on_sky=True, index=number)))
        for number, slot in enumerate((0, 3, 6))
    ]
    conditions = dataclasses.replace(slots[2], on_sky=False, index=0)
    target = simulate_exposure(scene, conditions)
    cube = target.cube()
    truth = stars_cube(scene, conditions, cube.ifu)
    light = sky_cube(scene, conditions, cube.ifu)
    return {
        (method, pick): _left(target, skies, (method, pick), truth, light)
        for method in ("plain", "levels")
        for pick in ("nearest", "best", "interpolate")
    }


def _left(target, skies, how, truth, light):
    """Return the scatter on the sky lines of the mean of the spaxels of what is left beside the true stars."""
    method, pick = how
    cube, p = target.cube(), SkyParameters()
    choice = choose_best(sky_options(target, target.cubes, skies, pick, p), target.cubes, method=method)
    left = np.asarray(subtract_skies(cube, choice.skies_for(cube), method=method).cube.flux, float) - truth
    mean = nan_mean(left[:, 2:-2, 2:-2].reshape(len(left), -1).T)
    mean -= ndimage.median_filter(np.nan_to_num(mean), 61)  # the background is another matter
    brightness = light.mean(axis=(1, 2))
    lines = (brightness > 3 * np.median(brightness)) & np.isfinite(mean)
    return float(np.std(mean[lines]))


@pytest.mark.parametrize("method", ["plain", "levels"])
@pytest.mark.parametrize("pick", ["best", "interpolate"])
def test_best_and_interpolation_leave_no_more_than_the_nearest(nights, method, pick):
    nearest, other = (np.mean([night[method, which] for night in nights]) for which in ("nearest", pick))
    # With `levels` every sky leaves the noise of the object, which 45 pixels in each of three IFUs tell to 6 %: what
    # two skies leave differs by 8 %.
    assert other <= nearest * (1.08 if method == "levels" else 0.97)
