"""Stars in simulated sky cubes are found, and what is put in their place is the sky, with honest noise."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from scipy import ndimage

from napari_kmos.errors import GeometryError, KmosWarning, SkyError
from napari_kmos.instrument import BANDS
from napari_kmos.simulate import SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.sky import CleaningParameters, SkyCleaner, subtract_sky
from napari_kmos.spectral.nan import nan_median

#: Electrons per ADU/s in an exposure of 300 s.
ELECTRONS = 2.1 * 300
#: y, x and light per plane (ADU/s): bright enough that wings reach over most of an IFU; at the edge; faint.
STARS = ((9.2, 4.1, 20.0), (3.4, 12.6, 8.0), (6.0, 8.5, 3.0), (11.8, 11.0, 1.5), (2.0, 2.3, 0.8), (8.0, 13.4, 30.0))
FAINT = ((4.3, 8.7, 0.6),)


@pytest.fixture(scope="module")
def night():
    """A night without stars in its sky: three IFUs, one a detector."""
    return simulate_night(SimulationParameters(seed=41, ifus=3, exposures=1, epochs=1))


@pytest.fixture(scope="module")
def crowded_night():
    """Four IFUs, two of one detector, each with eight stars in its sky."""
    return simulate_night(SimulationParameters(seed=43, ifus=4, exposures=1, epochs=1, sky_stars=8))


def with_stars(exposure, ifu, stars, *, seed=5):
    """Add stars to one IFU: their light, redder or bluer from star to star, with a band head, and its photon noise."""
    cube = exposure.cube(ifu)
    y, x, flux = np.array(stars).T
    images = moffat_images(y, x, cube.shape[1:], fwhm_pix=3.7)
    u = np.linspace(-1, 1, cube.shape[0])
    light = np.zeros(cube.shape)
    for number, (image, total) in enumerate(zip(images, flux, strict=True)):
        spectrum = (1 + (-0.1 + 0.05 * number) * u) * np.where(u > 0.3, 0.85 + 0.03 * (number % 3), 1.0)
        light += total * spectrum[:, None, None] * image
    rng = np.random.default_rng(seed)
    light_seen = light + np.sqrt(light / ELECTRONS) * rng.standard_normal(light.shape)
    noise = np.hypot(np.asarray(cube.noise, dtype=float), np.sqrt(light / ELECTRONS))
    flux = np.asarray(cube.flux) + light_seen
    return with_cube(exposure, dataclasses.replace(cube, flux=flux.astype("f4"), noise=noise.astype("f4"))), light


def with_cube(exposure, cube):
    """Return the exposure with another cube of an IFU."""
    arms = (dataclasses.replace(arm, cube=cube) if arm.number == cube.ifu else arm for arm in exposure.arms)
    return dataclasses.replace(exposure, arms=tuple(arms))


def known(cube):
    """Spaxels with data, and planes with data in all of them."""
    finite = np.isfinite(np.asarray(cube.flux))
    used = finite.mean(axis=0) > 0.5
    return used, finite[:, used].mean(axis=1) > 0.5


def typical_noise(cube):
    """Noise of each plane in an IFU without stars."""
    used, _ = known(cube)
    return nan_median(np.asarray(cube.noise, dtype=float)[:, used].T)


def deviations(cleaned, truth, spaxels, planes):
    """Return what is wrong in some spaxels, and its expected error."""
    wrong = (np.asarray(cleaned.flux, dtype=float) - truth)[planes][:, spaxels]
    return wrong, np.asarray(cleaned.noise, dtype=float)[planes][:, spaxels]


def rms(values):
    return float(np.sqrt(np.mean(np.square(values))))


@pytest.mark.parametrize("band", BANDS)
def test_skies_without_stars_keep_every_spaxel(band):
    """Gain, shift and line width differ from slitlet to slitlet; of 40 000 spaxels with other seeds none was masked."""
    night = simulate_night(SimulationParameters(seed=47, ifus=2, exposures=1, epochs=1, band=band))
    cleaner = SkyCleaner(night.skies[0])
    for cube in night.skies[0].cubes:
        assert np.array_equal(cleaner.mask(cube.ifu), known(cube)[0])
        assert cleaner.n_masked(cube.ifu) == 0


def test_stars_are_masked_with_their_wings(night):
    """Starlight that is kept is no more than 0.15 of the noise of a voxel, also of a faint star and one at the edge."""
    sky = night.skies[0]
    for cube, stars in zip(sky.cubes, (STARS[1:2], FAINT, ((5.0, 12.9, 4.0),)), strict=True):
        exposure, light = with_stars(sky, cube.ifu, stars)
        cleaner = SkyCleaner(exposure)
        white = light.mean(axis=0) / np.nanmedian(typical_noise(cube))
        used, _ = known(cube)
        assert white[used & cleaner.mask(cube.ifu)].max() < 0.15
        assert not cleaner.mask(cube.ifu)[used & (white > 0.3)].any()
        seen = cleaner.starlight(cube.ifu) - light.mean(axis=0)
        # Weighted with the noise, the mean is not that over all planes: stars have colours.
        assert np.nanmedian(np.abs(seen)) < 0.1 * light.mean(axis=0).max()


def test_faint_extended_light_is_masked(night):
    """A third of the noise of a voxel, in no spaxel more than five sigma alone."""
    sky = night.skies[0]
    cube = sky.cubes[0]
    y, x = np.indices(cube.shape[1:])
    glow = 0.33 * np.nanmedian(typical_noise(cube)) * np.exp(-((y - 9) ** 2 + (x - 3) ** 2) / (2 * 2.5**2))
    cleaner = SkyCleaner(with_cube(sky, dataclasses.replace(cube, flux=(cube.flux + glow).astype("f4"))))
    assert not cleaner.mask(cube.ifu)[glow > 0.7 * glow.max()].any()
    assert cleaner.n_masked(cube.ifu) < 60


def test_gain_is_no_star(night):
    """A slitlet that is 10 % more sensitive has brighter lines as well; the same light without lines is a star."""
    sky = night.skies[0]
    cube = sky.cubes[0]
    gain = np.ones(cube.shape[1:])
    gain[5], gain[8, 4:7] = 1.1, 0.9
    changed = dataclasses.replace(cube, flux=(cube.flux * gain).astype("f4"), noise=(cube.noise * gain).astype("f4"))
    assert SkyCleaner(with_cube(sky, changed)).n_masked(cube.ifu) == 0
    light = 0.1 * np.nanmedian(np.asarray(cube.flux)) * (gain > 1)
    lit = dataclasses.replace(cube, flux=(cube.flux + light).astype("f4"))
    assert not SkyCleaner(with_cube(sky, lit)).mask(cube.ifu)[5].any()


@pytest.mark.parametrize("stars", [STARS[4:5], STARS[1:2], STARS], ids=["faint", "one", "crowded"])
def test_what_is_filled_is_the_sky(night, stars):
    """Within 0.2 of the noise of a voxel, and as far off as its own noise says: pulls of about 1.

    In a crowded IFU the error of the mean takes the spectra of stars for more different than these are.
    """
    sky = night.skies[0]
    cube = sky.cubes[1]
    exposure, _ = with_stars(sky, cube.ifu, stars)
    cleaner = SkyCleaner(exposure)
    cleaned = cleaner.clean(exposure.cube(cube.ifu))
    used, planes = known(cube)
    filled = used & ~cleaner.mask(cube.ifu)
    wrong, error = deviations(cleaned, true_sky(night, 0, cube.ifu, on_sky=True), filled, planes)
    voxel = typical_noise(cube)[planes, None]
    assert np.count_nonzero(filled) > 20
    assert rms(wrong / voxel) < 0.2
    assert abs(np.mean(wrong / voxel)) < 0.06
    assert 0.75 < rms(wrong / error) < 1.15
    (done,) = cleaner.report
    assert (done.crowded, done.n_masked) == (len(stars) > 1 or np.count_nonzero(filled) > 84, np.count_nonzero(filled))
    assert done.reference == (night.skies[0].cubes[0].ifu if done.crowded else None)


def test_crowded_ifu_takes_the_level_of_one_of_its_detector(crowded_night):
    """The darkest spaxels have starlight of up to three times the noise; a neighbour without stars tells so."""
    crowded = crowded_night.skies[0]
    free = simulate_night(dataclasses.replace(crowded_night.scene.parameters, sky_stars=0)).skies[0]
    own = crowded.cubes[0]
    exposure = with_cube(free, own)
    cleaner = SkyCleaner(exposure)
    cleaned = cleaner.clean(own)
    (done,) = cleaner.report
    (neighbour,) = (cube.ifu for cube in free.cubes if cube.ifu != own.ifu and cube.ifu <= 8)
    assert (done.crowded, done.reference) == (True, neighbour)
    used, planes = known(own)
    voxel = typical_noise(free.cube(own.ifu))
    assert true_stars(crowded_night, 0, own.ifu, on_sky=True).mean(axis=0)[used].min() > 0.3 * np.nanmedian(voxel)
    wrong, _ = deviations(cleaned, true_sky(crowded_night, 0, own.ifu, on_sky=True), used, planes)
    assert abs(np.mean(wrong / voxel[planes, None])) < 0.1
    assert rms(wrong / voxel[planes, None]) < 0.3


def test_where_stars_are_everywhere_it_says_so(crowded_night):
    """The level is that of the darkest IFU, and its error is in the noise."""
    cleaner = SkyCleaner(crowded_night.skies[0])
    own = crowded_night.skies[0].cubes[2]
    with pytest.warns(KmosWarning, match=r"IFU \d+ .*spaxels are free of stars, and no other IFU has more sky"):
        cleaned = cleaner.clean(own)
    used, planes = known(own)
    wrong, error = deviations(cleaned, true_sky(crowded_night, 0, own.ifu, on_sky=True), used, planes)
    assert rms(wrong / error) < 2


def test_uncertain_mean_gives_way_to_the_spectrum_of_another_ifu(night):
    """With the gain of this one: lines are right to a fifth of the noise of a voxel."""
    sky = night.skies[0]
    cube = sky.cubes[1]
    exposure, _ = with_stars(sky, cube.ifu, STARS)
    cleaned = SkyCleaner(exposure, parameters=CleaningParameters(max_error=0.01)).clean(exposure.cube(cube.ifu))
    used, planes = known(cube)
    planes &= known(sky.cubes[0])[1]
    wrong, _ = deviations(cleaned, true_sky(night, 0, cube.ifu, on_sky=True), used, planes)
    assert rms(wrong / typical_noise(cube)[planes, None]) < 0.3


def test_what_shows_sky_stays_and_wrong_voxels_go(night):
    """Bad voxels are off by 30 to 200 sigma; holes and voxels without noise are filled, planes without data are not."""
    cube = night.skies[0].cubes[0]
    used, planes = known(cube)
    flux = np.array(cube.flux)
    hole = np.flatnonzero(planes)[300:307]
    flux[hole, 6, 7] = np.nan
    before = flux.copy()
    cleaner = SkyCleaner(with_cube(night.skies[0], dataclasses.replace(cube, flux=flux)))
    cleaned = cleaner.clean(dataclasses.replace(cube, flux=flux))
    assert np.array_equal(flux, before, equal_nan=True)
    assert (cleaned.shape, cleaned.flux.dtype, cleaned.unit) == (cube.shape, np.float32, cube.unit)
    truth = true_sky(night, 0, cube.ifu, on_sky=True)
    off = np.abs(cleaned.flux - truth) / typical_noise(cube)[:, None, None]
    assert np.nanmax(off) < 7
    assert np.array_equal(np.isfinite(cleaned.flux), planes[:, None, None] & used)
    assert np.array_equal(np.isfinite(cleaned.noise), np.isfinite(cleaned.flux))
    changed = (cleaned.flux != flux) & np.isfinite(cleaned.flux)
    bad = np.abs(flux - truth) / np.asarray(cube.noise) > 20
    assert changed[bad & used].all()
    (done,) = cleaner.report
    assert done.n_voxels == np.count_nonzero(changed)
    # One voxel in ten thousand is wrong, and seven are missing.
    assert np.count_nonzero(bad) < done.n_voxels < np.count_nonzero(bad) + 7 + 5


def test_given_masks_are_used_as_they_are(night):
    sky = night.skies[0]
    cube = sky.cubes[0]
    mask = np.ones(cube.shape[1:], dtype=bool)
    mask[4:7, 2:6] = False
    cleaner = SkyCleaner(sky, masks={cube.ifu: mask})
    used, planes = known(cube)
    assert np.array_equal(cleaner.mask(cube.ifu), mask & used)
    assert set(cleaner.masks) == {each.ifu for each in sky.cubes}
    cleaned = cleaner.clean(cube)
    expected = np.asarray(cube.noise)[planes][:, mask & used].mean()
    assert np.asarray(cleaned.noise)[planes][:, ~mask].mean() < 0.3 * expected
    assert (cleaned.flux != cube.flux)[planes][:, ~mask].all()


def test_noise_is_estimated_where_there_is_none(night):
    cube = dataclasses.replace(night.skies[0].cubes[0], noise=None)
    cleaned = SkyCleaner(with_cube(night.skies[0], cube)).clean(cube)
    assert cleaned.noise_estimated
    used, planes = known(cube)
    assert np.isfinite(np.asarray(cleaned.noise)[planes][:, used]).all()


def test_ifu_without_data_stays_so(night):
    sky = night.skies[0]
    empty = dataclasses.replace(sky.cubes[0], flux=np.full(sky.cubes[0].shape, np.nan, dtype="f4"))
    exposure, _ = with_stars(with_cube(sky, empty), sky.cubes[1].ifu, STARS)
    cleaner = SkyCleaner(exposure)
    assert not np.isfinite(cleaner.clean(empty).flux).any()
    assert not cleaner.mask(empty.ifu).any()
    cleaner.clean(exposure.cube(sky.cubes[1].ifu))
    assert cleaner.report[1].reference == sky.cubes[2].ifu


def test_what_does_not_fit_is_refused(night):
    sky = night.skies[0]
    ifu = sky.cubes[0].ifu
    with pytest.raises(GeometryError, match=r"sky mask has shape \(3, 4\), the cube \(14, 14\)"):
        SkyCleaner(sky, masks={ifu: np.ones((3, 4), dtype=bool)})
    with pytest.raises(SkyError, match=r"no data for IFU 24; IFUs with data: "):
        SkyCleaner(sky).mask(24)
    twice = dataclasses.replace(sky, arms=(*sky.arms, sky.arms[ifu - 1]))
    with pytest.raises(SkyError, match="several cubes have the same IFU number"):
        SkyCleaner(twice)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"seed_sigma": 0.0}, r"seed_sigma is 0\.0; expected more than 0"),
        ({"wing_share": float("nan")}, "wing_share is nan; expected a number below"),
        ({"wing_share": -0.1}, r"wing_share is -0\.1; expected 0 or more"),
        ({"least_sky": 1.5}, r"least_sky is 1\.5; expected a share from 0 to 1"),
        ({"rounds": 0}, "rounds 0; expected at least 2 and 1"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(wrong, match):
    with pytest.raises(SkyError, match=match):
        CleaningParameters(**wrong)


@pytest.mark.parametrize("method", ["plain", "davies"])
def test_subtraction_with_it_costs_nothing(night, method):
    """What is left on lines is at most 5 % more than with the sky that never had stars, per spaxel and in the mean.

    Per spaxel it is less: what is filled has less noise.
    """
    sky = night.skies[0]
    cube = night.objects[0].cubes[1]
    exposure, _ = with_stars(sky, cube.ifu, STARS)
    cleaned = SkyCleaner(exposure).clean(exposure.cube(cube.ifu))
    stars, light = true_stars(night, 0, cube.ifu), true_sky(night, 0, cube.ifu)
    left = []
    for each in (sky.cube(cube.ifu), cleaned):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", KmosWarning)
            result = subtract_sky(cube, each, method=method)
        left.append(_left(np.asarray(result.cube.flux) - stars, cube, stars, light))
    assert left[1][0] < 1.05 * left[0][0]
    assert left[1][1] < 1.05 * left[0][1]


def _left(residual, cube, stars, light):
    """Return scatter of the darkest spaxels on lines over the noise of the object, and that of their mean."""
    used, planes = known(cube)
    dark = np.argsort(np.where(used, stars.mean(axis=0), np.inf), axis=None)[:36]
    z = (residual / np.asarray(cube.noise)).reshape(len(residual), -1)[planes][:, dark]
    z = np.where(np.abs(z) < 12, z, 0.0)
    z -= ndimage.median_filter(z, (61, 1))
    mean = light[:, used].mean(axis=1)[planes]
    above = mean - ndimage.percentile_filter(mean, 25, 61)
    lines = ndimage.binary_dilation(above > 0.03 * above.max(), np.ones(5))
    return 1.4826 * np.median(np.abs(z[lines])), rms(z[lines].mean(axis=1))
