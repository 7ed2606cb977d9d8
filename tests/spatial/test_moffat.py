"""Images of Moffat profiles and their derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from napari_kmos.spatial.moffat import moffat_images, moffat_slopes

Y, X, SHAPE = np.array([5.3, -1.2]), np.array([7.9, 4.0]), (13, 16)


def test_image_is_the_integral_over_the_pixels():
    fwhm, beta, n = 2.6, 2.4, 40
    image = moffat_images(Y, X, SHAPE, fwhm_pix=fwhm, beta=beta)[0]

    points = (np.arange(n) - (n - 1) / 2) / n
    squared = (5 + points[:, None] - Y[0]) ** 2 + (8 + points - X[0]) ** 2
    core = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    # 3 x 3 points of Gauss integrate to 1e-4 here, 40 x 40 points to better.
    assert image[5, 8] == pytest.approx(np.mean((beta - 1) / np.pi / core * (1 + squared / core) ** -beta), rel=3e-4)


def test_the_infinite_plane_holds_a_flux_of_one():
    far = moffat_images(np.array([300.2]), np.array([299.7]), (601, 601), fwhm_pix=3.0, beta=3.0)

    # Beyond a radius R of a Moffat profile lies (1 + R^2 / a^2)^(1 - beta) of the light: 7e-9 here.
    assert far.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("parameter", ["y", "x", "ln_fwhm", "beta"])
def test_slopes_are_the_differences(parameter: str):
    step = 1e-4

    def images(sign: float) -> np.ndarray:
        moved = {name: sign * step * (name == parameter) for name in ("y", "x", "ln_fwhm", "beta")}
        width = 3.1 * np.exp(moved["ln_fwhm"])
        return moffat_images(Y + moved["y"], X + moved["x"], SHAPE, fwhm_pix=width, beta=2.7 + moved["beta"])

    slopes = moffat_slopes(Y, X, SHAPE, fwhm_pix=3.1, beta=2.7)

    assert_allclose(slopes.images, images(0), rtol=1e-12)
    expected = (images(1) - images(-1)) / (2 * step)
    # Central differences err by the third derivative times step^2 / 6.
    assert_allclose(getattr(slopes, f"by_{parameter}"), expected, atol=1e-8)
