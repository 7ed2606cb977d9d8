"""Resampling: exact where it can be, flux and centroid kept, noise right, no data kept to itself."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.sparse import issparse

from napari_kmos.spatial import kernels, operators
from napari_kmos.spatial.filling import fill_missing
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


def test_fill_takes_the_surface_through_the_neighbours():
    y, x = np.indices((5, 6), dtype=float)
    plane = 2 + y - 3 * x + 0.5 * y**2 + x * y
    ok = np.ones((1, 5, 6), dtype=bool)
    ok[0, 2, 3] = ok[0, 0, 0] = False
    filled = fill_missing(plane[None], ok)
    assert filled[0, 2, 3] == pytest.approx(plane[2, 3])
    assert filled[0, 0, 0] == pytest.approx((2 * plane[0, 1] + 2 * plane[1, 0] + plane[1, 1]) / 5)


def test_fields_that_do_not_touch():
    assert make_resampler(shift_wcs(FIELD, 60, 0), SHAPE, FIELD, SHAPE) is None


def test_large_images_go_through_in_parts():
    # more output pixels than one part of the sparse operator holds
    turned = make_wcs(RA, DEC, crpix=(50, 45), rotation_deg=20)
    field = make_wcs(RA, DEC, crpix=(50, 45))
    (flux,) = make_resampler(field, (90, 100), turned, (90, 100)).apply(star(field, (90, 100))[None])
    assert np.nansum(flux) == pytest.approx(1, abs=0.002)
