"""A simulated night against its own truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import shift as shifted
from scipy.optimize import least_squares, minimize_scalar

from napari_kmos.errors import KmosError
from napari_kmos.instrument import BANDS
from napari_kmos.simulate import SimulationParameters, sample_night, simulate_night, true_sky, true_stars
from napari_kmos.simulate.conditions import level_factors
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.simulate.render import flexure_pix, sky_background, sky_cube, star_spectra, stars_cube
from napari_kmos.simulate.scene import find_exposure, make_scene
from napari_kmos.simulate.stars import select_stars
from napari_kmos.simulate.truth import stars_table, true_offsets
from napari_kmos.spatial.wcs import position_angle_deg, shift_wcs, sky_to_pixel

SMALL = SimulationParameters(nz=256, seed=4)


@pytest.fixture(scope="module")
def night():
    return simulate_night(SMALL)


def test_a_night_has_objects_and_skies_in_order(night):
    assert (len(night.objects), len(night.skies)) == (4, 4)
    assert len(set(night.files + night.sky_files)) == 8
    dates = [exposure.date.mjd for exposure in night.objects]
    assert dates == sorted(dates)
    assert [offset.half for offset in night.truth[::3]] == [1, 2, 1, 2]
    sky = night.skies[0].date.mjd
    assert dates[0] < sky < dates[1]
    for exposure in night.objects + night.skies:
        assert [arm.number for arm in exposure.arms] == list(range(1, 25))
        assert [cube.ifu for cube in exposure.cubes] == [3, 11, 19]
        assert all(arm.role == "object" for arm in exposure.arms if arm.cube is not None)


def test_star_stands_where_the_corrected_header_says(night):
    table = stars_table(night.scene)
    for offset in night.truth:
        star = table[(table["ifu"] == offset.ifu) & table["isolated"]][0]
        wcs = night.objects[offset.exposure].cube(offset.ifu).wcs
        corrected = shift_wcs(wcs, offset.dra_arcsec, offset.ddec_arcsec)
        y, x = sky_to_pixel(corrected, star["ra"], star["dec"])
        image = true_stars(night, offset.exposure, offset.ifu, ids=[star["id"]]).sum(axis=0)
        image /= night.scene.responses[offset.ifu].gain * image.sum()

        def misfit(p, image=image):
            return (p[3] * moffat_images(p[:1], p[1:2], image.shape, fwhm_pix=p[2])[0] - image).ravel()

        fitted = least_squares(misfit, [y + 0.3, x - 0.3, 3.5, 1.0]).x
        assert fitted[:2] == pytest.approx([y, x], abs=0.005)  # one Moffat stands for those of all wavelengths
        y_header, x_header = sky_to_pixel(wcs, star["ra"], star["dec"])
        expected = np.hypot(offset.dra_arcsec, offset.ddec_arcsec) / 0.2
        assert np.hypot(y - y_header, x - x_header) == pytest.approx(expected, abs=1e-3)


def test_pointing_errors_have_the_stated_size():
    scene = make_scene(dataclasses.replace(SMALL, ifus=24, exposures=20))
    errors = np.array([(offset.dra_arcsec, offset.ddec_arcsec) for offset in true_offsets(scene)])
    assert np.std(errors) == pytest.approx(0.25, rel=0.05)  # 1920 numbers: 1.6 % rms


def test_second_epoch_is_rotated(night):
    angles = [position_angle_deg(exposure.cubes[0].wcs) for exposure in night.objects]
    assert angles == pytest.approx([0, 0, 5, 5])
    assert [exposure.rotation_deg for exposure in night.objects] == pytest.approx(angles)


def test_star_light_in_the_cube_is_that_of_its_spectrum(night):
    scene = night.scene
    isolated = np.flatnonzero(scene.stars.isolated & (scene.stars.ifu == 11))[:1]
    star = select_stars(scene.stars, isolated)
    cube = true_stars(night, 0, 11, ids=star.id.tolist())
    conditions = find_exposure(scene, 0)
    spectrum = star_spectra(scene, star, shift_pix=flexure_pix(scene, conditions, 11))[0]
    share = cube.sum(axis=(1, 2)) / spectrum
    # Inside a field of 2.8 arcsec is most of a star near its centre; the share changes slowly, with the seeing.
    assert np.all((share > 0.85) & (share < 1.02))
    assert np.ptp(share) < 0.03


def test_noise_is_as_stated(night):
    for exposures, on_sky in ((night.objects, False), (night.skies, True)):
        for index, exposure in enumerate(exposures[:2]):
            cube = exposure.cube(19)
            truth = true_stars(night, index, 19, on_sky=on_sky) + true_sky(night, index, 19, on_sky=on_sky)
            pull = (cube.flux - truth) / cube.noise
            good = np.abs(pull) < 6  # bad voxels are at 30 and more
            assert np.std(pull[good]) == pytest.approx(1.0, abs=0.02)  # 40,000 voxels: 0.4 %
            assert np.mean(pull[good]) == pytest.approx(0.0, abs=0.02)
            assert 0 < np.sum(np.abs(pull) > 20) < 20  # 1e-4 of 50,000


def test_no_data_is_nan_at_the_edges(night):
    for ifu, axis in ((3, 0), (19, 1)):
        cube = night.objects[0].cube(ifu)
        spaxels = np.isnan(cube.flux).all(axis=0)
        assert np.array_equal(np.flatnonzero(spaxels.all(axis=1 - axis)), [0, 13])
        planes = np.isnan(cube.flux).all(axis=(1, 2))
        assert planes[0]
        assert planes[-1]
        assert planes.mean() < 0.07
        np.testing.assert_array_equal(np.isnan(cube.flux), np.isnan(cube.noise))


def test_levels_vary_between_object_and_sky(night):
    scene = night.scene
    one, two = (level_factors(scene.lines, find_exposure(scene, 0, on_sky=on_sky).sky) for on_sky in (False, True))
    ratio = np.log(two / one)
    assert 0.01 < np.std(ratio) < 0.4
    for v in (8, 9):
        assert np.std(ratio[scene.lines.v_upper == v]) > 1e-4  # rotation, spin and levels vary within v'
    keys = np.stack([scene.lines.v_upper, scene.lines.n_upper, scene.lines.f_upper], axis=1)
    level = np.all(keys == (9, 1, 1), axis=1)
    assert level.sum() >= 2
    assert np.ptp(ratio[level]) < 1e-12  # all lines of a level scale together


def test_amplitude_is_the_rms_of_the_levels():
    spread = []
    for seed in range(12):
        scene = make_scene(SimulationParameters(nz=64, ifus=1, exposures=4, skies=4, seed=seed, amplitude=0.1))
        spread += [np.log(conditions.sky.vibration[1:]) for conditions in scene.exposures]
    assert np.std(spread) == pytest.approx(0.1, rel=0.3)  # 24 epochs, each a few independent states


def test_without_amplitude_and_flexure_the_sky_stays(night):
    steady = simulate_night(dataclasses.replace(SMALL, ifus=1, amplitude=0.0, flexure=0.0))
    np.testing.assert_array_equal(true_sky(steady, 0, 3), true_sky(steady, 0, 3, on_sky=True))
    assert not np.allclose(true_sky(night, 0, 3), true_sky(night, 0, 3, on_sky=True), rtol=0.01)


def test_flexure_moves_stars_and_sky_alike():
    parameters = SimulationParameters(ifus=1, exposures=1, epochs=1, amplitude=0.0, flexure=0.3, telluric=True, seed=2)
    scene = make_scene(parameters)
    plain = make_scene(dataclasses.replace(parameters, flexure=0.0))
    conditions, steady = find_exposure(scene, 0), find_exposure(plain, 0)
    middle = slice(700, 1300)
    expected = np.mean(flexure_pix(scene, conditions, 3)[middle])
    assert abs(expected) > 0.05
    for render in (sky_cube, stars_cube):
        moved = render(scene, conditions, 3)[:, 6:9, 6:9].sum(axis=(1, 2))
        still = render(plain, steady, 3)[:, 6:9, 6:9].sum(axis=(1, 2))

        def misfit(by, moved=moved, still=still):
            return np.sum((moved - shifted(still, by, order=5, mode="nearest"))[middle] ** 2)

        measured = minimize_scalar(misfit, bounds=(-1, 1), method="bounded").x
        assert measured == pytest.approx(expected, abs=0.02)  # undersampled lines are interpolated


def test_flexure_may_be_curved_along_the_band(night):
    """What a straight line leaves has the rms that was asked for, over many exposures: to 10 %."""
    curved = make_scene(dataclasses.replace(SMALL, exposures=100, epochs=3, flexure_curve=0.2, seed=3))
    straight = make_scene(dataclasses.replace(SMALL, exposures=100, epochs=3, seed=3))
    plane = np.arange(curved.detector.nz)
    left = []
    for bent, same in zip(curved.exposures, straight.exposures, strict=True):
        assert (bent.shift_pix, bent.stretch_pix, bent.seeing_arcsec) == (
            same.shift_pix,
            same.stretch_pix,
            same.seeing_arcsec,
        )
        assert same.curve_pix == (0, 0)
        flexure = flexure_pix(curved, bent, 3)
        left.append(flexure - np.polyval(np.polyfit(plane, flexure, 1), plane))
    assert np.sqrt(np.mean(np.square(left))) == pytest.approx(0.2, rel=0.1)


def test_the_same_seed_gives_the_same_night(night):
    again = simulate_night(SMALL)
    for one, two in zip(night.objects + night.skies, again.objects + again.skies, strict=True):
        for first, second in zip(one.cubes, two.cubes, strict=True):
            np.testing.assert_array_equal(first.flux, second.flux)
    other = simulate_night(dataclasses.replace(SMALL, seed=5, ifus=1, epochs=1))
    assert not np.array_equal(other.objects[0].cube(3).flux, night.objects[0].cube(3).flux, equal_nan=True)


def test_more_ifus_do_not_change_an_ifu(night):
    alone = simulate_night(dataclasses.replace(SMALL, ifus=1))
    np.testing.assert_array_equal(alone.objects[1].cube(3).flux, night.objects[1].cube(3).flux)


@pytest.mark.parametrize("band", BANDS)
def test_every_band_can_be_simulated(band):
    night = simulate_night(SimulationParameters(band=band, nz=300, ifus=1, exposures=1, epochs=1))
    cube = night.objects[0].cube()
    assert night.objects[0].band == band
    assert cube.wavelength_um[0] == pytest.approx(BANDS[band].start_um)
    step = np.diff(cube.wavelength_um)[0]
    assert step * 300 == pytest.approx(BANDS[band].end_um - BANDS[band].start_um)
    sky = true_sky(night, 0, 3)[:, 7, 7]
    assert np.sum(sky > 3 * np.percentile(sky, 20)) >= 10
    background = sky_background(night.scene, find_exposure(night.scene, 0))
    assert (background[-1] > 3 * background[0]) == (band in ("K", "HK"))  # thermal emission


def test_smaller_spaxels_share_the_light():
    coarse = simulate_night(dataclasses.replace(SMALL, ifus=1, epochs=1, exposures=1))
    fine = simulate_night(dataclasses.replace(SMALL, ifus=1, epochs=1, exposures=1, pix_scale=0.1))
    assert fine.objects[0].cube().shape == (256, 28, 28)
    for truth in (true_stars, true_sky):
        one, two = truth(coarse, 0, 3)[:, 1:-1].sum(), truth(fine, 0, 3)[:, 2:-2].sum()
        assert two == pytest.approx(one, rel=0.03)  # the gains along a slitlet differ by a percent


def test_stars_can_stand_in_the_sky_field():
    night = simulate_night(dataclasses.replace(SMALL, ifus=1, epochs=1, exposures=1, sky_stars=3))
    assert true_stars(night, 0, 3, on_sky=True).max() > 0
    none = simulate_night(dataclasses.replace(SMALL, ifus=1, epochs=1, exposures=1))
    assert true_stars(none, 0, 3, on_sky=True).max() == 0


def test_unknown_exposures_and_arms_are_refused(night):
    with pytest.raises(KmosError, match="no object exposure 9"):
        true_stars(night, 9, 3)
    with pytest.raises(KmosError, match="IFU 4 is not in use"):
        true_sky(night, 0, 4)


def test_sample_night_is_small():
    night = sample_night()
    assert sum(cube.flux.nbytes for cube in night.objects[0].cubes) < 1e6
