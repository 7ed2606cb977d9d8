"""Weights of circles are areas; rings and boxes hold what they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_kmos.spatial.apertures import annulus_mask, aperture_weights, bounding_box

SHAPE = (13, 17)


@given(y=st.floats(4, 8), x=st.floats(4, 12), radius=st.floats(0.05, 4))
def test_weights_of_a_circle_inside_sum_to_its_area(y: float, x: float, radius: float):
    weights = aperture_weights(SHAPE, y, x, radius)

    assert weights.shape == SHAPE
    assert weights.min() >= 0
    assert weights.max() <= 1 + 1e-12
    assert_allclose(weights.sum(), np.pi * radius**2, rtol=1e-9)


def test_weights_are_centred_where_told_rows_first():
    weights = aperture_weights(SHAPE, 3.25, 9.5, 2.2)

    rows, columns = np.indices(SHAPE)
    # The mean of pixel centres weighted by area is not exactly the centre: parts of pixels count at their centres.
    assert np.sum(weights * rows) / weights.sum() == pytest.approx(3.25, abs=0.03)
    assert np.sum(weights * columns) / weights.sum() == pytest.approx(9.5, abs=0.03)


def test_half_a_circle_at_the_edge_and_none_outside():
    # The edge of the image is at y = -0.5: a centre there has half its circle on the image.
    assert aperture_weights(SHAPE, -0.5, 8.0, 2.0).sum() == pytest.approx(2 * np.pi)
    assert aperture_weights(SHAPE, -9.0, 8.0, 2.0).sum() == 0


def test_ring_holds_the_pixels_between_two_radii():
    ring = annulus_mask(SHAPE, 6.2, 8.9, 2.5, 4.0)

    rows, columns = np.indices(SHAPE)
    distance = np.hypot(rows - 6.2, columns - 8.9)
    assert_array_equal(ring, (distance >= 2.5) & (distance < 4.0))


@given(y=st.floats(-30, 30), x=st.floats(-30, 30), radius=st.floats(0.1, 20))
def test_box_is_the_smallest_that_holds_the_circle(y: float, x: float, radius: float):
    rows, columns = bounding_box(SHAPE, y, x, radius)

    inside = np.zeros(SHAPE, dtype=bool)
    inside[rows, columns] = True
    centre_y, centre_x = np.indices(SHAPE)
    touched = (np.abs(centre_y - y) < radius + 0.5 - 1e-9) & (np.abs(centre_x - x) < radius + 0.5 - 1e-9)
    assert np.all(inside[touched])
    within = (np.abs(centre_y - y) < radius + 0.5 + 1e-9) & (np.abs(centre_x - x) < radius + 0.5 + 1e-9)
    assert not np.any(inside & ~within)
