"""Resampling: exact where it can be, flux and centroid kept, noise right, no data kept to itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.sparse import issparse

from napari_kmos.spatial import kernels, operators
from napari_kmos.spatial.kernels import Kernel
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import image_grid, make_wcs, pixel_to_pixel, shift_wcs

RA, DEC = 266.4, -29.0
SHAPE = (13, 15)
#: A field, and the same turned or moved by fractions of its spaxels.
FIELD = make_wcs(RA, DEC, crpix=(8.0, 7.0))
GRIDS = {
    "shifted": shift_wcs(FIELD, 0.07, -0.09),
    "half": shift_wcs(FIELD, 0.1, 0.1),
    "rotated": make_wcs(RA, DEC, crpix=(8.3, 7.4), rotation_deg=33),
}


def star(wcs, shape, *, ra=RA, dec=DEC, fwhm_arcsec=0.7):
    """Image of a round star of flux 1 in another field, by its values at pixel centres."""
    from napari_kmos.cube import pixel_scale_arcsec
    from napari_kmos.spatial.wcs import offset_arcsec, pixel_to_sky

    y, x = np.indices(shape)
    east, north = offset_arcsec(ra, dec, *pixel_to_sky(wcs, y, x))
    sigma = fwhm_arcsec / 2.3548
    return np.exp(-(east**2 + north**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2) * pixel_scale_arcsec(wcs) ** 2


def centroid(image):
    y, x = np.indices(image.shape)
    return np.nansum(y * image) / np.nansum(image), np.nansum(x * image) / np.nansum(image)


def test_weights_are_those_of_the_natural_cubic_spline():
    values = np.random.default_rng(1).normal(size=9)
    at = np.linspace(0, 8, 33)
    expected = CubicSpline(np.arange(9), values, bc_type="natural")(at)
    np.testing.assert_allclose(kernels.spline_weights(at, 9) @ values, expected, atol=1e-12)


def test_beyond_the_ends_the_spline_is_straight():
    values = np.random.default_rng(1).normal(size=9)
    at = np.array([-0.2, -0.1, 0.0, 8.0, 8.1, 8.2])
    bent = np.diff(kernels.spline_weights(at, 9) @ values)
    assert bent[0] == pytest.approx(bent[1])
    assert bent[3] == pytest.approx(bent[4])


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("weights", [kernels.spline_weights, kernels.linear_weights])
def test_few_values_still_interpolate(size, weights):
    at = np.linspace(-0.2, size - 0.8, 7)
    np.testing.assert_allclose(weights(at, size).sum(axis=1), 1)
    np.testing.assert_allclose(weights(np.arange(size, dtype=float), size), np.eye(size), atol=1e-12)


def test_same_grid_changes_nothing():
    planes = np.random.default_rng(2).normal(size=(4, *SHAPE)).astype(np.float32)
    planes[1, 3, 4] = np.nan
    planes[2] = np.nan
    planes[:, 0] = np.nan
    resampler = make_resampler(FIELD, SHAPE, FIELD, SHAPE)
    flux, noise = resampler.apply(planes, np.abs(planes) + 1)
    # 1e-7 of a pixel is what the sky and back costs
    np.testing.assert_allclose(flux, planes, atol=1e-5)
    np.testing.assert_allclose(noise, np.abs(planes) + 1, rtol=1e-5)


def test_whole_spaxels_are_moved_exactly():
    planes = np.random.default_rng(2).normal(size=(2, *SHAPE))
    moved = shift_wcs(FIELD, -0.4, 0.6)  # two columns to the right, three rows up
    flux, _ = make_resampler(moved, SHAPE, FIELD, SHAPE).apply(planes, np.ones_like(planes))
    assert flux.shape == (2, 10, 13)
    np.testing.assert_allclose(flux, planes[:, :10, :13], atol=1e-5)


def test_parallel_and_rotated_operators_agree_with_scipy():
    image = np.random.default_rng(3).normal(size=(33, 35))
    y, x = np.meshgrid(np.linspace(10, 20, 5), np.linspace(10, 20, 7), indexing="ij")
    oracle = RectBivariateSpline(np.arange(33), np.arange(35), image)
    straight = operators.make_operator(y, x, image.shape)
    turned = operators.make_operator(y + 0.05 * x, x - 0.03 * y, image.shape)
    assert isinstance(straight, operators.Separable)
    assert isinstance(turned, operators.Sparse)
    assert issparse(turned.matrix)
    # the oracle ends differently, which fades by 0.27 a pixel; the sum of the left-out weights is about 1e-3
    np.testing.assert_allclose(straight(image[None])[0], oracle(y[:, 0], x[0]), atol=1e-4)
    np.testing.assert_allclose(turned(image[None])[0], oracle(y + 0.05 * x, x - 0.03 * y, grid=False), atol=2e-3)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", [0.2, 0.1])
def test_star_keeps_flux_and_place(grid, scale):
    image = star(FIELD, SHAPE)
    target, shape = image_grid([(GRIDS[grid], SHAPE), (FIELD, SHAPE)], scale_arcsec=scale)
    resampler = make_resampler(FIELD, SHAPE, target, shape)
    (result,) = resampler.apply(image[None])
    full = np.full(shape, np.nan)
    full[resampler.window] = result[0]
    assert np.nansum(full) == pytest.approx(1, abs=0.003)
    y, x = pixel_to_pixel(FIELD, target, 6.0, 7.0)
    assert centroid(full) == (pytest.approx(y, abs=0.005), pytest.approx(x, abs=0.005))
    # at 0.2 arcsec a spaxel the star has 3.5 spaxels FWHM: a cubic spline follows it to 1 % of its peak
    np.testing.assert_allclose(np.nan_to_num(full), star(target, shape), atol=0.01 * star(target, shape).max())


def test_flux_per_spaxel_is_left_alone_if_asked():
    target, shape = image_grid([(FIELD, SHAPE)], scale_arcsec=0.1)
    (result,) = make_resampler(FIELD, SHAPE, target, shape, flux=False).apply(np.full((1, *SHAPE), 3.0))
    assert np.nanmean(result) == pytest.approx(3)
    (result,) = make_resampler(FIELD, SHAPE, target, shape).apply(np.full((1, *SHAPE), 3.0))
    assert np.nanmean(result) == pytest.approx(0.75)


@pytest.mark.parametrize("grid", GRIDS)
def test_predicted_noise_is_the_scatter(grid):
    rng = np.random.default_rng(4)
    sigma = 1 + np.indices(SHAPE).sum(axis=0) / 10
    planes = sigma * rng.normal(size=(4000, *SHAPE))
    flux, noise = make_resampler(FIELD, SHAPE, GRIDS[grid], SHAPE).apply(planes, np.broadcast_to(sigma, planes.shape))
    # 4000 samples: 1.1 % each, and there are 150 spaxels
    np.testing.assert_allclose(flux.std(axis=0), noise[0], rtol=0.06)
    assert np.nanmean(flux.std(axis=0) / noise[0]) == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("grid", GRIDS)
def test_bad_voxel_does_not_spread(grid):
    image = star(FIELD, SHAPE)
    planes = np.stack([image, image])
    planes[1, 5, 6] = np.nan
    (flux,) = make_resampler(FIELD, SHAPE, GRIDS[grid], SHAPE).apply(planes)
    lost = np.isnan(flux[1]) & ~np.isnan(flux[0])
    assert 1 <= lost.sum() <= 4
    np.testing.assert_allclose(flux[1][~lost], flux[0][~lost], atol=0.01 * image.max())


def test_bad_voxels_next_to_each_other_are_no_data():
    planes = np.ones((1, *SHAPE))
    planes[0, 4:7, 5:8] = np.nan
    (flux,) = make_resampler(FIELD, SHAPE, GRIDS["shifted"], SHAPE).apply(planes)
    # moved by (-0.45, +0.35) spaxels: the hole is the same spaxels in a window that lost one row and no column
    assert np.isnan(flux[0, 4:6, 5:8]).all()
    assert np.nanmax(np.abs(flux - 1)) < 1e-6


def test_dead_rows_and_planes_stay_dead():
    planes = np.broadcast_to(star(FIELD, SHAPE), (3, *SHAPE)).copy()
    planes[1] = np.nan
    planes[2, :2] = np.nan
    planes[2, -1] = np.nan
    flux, noise = make_resampler(FIELD, SHAPE, GRIDS["shifted"], SHAPE).apply(planes, np.ones_like(planes))
    assert np.isnan(flux[1]).all()
    good = np.isfinite(flux[2])
    # two dead rows and one, each cost the rows between a dead and a living one as well
    assert np.isfinite(flux[0]).any(axis=1).sum() - good.any(axis=1).sum() in (3, 4)
    np.testing.assert_array_equal(np.isfinite(noise[2]), good)
    np.testing.assert_allclose(flux[2][good], flux[0][good], atol=0.01 * np.nanmax(flux[0]))


def test_unknown_noise_does_not_cost_flux():
    planes, noise = np.ones((2, *SHAPE)), np.ones((2, *SHAPE))
    noise[:, 6, 7] = np.nan
    flux, sigma = make_resampler(FIELD, SHAPE, GRIDS["half"], SHAPE).apply(planes, noise)
    assert np.isfinite(flux[0]).sum() - np.isfinite(sigma[0]).sum() == 4


def test_tiny_fluxes_keep_their_noise():
    planes = np.full((1, *SHAPE), 1e-20)
    _, noise = make_resampler(FIELD, SHAPE, GRIDS["half"], SHAPE).apply(planes, planes)
    assert 0.3e-20 < np.nanmedian(noise) < 1e-20


def test_whole_spaxels_are_copied_bit_by_bit():
    planes = np.random.default_rng(2).normal(size=(3, *SHAPE)).astype(np.float32)
    planes[1, 4:6, 7] = np.nan
    noise = np.abs(planes) + 1
    noise[2, 3, 3] = np.nan
    resampler = make_resampler(shift_wcs(FIELD, -0.4, 0.6), SHAPE, FIELD, SHAPE)
    flux, sigma = resampler.apply(planes, noise)
    np.testing.assert_array_equal(flux, planes[:, :10, :13])
    np.testing.assert_array_equal(sigma, noise[:, :10, :13])
    planes[:] = 0  # what was returned is no view
    assert np.nanmax(np.abs(flux)) > 1


@pytest.mark.parametrize("name", ["linear", "spline", "lanczos3", "drizzle"])
@pytest.mark.parametrize("grid", GRIDS)
def test_surface_brightness_and_noise_of_a_flat_field(name, grid):
    pytest.importorskip("drizzle")
    target, shape = image_grid([(GRIDS[grid], SHAPE)], scale_arcsec=0.15)
    resampler = make_resampler(FIELD, SHAPE, target, shape, kernel=Kernel(name=name), flux=False)
    flux, noise = resampler.apply(np.full((2, *SHAPE), 3.0), np.full((2, *SHAPE), 0.5))
    assert np.isfinite(flux[0]).sum() > 150
    # where the fields are turned weights below 1e-5 are left out; a little beyond the outermost centres the spline
    # is a straight line, whose noise is larger
    np.testing.assert_allclose(flux[np.isfinite(flux)], 3, rtol=5e-5)
    assert np.nanmax(noise) < 0.65
    assert np.nanmedian(noise) < 0.5


@pytest.mark.parametrize("grid", ["shifted", "rotated"])
def test_planes_do_not_know_of_each_other(grid):
    rng = np.random.default_rng(7)
    planes = rng.normal(size=(40, *SHAPE)).astype(np.float32)
    planes[:, 0] = planes[:, :, -2:] = np.nan
    planes[rng.random(planes.shape) < 0.01] = np.nan
    planes[11] = np.nan
    noise = np.abs(planes) + 1
    resampler = make_resampler(FIELD, SHAPE, GRIDS[grid], SHAPE)
    together = resampler.apply(planes, noise)
    alone = [resampler.apply(flux[None], sigma[None]) for flux, sigma in zip(planes, noise, strict=True)]
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(whole, np.concatenate(parts), atol=1e-5)


def test_less_coverage_may_be_asked_for():
    planes = np.ones((1, *SHAPE))
    planes[0, 6, 7] = np.nan
    found = [
        np.isfinite(make_resampler(FIELD, SHAPE, GRIDS["half"], SHAPE, kernel=kernel).apply(planes)[0]).sum()
        for kernel in (Kernel(), Kernel(min_coverage=0.7), Kernel(min_coverage=0.4))
    ]
    # a quarter of each of four spaxels is missing; with half of one the field reaches half a spaxel further
    assert found[1] == found[0] + 4
    assert found[2] > found[1]


def test_memory_is_told():
    resampler = make_resampler(FIELD, SHAPE, GRIDS["shifted"], SHAPE)
    assert resampler.bytes_per_plane == 8 * resampler.inside.size
    assert resampler.shifted(0.3, 50).bytes_per_plane > 3 * resampler.bytes_per_plane


@pytest.mark.parametrize(("name", "order"), [("linear", "bilinear"), ("spline", "bicubic")])
@pytest.mark.parametrize("grid", GRIDS)
def test_reproject_agrees(name, order, grid):
    reproject = pytest.importorskip("reproject")
    image = star(FIELD, SHAPE)
    resampler = make_resampler(FIELD, SHAPE, GRIDS[grid], SHAPE, kernel=Kernel(name=name), flux=False)
    (flux,) = resampler.apply(image[None])
    expected, _ = reproject.reproject_interp((image, FIELD), GRIDS[grid], shape_out=SHAPE, order=order)
    inner = np.isfinite(flux[0]) & np.isfinite(expected[resampler.window])
    assert inner.sum() > 100
    # splines end differently, 1e-4 of the peak in the faint outskirts of the star; world coordinates agree to 1e-7
    peak = 1e-6 if name == "linear" else 1e-3
    np.testing.assert_allclose(flux[0][inner], expected[resampler.window][inner], atol=peak * image.max())


def test_fields_that_do_not_touch():
    assert make_resampler(shift_wcs(FIELD, 60, 0), SHAPE, FIELD, SHAPE) is None


def test_large_images_go_through_in_parts():
    # more output pixels than one part of the sparse operator holds
    turned = make_wcs(RA, DEC, crpix=(50, 45), rotation_deg=20)
    field = make_wcs(RA, DEC, crpix=(50, 45))
    (flux,) = make_resampler(field, (90, 100), turned, (90, 100)).apply(star(field, (90, 100))[None])
    assert np.nansum(flux) == pytest.approx(1, abs=0.002)
