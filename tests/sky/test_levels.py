"""The method `levels` on simulated nights: noise, stars, shift and factors against the truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy import units as u
from scipy import ndimage
from sky_pairs import make_pair

from napari_kmos.errors import KmosWarning, SkyError
from napari_kmos.simulate import SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.simulate.conditions import level_factors
from napari_kmos.simulate.lsf import FWHM_PIX, Lsf, smooth
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.simulate.render import flexure_pix
from napari_kmos.simulate.scene import find_exposure
from napari_kmos.simulate.templates import absorption
from napari_kmos.sky import SkyParameters, _level_groups, subtract_sky
from napari_kmos.spectral import vacuum_to_air
from napari_kmos.spectral.oh import sky_lines


@dataclasses.dataclass(frozen=True)
class Case:
    """One IFU of a night, its truth, and what `levels` made of it."""

    night: object
    target: object
    sky: object
    stars: np.ndarray
    light: np.ndarray
    result: object


def make_case(**parameters):
    night = simulate_night(SimulationParameters(seed=31, ifus=1, exposures=1, epochs=1, **parameters))
    target, sky = night.objects[0].cubes[0], night.skies[0].cubes[0]
    truth = (true_stars(night, 0, target.ifu), true_sky(night, 0, target.ifu))
    return Case(night, target, sky, *truth, subtract_sky(target, sky, method="levels"))


@pytest.fixture(scope="module")
def crowded():
    """Forty-five stars, strong changes of the sky, flexure."""
    return make_case(density=45.0, amplitude=0.2, flexure=0.25)


@pytest.fixture(scope="module")
def sparse():
    """Four stars in the field."""
    return make_case(density=0.0)


def _line_planes(case):
    light = case.light.mean(axis=(1, 2))
    lines = light - ndimage.percentile_filter(light, 25, 61)
    known = np.isfinite(np.asarray(case.target.flux)).any(axis=(1, 2))
    return ndimage.binary_dilation(lines > 0.03 * lines.max(), np.ones(5, bool)) & ndimage.binary_erosion(
        known, np.ones(51, bool)
    )


def _pulls(case, result, noise):
    """Residuals over noise on line planes without the background, shape (n_lines, n_spaxels)."""
    z = ((np.asarray(result.cube.flux, dtype=float) - case.stars) / noise).reshape(len(case.stars), -1)
    z = z[:, np.isfinite(z).any(axis=0)]
    smooth = ndimage.median_filter(np.nan_to_num(z), (61, 1))
    return (z - smooth)[_line_planes(case)]


def _scatter(z):
    return 1.4826 * np.nanmedian(np.abs(z))


def _left(case, result):
    """What is left on the lines over the noise of the object, in the dark spaxels: per spaxel, and in their mean."""
    z = ((np.asarray(result.cube.flux) - case.stars) / case.target.noise)[:, case.result.sky_mask]
    z = np.where(np.abs(z) < 12, z, np.nan)
    z -= ndimage.median_filter(np.nan_to_num(z), (61, 1))
    z = z[_line_planes(case)]
    return _scatter(z), np.sqrt(np.mean(np.nanmean(z, axis=1) ** 2) * z.shape[1])


def _mean_left(case, result):
    """What is left on the lines in the mean of the dark spaxels over its noise, whatever the continuum."""
    dark = case.result.sky_mask
    left = np.mean((np.asarray(result.cube.flux) - case.stars)[:, dark], axis=1)
    left -= ndimage.median_filter(np.nan_to_num(left), 61)
    error = np.sqrt(np.mean(np.square(case.target.noise[:, dark]), axis=1) / np.count_nonzero(dark))
    return _scatter((left / error)[_line_planes(case)])


def test_what_is_left_is_the_noise_of_the_object(crowded):
    """Per spaxel within 3 % of it; the mean of the dark spaxels within 1.5 of its own, and far below davies."""
    levels = _left(crowded, crowded.result)
    davies = _left(crowded, subtract_sky(crowded.target, crowded.sky, method="davies"))
    assert levels[0] < 1.03
    assert levels[1] < 1.5
    assert levels[1] < 0.5 * davies[1]


@pytest.mark.parametrize("case", ["crowded", "sparse"])
def test_noise_is_the_scatter_about_the_truth(case, request):
    """Pulls on the lines in all spaxels, used for the fit or not: 1 within 3 % (the running median takes 1 %)."""
    case = request.getfixturevalue(case)
    assert _scatter(_pulls(case, case.result, case.result.cube.noise)) == pytest.approx(0.99, abs=0.03)
    assert np.nanmin(case.result.cube.noise - np.asarray(case.target.noise)) >= 0


def test_error_of_the_model_is_its_scatter_over_noise(sparse):
    """Eight draws of object and sky: rms and median over voxels on lines, of which each has a scatter good to 27 %.

    The stored error is larger, by 15 to 20 %: errors of the list of lines are in it, and gains and shifts of spaxels as
    they usually are, which noise does not draw. Without that of the spaxels the rms would be 1.25, without that of the
    mean the median 2.8.
    """
    rng, ifu = np.random.default_rng(1), sparse.target.ifu
    on_sky = (true(sparse.night, 0, ifu, on_sky=True) for true in (true_stars, true_sky))
    truth = (sparse.stars + sparse.light, sum(on_sky))
    models, variances = [], []
    for _ in range(8):
        drawn = [
            dataclasses.replace(cube, flux=(light + cube.noise * rng.standard_normal(light.shape)).astype(np.float32))
            for cube, light in zip((sparse.target, sparse.sky), truth, strict=True)
        ]
        cube = subtract_sky(*drawn, method="levels").cube
        models.append(drawn[0].flux - cube.flux)
        variances.append(np.square(cube.noise, dtype=float) - np.square(drawn[0].noise, dtype=float))
    lines = _line_planes(sparse)
    scatter = np.var(models, axis=0, ddof=1)[lines]
    stated = np.mean(variances, axis=0)[lines]
    assert 0.7 < np.sqrt(np.nanmean(scatter) / np.nanmean(stated)) < 1
    assert 0.7 < np.sqrt(np.nanmedian(scatter / stated)) < 1


def test_spoilt_list_of_lines_costs_little(crowded, monkeypatch):
    """Wavelengths off by 1.5 Angstrom and fluxes by 40 %, rms: what is left grows by less than 15 %."""
    rng = np.random.default_rng(5)

    def spoilt(*args, **kwargs):
        lines = sky_lines(*args, **kwargs)
        wavelength_um = lines.wavelength_um + rng.normal(0, 1.5e-4, lines.strength.size)
        strength = lines.strength * np.exp(rng.normal(0, 0.4, lines.strength.size))
        return dataclasses.replace(lines, wavelength_um=wavelength_um, strength=strength)

    monkeypatch.setattr(_level_groups, "sky_lines", spoilt)
    _level_groups._find_groups.cache_clear()
    try:
        result = subtract_sky(crowded.target, crowded.sky, method="levels")
    finally:
        _level_groups._find_groups.cache_clear()
    clean, worse = (_left(crowded, each) for each in (crowded.result, result))
    assert worse[0] < 1.03 * clean[0]
    assert worse[1] < 1.15 * clean[1]


def test_shift_is_recovered(crowded):
    """The flexure of object over sky, 0.3 planes or so, to 0.02."""
    scene, ifu = crowded.night.scene, crowded.target.ifu
    true = flexure_pix(scene, find_exposure(scene, 0), ifu) - flexure_pix(
        scene, find_exposure(scene, 0, on_sky=True), ifu
    )
    assert abs(true).max() > 0.1
    found = crowded.result.shift_pix + crowded.result.shapes.stretch_pix * np.linspace(-1, 1, true.size)
    assert np.abs(found - true).max() < 0.02


def test_factors_of_bright_levels_are_recovered(sparse):
    """Levels with more than 1 % of the light: to 2 %, of which 1 % is the mean gain of the spaxels used."""
    scene = sparse.night.scene
    lines = scene.lines
    now, then = (level_factors(lines, find_exposure(scene, 0, on_sky=on).sky) for on in (False, True))
    keys = zip(lines.v_upper, lines.n_upper, lines.f_upper, strict=True)
    true = dict(zip(keys, now / then, strict=True))
    total = sum(level.light for level in sparse.result.levels)
    bright = [level for level in sparse.result.levels if level.v > 0 and level.light > 0.01 * total]
    assert len(bright) > 10
    assert {(b.v, b.n, b.f): b.factor for b in bright} == pytest.approx(
        {(b.v, b.n, b.f): true[b.v, b.n, b.f] for b in bright}, rel=0.02
    )
    assert all(0 < b.error < 0.02 for b in bright)
    assert all(0 < band.error < 0.1 for band in sparse.result.bands if band.fitted)


def test_spaxels_tell_the_slitlets(sparse):
    """Gain and shift of each spaxel against those of its slitlet, relative to the mean: to 1 % and 0.02 planes."""
    response, shapes = sparse.night.scene.responses[sparse.target.ifu], sparse.result.shapes
    used = np.isfinite(shapes.gain)
    for found, true, error in (
        (shapes.gain, response.gain, 0.01),
        (shapes.shift_pix, response.shift_pix[response.slitlet], 0.02),
    ):
        difference = (found - true)[used]
        assert np.std(difference) < error
        assert np.std(difference) < 0.7 * np.std(true[used])


@pytest.mark.parametrize(("kind", "start", "end"), [("late", 2.285, 2.345), ("early", 2.150, 2.182)])
def test_stellar_features_do_not_leak_into_the_sky(sparse, kind, start, end):
    """A star put in: less than 0.3 % of its CO band or Br gamma, and of its light, is taken for sky."""
    wave = sparse.target.wavelength_um
    depth = absorption(kind, wave)
    y, x = np.indices(sparse.target.shape[1:])
    distance = (y - 5.3) ** 2 + (x - 6.6) ** 2
    image = (1 + distance / 3.9**2) ** -3.0
    star = 300 * (1 - depth)[:, None, None] * image / image.sum()
    with_star = dataclasses.replace(sparse.target, flux=(np.asarray(sparse.target.flux) + star).astype(np.float32))
    parameters = SkyParameters(background="none")
    before, after = (
        subtract_sky(cube, sparse.sky, method="levels", parameters=parameters).cube.flux
        for cube in (sparse.target, with_star)
    )
    aperture = distance < 16
    lost = (star - (after - before))[:, aperture].sum(axis=1)
    here = np.isfinite(lost) & (wave > start) & (wave < end)
    feature = -300 * depth * image[aperture].sum() / image.sum()
    columns = np.stack([feature, np.ones_like(wave), wave - 0.5 * (start + end)], axis=1)
    assert abs(np.linalg.lstsq(columns[here], lost[here], rcond=None)[0][0]) < 0.003
    assert abs(np.nanmedian(lost / star[:, aperture].sum(axis=1))) < 0.003


@pytest.mark.parametrize(("kind", "start", "end"), [("late", 2.285, 2.345), ("early", 2.150, 2.182)])
def test_features_of_starlight_that_is_everywhere_are_no_lines(sparse, kind, start, end):
    """Diffuse starlight, of which no brighter spaxels tell: 3 % of its features are lost, or less.

    A continuum that cannot follow them costs 2 % of CO and 35 % of Br gamma.
    """
    wave = sparse.target.wavelength_um
    depth = absorption(kind, wave)

    def kept(spectrum):
        flux = (np.asarray(sparse.target.flux) + 0.3 * spectrum[:, None, None]).astype(np.float32)
        cube = dataclasses.replace(sparse.target, flux=flux)
        return np.nansum(np.asarray(subtract_sky(cube, sparse.sky, method="levels").cube.flux), axis=(1, 2))

    left = kept(np.ones_like(wave)) - kept(1 - depth)
    here = (wave > start) & (wave < end)
    light = 0.3 * np.count_nonzero(np.isfinite(np.asarray(sparse.target.flux)), axis=(1, 2))
    columns = np.stack([light * depth, np.ones_like(wave), wave - 0.5 * (start + end)], axis=1)
    lost = 1 - np.linalg.lstsq(columns[here], left[here], rcond=None)[0][0]
    assert abs(lost) < 0.03


def test_background_is_a_separate_choice(sparse):
    """In the dark spaxels: none leaves it, thermal leaves the light of stars, local takes that as well; to 3 %.

    So does sky, but the change of the thermal background between the two exposures.
    """
    dark = sparse.result.sky_mask
    found = {}
    for background in ("none", "local", "sky", "thermal"):
        parameters = SkyParameters(background=background)
        result = subtract_sky(sparse.target, sparse.sky, method="levels", parameters=parameters)
        found[background] = np.nanmedian(np.asarray(result.cube.flux)[:, dark])
    starlight = np.median(sparse.stars[:, dark])
    assert found["none"] > 0.3
    assert abs(found["thermal"] - starlight) < 0.03 * found["none"]
    assert abs(found["sky"] - starlight) < 0.05 * found["none"]
    assert abs(found["local"]) < 0.03 * found["none"]


def test_star_in_the_sky_cube_is_not_subtracted(sparse):
    """A star ten times as bright as the sky in nine spaxels: the result changes by a fraction of the noise."""
    flux = np.array(sparse.sky.flux)
    flux[:, 3:6, 4:7] += 5 * np.linspace(1, 0.7, len(flux))[:, None, None]
    found = subtract_sky(sparse.target, dataclasses.replace(sparse.sky, flux=flux), method="levels")
    change = (found.cube.flux - sparse.result.cube.flux) / np.asarray(sparse.target.noise)
    assert np.nanmedian(np.abs(change)) < 0.1
    assert np.nanpercentile(np.abs(change), 99) < 0.5


def test_stars_all_over_the_sky_cube_spoil_little(sparse):
    """Four unmasked stars of 30 to 300 ADU/s in the sky IFU: the lines are left with 1.5 times as much, or so.

    Their features are in every spaxel of the sky, least in the darkest: with all that do not stand out it is 1.9 times,
    and gains are off by 0.0015. The terms of the spaxels stay as they were to a twentieth of their scatter, 0.02 in
    gain, and a tenth, 0.03 planes. Continua aside: that of the sky holds the stars' light.
    """
    wave = sparse.sky.wavelength_um
    images = moffat_images(np.array([3.0, 9.0, 4.0, 10.0]), np.array([4.0, 3.0, 9.0, 10.0]), (14, 14), fwhm_pix=3.5)
    kinds, fluxes = ("late", "early", "late", "early"), (300.0, 100.0, 30.0, 30.0)
    seen = {kind: 1 - smooth(absorption(kind, wave), Lsf(fwhm_pix=FWHM_PIX), 1) for kind in ("late", "early")}
    stars = sum(
        flux * seen[kind][:, None, None] * image for kind, flux, image in zip(kinds, fluxes, images, strict=True)
    )
    sky = dataclasses.replace(sparse.sky, flux=(np.asarray(sparse.sky.flux) + stars).astype(np.float32))
    usual, found = (
        subtract_sky(sparse.target, each, method="levels", parameters=SkyParameters(background="none"))
        for each in (sparse.sky, sky)
    )
    assert _mean_left(sparse, found) < 1.7 * _mean_left(sparse, usual)
    for name, most in (("gain", 0.001), ("shift_pix", 0.003)):
        assert np.nanstd(getattr(found.shapes, name) - getattr(usual.shapes, name)) < most


def test_residual_over_noise_of_a_good_fit_is_one(crowded, sparse):
    """What the fit follows of the noise is no residual; 1 within the scatter of bands of 40 line planes or more.

    In all bands of both, 900 planes that tell it to 3 %, 1.05, as the list is not perfect; 0.91 if what the fit follows
    were not counted.
    """
    for case in (crowded, sparse):
        left = [band.residual_over_noise for band in case.result.bands if band.n_line_pixels > 40]
        assert len(left) > 1
        assert np.mean(left) == pytest.approx(1.0, abs=0.2)
    both = [case.result.residual_over_noise for case in (crowded, sparse)]
    assert np.mean(both) == pytest.approx(1.05, abs=0.1)


def test_wavelengths_in_air_are_understood(sparse):
    air = [
        dataclasses.replace(cube, wavelength=vacuum_to_air(cube.wavelength), medium="air")
        for cube in (sparse.target, sparse.sky)
    ]
    result = subtract_sky(*air, method="levels")
    factors = [{(b.v, b.n, b.f): b.factor for b in each.levels if b.v > 0} for each in (result, sparse.result)]
    bright = [(8, n, 1) for n in (1, 2, 3)]
    assert [factors[0][key] for key in bright] == pytest.approx([factors[1][key] for key in bright], abs=0.01)


def test_sky_without_lines_falls_back_and_says_so():
    pair = make_pair(band="H", without=("2-0", "3-1", "4-2", "5-3", "6-4", "7-5"), sigma=1.0)
    with pytest.warns(KmosWarning) as caught:
        result = subtract_sky(pair.target, pair.sky, method="levels")
    assert any("IFU 5 target: levels is doubtful" in str(each.message) for each in caught)
    assert result.method == "davies"
    assert result.note.startswith("davies instead of levels: the sky has")


@pytest.mark.filterwarnings("ignore::napari_kmos.errors.KmosWarning")
def test_shift_out_of_reach_is_not_believed():
    """Lines 4 planes off, allowed are 0.5: levels cannot fit that; whichever leaves less is returned."""
    pair = make_pair(shift=4.0, sigma=1.0)
    parameters = SkyParameters(max_shift=0.5)
    levels, davies = (
        subtract_sky(pair.target, pair.sky, method=method, parameters=parameters) for method in ("levels", "davies")
    )
    assert levels.rms_after <= davies.rms_after


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("comb_cells", 0, "comb_cells is 0; expected 1 or more"),
        ("spaxel_knots", 1, "spaxel_knots is 1; expected 2 or more"),
        ("prior_band", 0.0, "prior_band is 0.0; expected more than 0"),
        ("dark_share", 1.5, "dark_share is 1.5"),
        ("background", "some", "background is 'some'; expected 'sky', 'thermal', 'local' or 'none'"),
    ],
)
def test_values_that_make_no_sense_are_refused(name, value, match):
    with pytest.raises(SkyError, match=match):
        SkyParameters(**{name: value})


def test_units_and_source_are_kept(sparse):
    assert sparse.result.cube.unit == u.adu / u.s
    assert sparse.result.sky_source == sparse.sky.source
