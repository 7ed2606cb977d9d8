"""Drizzle as an operator is the drizzle of its package, for any turn, size and pixfrac."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from napari_kmos.errors import KmosError
from napari_kmos.spatial.kernels import Kernel
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import image_grid, make_wcs, pixel_to_pixel

SHAPE = (13, 15)
BASE = make_wcs(266.4, -29.0, crpix=(7.5, 7.5))


@pytest.mark.parametrize("rotation", [0, 20, -100])
@pytest.mark.parametrize("scale", [0.2, 0.1, 0.3])
@pytest.mark.parametrize("pixfrac", [1.0, 0.3])
def test_operator_is_the_package(rotation, scale, pixfrac):
    resample = pytest.importorskip("drizzle.resample")
    field = make_wcs(266.4, -29.0, crpix=(7.2, 7.9), rotation_deg=rotation)
    grid, shape = image_grid([(BASE, SHAPE), (field, SHAPE)], scale_arcsec=scale)
    kernel = Kernel(name="drizzle", pixfrac=pixfrac)
    resampler = make_resampler(field, SHAPE, grid, shape, kernel=kernel, flux=False)
    image = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    (values,) = resampler.apply(image[None])
    y, x = pixel_to_pixel(field, grid, *np.indices(SHAPE))
    expected = resample.Drizzle(out_shape=shape, fillval="NaN", disable_ctx=True)
    expected.add_image(image, exptime=1.0, pixmap=np.stack([x, y], axis=-1), pixfrac=pixfrac)
    used = np.isfinite(values[0])
    assert used.any()
    np.testing.assert_allclose(values[0][used], expected.out_img[resampler.window][used], atol=1e-6)


def test_gaps_between_the_drops_are_no_data():
    pytest.importorskip("drizzle")
    fine = make_wcs(266.4, -29.0, crpix=(14.0, 14.0), scale_arcsec=0.1)
    kernel = Kernel(name="drizzle", pixfrac=0.1)
    resampler = make_resampler(BASE, SHAPE, fine, (26, 30), kernel=kernel)
    (values,) = resampler.apply(np.ones((1, *SHAPE)))
    # drops of 0.02 arcsec fall into one of four pixels of 0.1 arcsec each
    assert np.isfinite(values).mean() == pytest.approx(0.25, abs=0.03)
    assert np.nanmax(np.abs(values - 0.25)) < 1e-6


def test_without_the_package_one_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "drizzle.resample", None)
    field = make_wcs(266.4, -29.0, crpix=(7.2, 7.9))
    with pytest.raises(KmosError, match=r"drizzle is not installed; install it .* or take another kernel"):
        make_resampler(field, SHAPE, BASE, SHAPE, kernel=Kernel(name="drizzle"))
