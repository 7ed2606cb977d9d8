"""Cubes finer than the detectors, and what differs between spaxels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from napari_kmos.simulate import SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.simulate.arms import make_response
from napari_kmos.simulate.grid import missing_in_cube, noise_to_cube, spectra_to_cube, to_cube
from napari_kmos.simulate.render import sky_cube
from napari_kmos.simulate.scene import find_exposure, make_scene

NIGHT = SimulationParameters(seed=4, ifus=3, exposures=1, epochs=1, nz=3072, pix_scale=0.1)


@pytest.fixture(scope="module")
def scene():
    return make_scene(NIGHT)


@pytest.fixture(scope="module")
def night():
    return simulate_night(dataclasses.replace(NIGHT, ifus=1))


def test_finer_cubes_are_those_of_the_detector_interpolated(night):
    """Shape, header and gaps of the fine grid; the values of the coarse night, noise and wrong voxels included."""
    coarse = simulate_night(NIGHT.on_detector).objects[0].cube(3)
    fine = night.objects[0].cube(3)
    assert coarse.shape == (2048, 14, 14)
    assert fine.shape == (3072, 28, 28)
    assert np.ptp(fine.wavelength_um) == pytest.approx(np.ptp(coarse.wavelength_um), rel=1e-3)
    interpolated = to_cube(np.nan_to_num(np.asarray(coarse.flux, dtype=float)), night.scene, 3)
    known = np.isfinite(fine.flux)
    np.testing.assert_allclose(fine.flux[known], interpolated[known], rtol=1e-4, atol=1e-4)
    sky_pixel = fine.wcs.pixel_to_world_values(13.5, 13.5), coarse.wcs.pixel_to_world_values(6.5, 6.5)
    np.testing.assert_allclose(*sky_pixel, atol=1e-8)


@pytest.mark.parametrize(("ifu", "lost"), [(3, [0, 1, 26, 27]), (19, [0, 1, 26, 27])])
def test_gaps_grow_with_the_grid(scene, ifu, lost):
    planes, spaxels = missing_in_cube(scene, ifu)
    response = scene.responses[ifu]
    along = 1 if ifu == 3 else 0  # rows in detectors 1 and 2, columns in detector 3
    assert np.array_equal(np.flatnonzero(spaxels.all(axis=along)), lost)
    assert np.flatnonzero(~planes)[0] == pytest.approx(1.5 * response.first_plane, abs=1)
    assert np.flatnonzero(~planes)[-1] == pytest.approx(1.5 * response.last_plane, abs=1.5)


def test_light_is_kept_and_smooth_light_is_exact(scene):
    """A parabola along each axis is met to the error of the natural ends; spaxels of a quarter of the area share."""
    plane, y, x = (np.linspace(-1, 1, n) for n in (2048, 14, 14))
    light = (2 + plane**2)[:, None, None] * (1 + 0.2 * y[:, None] ** 2) * (1 - 0.3 * x**2)
    fine = to_cube(light, scene, 3)
    at_plane, at_y = np.arange(3072) / 1.5 / 1023.5 - 1, (np.arange(28) - 13.5) / 13
    expected = (2 + at_plane**2)[:, None, None] * (1 + 0.2 * at_y[:, None] ** 2) * (1 - 0.3 * at_y**2) / 4
    inner = np.s_[120:-120, 6:-6, 6:-6]
    assert fine[inner] == pytest.approx(expected[inner], rel=1e-3)
    assert np.isfinite(fine).all()
    spectra = np.stack([2 + plane, 1 - plane])
    assert spectra_to_cube(spectra, scene) == pytest.approx(np.stack([2 + at_plane, 1 - at_plane]), abs=1e-3)


def test_stated_noise_is_the_scatter_and_neighbours_share_it(scene):
    """About a millionfold; what neighbours share comes on top in sums, which is what makes finer cubes harder."""
    sigma = np.full((2048, 14, 14), 3.0)
    drawn = np.random.default_rng(1).normal(0, 3.0, sigma.shape)
    z = (to_cube(drawn, scene, 3) / noise_to_cube(sigma, scene, 3))[150:-150, 4:-4, 4:-4]
    assert np.std(z) == pytest.approx(1, abs=0.01)  # about 60,000 of the voxels are independent
    for axis, apart in ((0, 1), (1, 1), (2, 1)):
        neighbours = np.mean(z * np.roll(z, apart, axis=axis))
        assert neighbours > 0.3
    binned = z[:, ::2, ::2] + z[:, 1::2, ::2] + z[:, ::2, 1::2] + z[:, 1::2, 1::2]
    assert np.std(binned) > 1.3 * 2


def test_truth_of_finer_cubes_is_on_their_grid(night):
    cube = night.objects[0].cube(3)
    truth = true_stars(night, 0, 3) + true_sky(night, 0, 3)
    assert truth.shape == cube.shape
    pull = (np.asarray(cube.flux) - truth) / np.asarray(cube.noise)
    assert 1.4826 * np.nanmedian(np.abs(pull)) == pytest.approx(1, abs=0.01)


def test_coarser_cubes_are_left_alone():
    parameters = SimulationParameters(seed=4, ifus=1, nz=300, pix_scale=0.4)
    scene = make_scene(parameters)
    assert scene.detector == parameters
    light = np.ones((300, 7, 7))
    assert to_cube(light, scene, 3) is light


def test_arms_differ_as_stated():
    """Gain and shift of spaxels and slitlets over many arms; the shares of the wing about the usual."""
    parameters = SimulationParameters(
        slitlet_gain=0.01, spaxel_gain=0.02, illumination=0.0, slitlet_shift=0.05, spaxel_shift=0.04, slitlet_wing=0.2
    )
    responses = [make_response(parameters, ifu) for ifu in range(1, 17)]
    assert np.std([each.gain for each in responses]) == pytest.approx(np.hypot(0.01, 0.02), rel=0.05)
    assert np.std([each.gain.mean(axis=1) for each in responses]) == pytest.approx(0.0113, rel=0.15)
    assert np.std([each.shift_pix for each in responses]) == pytest.approx(0.05, rel=0.15)
    assert np.std([each.spaxel_shift_pix for each in responses]) == pytest.approx(0.04, rel=0.05)
    assert np.std([np.log(each.wing / 0.05) for each in responses]) == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize(("ifu", "axis"), [(3, 1), (19, 0)])
def test_lines_lie_where_tilt_and_spaxel_errors_put_them(ifu, axis):
    """Each spaxel of a slitlet sees what a slitlet moved by that much would: to 1e-3 of the brightest line."""
    parameters = SimulationParameters(seed=3, ifus=3, nz=128, slitlet_tilt=0.05, spaxel_shift=0.03, illumination=0.0)
    scene = make_scene(parameters)
    response, conditions = scene.responses[ifu], find_exposure(scene, 0)
    seen = sky_cube(scene, conditions, ifu)
    inner = response.spaxel_shift_pix
    slopes = np.diff(inner, axis=axis).mean(axis=axis)
    assert np.std(slopes) == pytest.approx(2 * 0.05 / 13, rel=0.6)  # fourteen slitlets, from end to end
    for at in (0, 6, 13):
        whole = dataclasses.replace(
            response,
            shift_pix=response.shift_pix + inner.take(at, axis=axis),
            spaxel_shift_pix=np.zeros((14, 14)),
        )
        expected = sky_cube(dataclasses.replace(scene, responses={ifu: whole}), conditions, ifu)
        difference = (seen - expected).take(at, axis=axis + 1)
        assert np.abs(difference).max() < 1e-3 * seen.max()
