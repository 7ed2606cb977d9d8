"""Two subsets compared: the difference shows what differs, noise and signal-to-noise ratios are those put in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from factories import DEC, RA, make_cube

from napari_kmos.combine import CombineParameters, Versus, VersusParameters, combine_cubes, stack
from napari_kmos.combine._versus_sums import Shares, difference_variance
from napari_kmos.errors import KmosError
from napari_kmos.progress import Cancelled
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, shift_wcs, sky_to_pixel

#: Row, column and flux of the stars; so faint that the noise, not the interpolation, is what differs.
STARS = ((6.2, 9.3, 60.0), (11.4, 5.1, 40.0))
SHAPE = (1500, 17, 19)
FIELD = make_wcs(RA, DEC, crpix=(10.0, 9.0))
EVERY = np.ones(8, dtype=bool)
HALF = np.arange(8) < 4
NOISY = 1


def observe(*, noisy=(), shifted=(), n=8, shape=SHAPE, dither=0.02, flux=1.0):
    """Exposures of two stars with a noise of 2; that of some is twice as large, that of others lies 0.2 arcsec off."""
    rng = np.random.default_rng(5)
    cubes = []
    for number in range(n):
        wcs = shift_wcs(FIELD, *rng.uniform(-dither, dither, 2))
        stars = [(*sky_to_pixel(wcs, *pixel_to_sky(FIELD, y, x)), flux * light) for y, x, light in STARS]
        sigma = 4.0 if number in noisy else 2.0
        header = shift_wcs(wcs, 0.2, 0.0) if number in shifted else wcs
        cubes.append(make_cube(shape=shape, stars=stars, sigma=sigma, seed=number, wcs=header, background=0.0))
    return cubes


def versus_of(cubes, *, keep_bytes=0, **parameters):
    given = CombineParameters(**{"cmethod": "average", **parameters})
    return Versus(combine_cubes(cubes, parameters=given), keep_bytes=keep_bytes)


@pytest.fixture(scope="module")
def even():
    """Eight exposures that are equally good."""
    return versus_of(observe(), keep_bytes=10**9)


@pytest.fixture(scope="module")
def uneven():
    """One of the first four has twice the noise."""
    return versus_of(observe(noisy=(NOISY,)), keep_bytes=10**9)


def test_halves_that_are_alike_differ_by_their_noise(even):
    found = even.compare(HALF, ~HALF)
    # 250 spaxels, correlated by the interpolation, tell a scatter to 6 %
    assert found.scatter == pytest.approx(1, abs=0.15)
    assert found.n_outstanding == 0
    assert found.n_shared == 0
    for half in (found.a, found.b):
        ratios = half.noise.measured, half.noise.propagated, half.noise.by_number
        assert ratios == pytest.approx([np.sqrt(2)] * 3, rel=0.03)
    np.testing.assert_array_equal(found.union.n_exposures, found.a.n_exposures + found.b.n_exposures)


def test_a_part_against_the_whole_knows_what_they_share(even):
    found = even.compare(HALF, EVERY)
    assert found.n_shared == 4
    assert found.scatter == pytest.approx(1, abs=0.15)
    # of means of equally noisy values: var_part - var_whole
    expected = np.sqrt(found.a.image.noise**2 - found.b.image.noise**2)
    np.testing.assert_allclose(found.difference.noise[3:-3, 3:-3], expected[3:-3, 3:-3], rtol=0.02)
    assert (found.b.noise.measured, found.b.noise.propagated) == (1, 1)


def test_noise_of_one_exposure_shows_in_its_half(uneven):
    found = uneven.compare(HALF, ~HALF)
    right = np.sqrt((3 * 1 + 4) / 4)
    assert found.a.noise.measured / found.b.noise.measured == pytest.approx(right, rel=0.05)
    assert found.a.noise.propagated / found.b.noise.propagated == pytest.approx(right, rel=0.02)
    assert found.a.noise.by_number / found.b.noise.by_number == pytest.approx(1, rel=0.01)
    assert found.scatter == pytest.approx(1, abs=0.15)


def test_signal_to_noise_of_the_stars_is_that_of_their_exposures(uneven):
    found = uneven.compare(HALF, ~HALF)
    assert len(found.stars) == 2
    variances = np.array([7 / 16, 4 / 16, 11 / 64])
    a, b = np.sqrt(variances[2] / variances[:2])
    # a median over 70 wavelengths with a ratio of 8 and more is good to 2 %
    assert found.snr_over_union(propagated=True) == pytest.approx((a, b), rel=0.05)
    # 70 wavelengths of continuum tell a scatter to 8 %, a ratio of two to 11 %
    assert found.snr_over_union() == pytest.approx((a, b), rel=0.2)
    places = [sky_to_pixel(FIELD, star.aperture.ra, star.aperture.dec) for star in found.stars]
    for place, star in zip(places, STARS, strict=True):
        assert place == pytest.approx(star[:2], abs=0.4)


def test_to_drop_a_bad_exposure_is_worth_it(uneven):
    found = uneven.compare(np.arange(8) != NOISY, EVERY)
    right = np.sqrt(1 / 7 / (11 / 64))
    assert found.a.noise.measured == pytest.approx(right, rel=0.03)
    assert found.snr_over_union(propagated=True)[0] == pytest.approx(1 / right, rel=0.03)
    assert found.scatter == pytest.approx(1, abs=0.15)


def test_a_shifted_exposure_is_seen_where_the_stars_are():
    found = versus_of(observe(shifted=(NOISY,), shape=(300, 17, 19), flux=5.0)).compare(HALF, ~HALF)
    assert found.n_outstanding > 10
    y, x = np.unravel_index(np.nanargmax(np.abs(found.sigma)), found.sigma.shape)
    star = sky_to_pixel(found.difference.wcs, *pixel_to_sky(FIELD, *STARS[0][:2]))
    assert np.hypot(y - star[0], x - star[1]) < 3
    # it lies to the east, that is to the left: less light there without it
    assert np.nansum(found.sigma[:, : int(star[1])]) > 0


@pytest.mark.parametrize("cmethod", ["ksigma", "median", "min_max"])
def test_other_methods_than_the_mean(cmethod):
    found = versus_of(observe(shape=(300, 17, 19)), cmethod=cmethod).compare(HALF, EVERY)
    # the correlation of means is near that of medians and clipped means of so few
    assert found.scatter == pytest.approx(1, abs=0.25)


@pytest.mark.parametrize("weight", ["none", "variance", "exptime"])
def test_variance_of_a_difference_is_that_of_weights(weight):
    cubes = observe(noisy=(NOISY,), n=4, shape=(6, 9, 11), dither=0.0)
    cubes = [dataclasses.replace(cube, exptime=100.0 + 50 * number) for number, cube in enumerate(cubes)]
    work = versus_of(cubes, weight=weight)
    layers = work.result.stack.layers
    read = {number: layer.read(0, 6) for number, layer in enumerate(layers)}
    variance = np.array([2.0, 4.0, 2.0, 2.0]) ** 2
    weights = {"none": np.ones(4), "variance": 1 / variance, "exptime": 100 + 50.0 * np.arange(4)}[weight]
    chosen = np.array([1, 1, 0, 0]), np.array([0, 1, 1, 1])
    means = [weights * one / (weights * one).sum() for one in chosen]
    of_means = tuple(np.full((6, 9, 11), np.sum(mean**2 * variance)) for mean in means)
    shares = Shares(*(np.flatnonzero(one).tolist() for one in chosen))
    found = difference_variance(of_means, shares, layers, read, weight)
    np.testing.assert_allclose(found, np.sum((means[0] - means[1]) ** 2 * variance), rtol=1e-4)


def test_where_two_subsets_are_the_same_exposures_nothing_is_known():
    cubes = observe(n=3, shape=(40, 17, 19))
    moved = dataclasses.replace(cubes[2], wcs=shift_wcs(cubes[2].wcs, 2.0, 0.0))
    found = versus_of([*cubes[:2], moved]).compare([True, True, False], [True, True, True])
    assert found.n_spaxels < 0.7 * np.isfinite(found.a.image.data).sum()
    assert np.isnan(found.sigma[found.union.n_exposures == found.a.n_exposures]).all()


def test_blocks_change_nothing_and_what_is_kept_serves_again(monkeypatch):
    cubes = observe(shape=(60, 17, 19))
    whole = versus_of(cubes).compare(HALF, ~HALF)
    monkeypatch.setattr(stack, "_BLOCK_BYTES", 2**19)
    kept = versus_of(cubes, keep_bytes=10**8)
    pieces = kept.compare(HALF, ~HALF)
    assert len(list(kept._spans())) > 3
    np.testing.assert_allclose(pieces.sigma, whole.sigma, rtol=1e-4, atol=1e-4)
    assert pieces.stars[0].propagated == pytest.approx(whole.stars[0].propagated, rel=1e-5)
    calls = []
    monkeypatch.setattr(stack.Layer, "read", lambda *args: calls.append(args))
    again = kept.compare(np.arange(8) != 2, EVERY)
    assert calls == []
    assert again.a.members == (0, 1, 3, 4, 5, 6, 7)


def test_memory_of_what_is_kept_is_bounded():
    kept = versus_of(observe(shape=(60, 17, 19)), keep_bytes=10**6)
    kept.compare(HALF, ~HALF)
    assert 0 < kept.kept_bytes <= 10**6


def test_a_field_without_stars_has_no_ratios():
    cubes = [make_cube(shape=(40, 13, 15), stars=(), seed=seed) for seed in range(4)]
    found = versus_of(cubes).compare([1, 1, 0, 0], [0, 0, 1, 1], parameters=VersusParameters(threshold=30.0))
    assert found.stars == ()
    assert np.isnan(found.snr_over_union()).all()


def test_it_can_be_cancelled(even):
    def cancel(done, total, text):
        raise Cancelled

    with pytest.raises(Cancelled):
        even.compare(HALF, ~HALF, progress=cancel)


@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        (np.zeros(8, dtype=bool), HALF, "a subset has no exposure"),
        (HALF, HALF, "both subsets are the same"),
    ],
)
def test_subsets_that_cannot_be_compared(even, a, b, match):
    with pytest.raises(KmosError, match=match):
        even.compare(a, b)


def test_methods_that_cannot_be_compared():
    cubes = observe(n=4, shape=(6, 9, 11))
    with pytest.raises(KmosError, match="sums of different exposures cannot be compared"):
        versus_of(cubes, cmethod="sum")
    with pytest.raises(KmosError, match="min_max drops 2 values, but a subset has 1"):
        versus_of(cubes, cmethod="min_max").compare([1, 0, 0, 0], [0, 1, 1, 1])


@pytest.mark.parametrize("name", ["fwhm_arcsec", "threshold", "radius_arcsec", "most_stars"])
def test_impossible_parameters(name):
    endless = () if name == "fwhm_arcsec" else (float("inf"),)
    for value in (0, float("nan"), *endless):
        with pytest.raises(KmosError, match=f"{name} is {value}, expected a positive number"):
            VersusParameters(**{name: value})


@pytest.mark.parametrize("fwhm", [1e9, float("inf")])
def test_a_star_wider_than_a_field_is_refused(fwhm):
    with pytest.raises(KmosError, match="expected the width of a star, 10 at most"):
        VersusParameters(fwhm_arcsec=fwhm)
