"""Missing values: what stands for them, the same for a plane whatever the planes beside it."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.spatial.filling import fill_missing


def test_fill_takes_the_surface_through_the_neighbours():
    y, x = np.indices((5, 6), dtype=float)
    plane = 2 + y - 3 * x + 0.5 * y**2 + x * y
    ok = np.ones((1, 5, 6), dtype=bool)
    ok[0, 2, 3] = ok[0, 0, 0] = False
    filled = fill_missing(plane[None], ok)
    assert filled[0, 2, 3] == pytest.approx(plane[2, 3])
    assert filled[0, 0, 0] == pytest.approx((2 * plane[0, 1] + 2 * plane[1, 0] + plane[1, 1]) / 5)


def test_complete_planes_are_not_copied():
    planes = np.ones((2, 3, 4), dtype=np.float32)
    assert fill_missing(planes, np.isfinite(planes)) is planes


def test_two_passes_reach_two_spaxels_and_no_further():
    plane = np.full((1, 7, 9), np.nan)
    plane[0, 3, 4] = 5.0
    filled = fill_missing(plane, np.isfinite(plane))
    expected = np.zeros((7, 9))
    expected[1:6, 2:7] = 5.0
    np.testing.assert_allclose(filled[0], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(13, 15), (60, 70)], ids=["by a matrix", "one by one"])
def test_a_plane_is_filled_from_itself_alone(dtype, shape):
    rng = np.random.default_rng(1)
    planes = rng.normal(size=(30, *shape)).astype(dtype)
    ok = rng.random(planes.shape) > 0.02
    ok[:, :2] = ok[:, :, -1] = ok[:, 5:9, 6:10] = False
    ok[:, rng.random(shape) < 0.2] = False
    ok[4] = False
    given = planes.copy()
    together = fill_missing(planes, ok)
    alone = np.concatenate([fill_missing(plane[None], mask[None]) for plane, mask in zip(planes, ok, strict=True)])
    np.testing.assert_allclose(together, alone, atol=1e-5 if dtype == np.float32 else 1e-12)
    np.testing.assert_array_equal(together[ok], planes[ok])
    np.testing.assert_array_equal(planes, given)
    assert together.dtype == dtype
    assert not together[4].any()
