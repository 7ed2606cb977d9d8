"""Kernels: interpolating, of weight 1, checked; the same as others have them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_kmos.errors import GeometryError
from napari_kmos.spatial.kernels import KERNELS, Kernel, lanczos_weights
from napari_kmos.spatial.operators import make_operator

IMAGE = np.random.default_rng(1).normal(size=(41, 43))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_weights_add_up_and_values_are_kept(name, size):
    at = np.linspace(-0.4, size - 0.6, 17)
    np.testing.assert_allclose(KERNELS[name](at, size, None).sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(KERNELS[name](np.arange(size, dtype=float), size, None), np.eye(size), atol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_chosen_weights_are_those_of_all(name):
    at, which = np.array([3.3, 9.8]), np.array([[2, 3, 4], [9, 10, 11]])
    everything = KERNELS[name](at, 20, None)
    np.testing.assert_array_equal(KERNELS[name](at, 20, which), np.take_along_axis(everything, which, axis=1))


def test_lanczos_is_a_windowed_sinc():
    distance = 10.3 - np.arange(8, 14)
    expected = np.sinc(distance) * np.sinc(distance / 3)
    np.testing.assert_allclose(lanczos_weights(np.array([10.3]), 20)[0, 8:14], expected / expected.sum())


@pytest.mark.parametrize(("name", "order"), [("nearest", 0), ("linear", 1), ("spline", 3)])
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_kernels_are_those_of_scipy(name, order, turn):
    y, x = np.meshgrid(np.arange(14, 25) + 0.31, np.arange(15, 28) - 0.22, indexing="ij")
    y, x = y + turn * (x - 21), x - turn * (y - 20)
    expected = ndimage.map_coordinates(IMAGE, [y, x], order=order, mode="mirror")
    operator = make_operator(y, x, IMAGE.shape, weights=KERNELS[name])
    # the ends of the spline differ, which fades by 0.27 a pixel; float32
    np.testing.assert_allclose(operator(IMAGE[None].astype(np.float32))[0], expected, atol=3e-6)


@pytest.mark.parametrize("shape", [(90, 200), (49, 97)])
def test_large_images_in_blocks_are_as_in_one(shape):
    rng = np.random.default_rng(2)
    image = rng.normal(size=shape)
    y, x = np.meshgrid(np.arange(shape[0]) - 0.4, np.arange(shape[1] - 1) + 0.3, indexing="ij")
    weights = [KERNELS["spline"](at, size, None) for at, size in ((y[:, 0], shape[0]), (x[0], shape[1]))]
    (result,) = make_operator(y, x, shape)(image[None].astype(np.float32))
    # weights below 1e-6 are left out
    np.testing.assert_allclose(result, weights[0] @ image @ weights[1].T, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "cubic"}, "kernel is cubic, expected one of nearest, linear, spline, lanczos3, drizzle"),
        ({"pixfrac": 0}, "pixfrac is 0, expected a number above 0"),
        ({"pixfrac": 1.2}, "pixfrac is 1.2, expected"),
        ({"min_coverage": 1.0}, "min_coverage is 1.0, expected a part of 1"),
        ({"min_coverage": -0.1}, "min_coverage is -0.1, expected"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, told):
    with pytest.raises(GeometryError, match=told):
        Kernel(**wrong)
