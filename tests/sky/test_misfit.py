"""Lines that still lie beside those of the model are told, and mended by a stretch."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from astropy import units as u
from factories import make_wcs
from sky_pairs import N_PLANES, make_pair

from napari_kmos.errors import KmosWarning
from napari_kmos.simulate import SimulationParameters, simulate_night
from napari_kmos.simulate.render import flexure_pix
from napari_kmos.simulate.scene import find_exposure
from napari_kmos.sky import SkyParameters, compare_methods, subtract_skies, subtract_sky
from napari_kmos.sky._bands import covered_bands
from napari_kmos.sky._sampling import warn_of_sampling

STRETCH = SkyParameters(stretch=True)


def make_night(**parameters):
    """Return object and sky of one IFU, and by how many planes the lines of the one lie further."""
    night = simulate_night(SimulationParameters(ifus=1, exposures=1, epochs=1, **parameters))
    target, sky = night.objects[0].cubes[0], night.skies[0].cubes[0]
    on_sky, on_target = (
        flexure_pix(night.scene, find_exposure(night.scene, 0, on_sky=on), target.ifu) for on in (True, False)
    )
    return target, sky, on_target - on_sky


def results_of(target, sky, method):
    """Return the results without and with a stretch, and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", KmosWarning)
        found = [subtract_sky(target, sky, method=method, parameters=p) for p in (SkyParameters(), STRETCH)]
    return (*found, [str(item.message) for item in caught])


@pytest.fixture(scope="module")
def curved():
    return make_night(seed=1, band="H", flexure_curve=0.1, density=0.0)  # features of stars everywhere are left, too


@pytest.fixture(scope="module", params=["levels", "davies"])
def found(curved, request):
    return request.param, *results_of(*curved[:2], request.param)


def test_curve_is_told_in_planes(curved, found):
    """A misfit that is significant is one that the band has, to 0.05 planes, as curves bend more than a parabola."""
    _, result, _, _ = found
    off = curved[2] - result.shifts_pix
    told = {}
    for band, (_, planes) in zip(result.bands, covered_bands(result.wavelength_um), strict=True):
        here = off[planes][result.line_mask[planes]]
        if abs(band.misfit_pix) > 5 * band.misfit_error_pix:
            told[band.misfit_pix] = here
            assert here.min() - 0.05 < band.misfit_pix < here.max() + 0.05
    assert len(told) >= 3
    worst = max(told, key=abs)
    assert abs(worst) > 0.5 * np.abs(told[worst]).max()  # where it stands out most it need not be largest


def test_warning_names_cube_band_size_and_what_to_do(found):
    method, result, _, texts = found
    assert len(texts) == 1  # of the first result; none with the stretch
    worst = max((band for band in result.bands if np.isfinite(band.misfit_pix)), key=lambda band: abs(band.misfit_pix))
    start = f"{result.cube.label}: lines lie {worst.misfit_pix:+.3f} ± {worst.misfit_error_pix:.3f} planes beside"
    assert texts[0].startswith(start)
    assert f"in band {worst.name} (less in " in texts[0]
    assert f"; without that {method} would leave " in texts[0]
    assert texts[0].endswith("% less on lines: set stretch (--stretch)")


def test_stretch_mends_it(curved, found):
    """The shift is found on the lines to 0.03 planes, by davies in 90 % of them; nothing of the curve is left."""
    method, result, stretched, _ = found
    off = np.abs(curved[2] - stretched.shifts_pix)[stretched.line_mask]
    assert np.quantile(off, 1.0 if method == "levels" else 0.9) < 0.03
    assert stretched.residual_over_noise < 0.7 * result.residual_over_noise
    if method == "levels":
        assert stretched.residual_over_noise < 1.05
    assert all(abs(band.misfit_pix) < 0.03 or band.misfit_share < 0.1 for band in stretched.bands)


def test_range_of_the_shift_is_that_on_the_lines(curved, found):
    stretched = found[2]
    least, most = stretched.shift_range_pix
    true = curved[2][stretched.line_mask]
    assert (least, most) == pytest.approx((true.min(), true.max()), abs=0.05)


@pytest.mark.parametrize(("band", "seed"), [("K", 2), ("IZ", 5)])
def test_stretch_costs_nothing_without_a_curve(band, seed):
    """Levels: nothing is warned of, and the residual stays to 3 %."""
    target, sky, true = make_night(seed=seed, band=band)
    straight, stretched, texts = results_of(target, sky, "levels")
    assert texts == []
    assert stretched.rms_after < 1.03 * straight.rms_after
    assert all(abs(one.misfit_pix) < 5 * one.misfit_error_pix for one in straight.bands if np.isfinite(one.misfit_pix))
    assert np.abs(true - stretched.shifts_pix)[stretched.line_mask].max() < (0.03 if band == "K" else 0.06)


@pytest.mark.parametrize("shift", [0.0, 0.05, -0.3])
def test_shift_of_lines_is_measured_whatever_their_factor(shift):
    """Factors are off by up to 20 %: to 5 %, as the slope is that of a line that moves little."""
    pair = make_pair(shift=shift, sigma=2.0)
    for band in subtract_sky(pair.target, pair.sky, method="plain").bands:
        if np.isfinite(band.misfit_pix):
            assert band.misfit_pix == pytest.approx(shift, abs=0.005 + 0.05 * abs(shift))
            assert 0 < band.misfit_error_pix < 0.01


def test_error_is_the_scatter_about_the_truth():
    """Davies on four bands in ten draws, with noise alone: 1, told to 15 % by 30 values; the most of three places."""
    z = []
    for seed in range(10):
        pair = make_pair(sigma=20.0, seed=seed, factors=(1.0,))
        bands = subtract_sky(pair.target, pair.sky, method="plain").bands
        z += [band.misfit_pix / band.misfit_error_pix for band in bands if np.isfinite(band.misfit_pix)]
    assert len(z) == 30
    assert 0.7 < np.sqrt(np.mean(np.square(z))) < 1.8


def test_advice_follows_what_is_set():
    pair = make_pair(shift=0.3, sigma=2.0)
    for parameters, advice in (
        (SkyParameters(shift=False), r"set shift \(--shift\)"),
        (SkyParameters(stretch=True, stretch_degree=1), r"raise stretch_degree \(1\) or give a sky nearer in time"),
    ):
        curved = make_pair(shift=0.3 * (3 * np.linspace(-1, 1, N_PLANES) ** 2 - 1), sigma=2.0)
        given = pair if not parameters.shift else curved
        with pytest.warns(KmosWarning, match=advice):
            subtract_sky(given.target, given.sky, method="davies", parameters=parameters)


def test_limits_of_the_warning_can_be_set(curved):
    quiet = SkyParameters(misfit_gain=0.99)
    subtract_sky(*curved[:2], method="davies", parameters=quiet)  # a warning would be an error
    quiet = SkyParameters(misfit_sigma=1e4)
    subtract_sky(*curved[:2], method="davies", parameters=quiet)


def test_two_skies_warn_once_and_comparisons_do_not():
    pair = make_pair(shift=0.4 * np.linspace(-1, 1, N_PLANES), sigma=2.0)
    skies = [(pair.sky, 0.5), (pair.sky, 0.5)]
    with pytest.warns(KmosWarning, match="set stretch") as caught:
        mean = subtract_skies(pair.target, skies, method="davies")
    assert len(caught) == 1
    with pytest.warns(KmosWarning, match="set stretch"):
        one = subtract_sky(pair.target, pair.sky, method="davies")
    misfits = [[band.misfit_pix for band in result.bands] for result in (mean, one)]
    assert misfits[0] == pytest.approx(misfits[1], nan_ok=True)
    compare_methods(pair.target, skies[:1], methods=("plain", "davies"))


def test_cubes_finer_than_the_detector_are_told_once():
    pair = make_pair(sigma=2.0)
    fine = [dataclasses.replace(cube, wcs=make_wcs(scale_arcsec=0.1)) for cube in (pair.target, pair.sky)]
    with pytest.warns(KmosWarning, match=r"interpolated, spaxels of 0.1 arcsec \(KMOS samples 0.2\); subtract"):
        subtract_sky(*fine, method="plain")
    with pytest.warns(KmosWarning, match="subtract the sky before that: it leaves about a third less") as caught:
        subtract_skies(fine[0], [(fine[1], 0.4), (fine[1], 0.6)], method="plain")
    assert len(caught) == 1
    flux, wavelength = np.zeros((3072, 3, 3)), np.arange(3072) * u.um
    planes = dataclasses.replace(pair.target, flux=flux, noise=None, wavelength=wavelength)
    with pytest.warns(KmosWarning, match=r"interpolated, 3072 planes \(KMOS samples 2048\); subtract"):
        warn_of_sampling(planes)
