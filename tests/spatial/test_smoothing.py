"""Smoothing keeps the light and adds the variance asked for."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.spatial.smoothing import diffuse


@pytest.mark.parametrize("variance", [0.0, 0.3, 2.0])
def test_a_point_spreads_by_the_variance_and_keeps_its_light(variance):
    image = np.zeros((31, 37))
    image[14, 20] = 5.0
    smooth = diffuse(image, variance)
    y, x = np.indices(image.shape)
    assert smooth.sum() == pytest.approx(5.0, rel=1e-12)
    for at, coordinate in ((14, y), (20, x)):
        assert (smooth * (coordinate - at) ** 2).sum() / 5 == pytest.approx(variance, abs=1e-6)  # of the borders
