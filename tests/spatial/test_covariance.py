"""Correlation of the noise: what the product of the operators says."""

from __future__ import annotations

import numpy as np
import pytest

from napari_kmos.spatial.covariance import correlated_variance, noise_correlation
from napari_kmos.spatial.kernels import KERNELS, Kernel
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import image_grid, make_wcs, shift_wcs

SHAPE = (13, 14)
FIELD = make_wcs(266.4, -29.0, crpix=(7.5, 7.0))


def dense(resampler):
    """Whole matrix of a resampler, shape (n_out, n_in)."""
    n = SHAPE[0] * SHAPE[1]
    return resampler.values(np.eye(n, dtype=np.float32).reshape(n, *SHAPE)).reshape(n, -1).T


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("rotation", [0.0, 20.0])
def test_correlation_is_that_of_the_matrices(name, rotation):
    shape = (8, 9)  # on all of the exposures
    grid = make_wcs(266.4, -29.0, crpix=(5.2, 4.4))
    places = [(7.3, 7.1), (7.9, 6.6), (6.8, 7.3)]
    fields = [make_wcs(266.4, -29.0, crpix=place, rotation_deg=rotation) for place in places]
    resamplers = [make_resampler(field, SHAPE, grid, shape, kernel=Kernel(name=name)) for field in fields]
    assert all(one.inside.all() and one.shape == shape for one in resamplers)
    full = sum(dense(one) @ dense(one).T for one in resamplers) / 9
    sigma = np.sqrt(np.diag(full))
    found = noise_correlation(resamplers)
    found = np.pad([[1.0]] if found is None else found, 2)
    k = len(found) // 2
    np.testing.assert_allclose(found, found[::-1, ::-1])
    rows, columns = np.indices(shape).reshape(2, -1)
    for dy, dx in [(0, 0), (0, 1), (1, 0), (1, 1), (1, -1), (2, 0)]:
        first = np.flatnonzero((rows + dy < shape[0]) & (columns + dx < shape[1]) & (columns + dx >= 0))
        second = first + shape[1] * dy + dx
        expected = full[first, second].sum() / (sigma[first] * sigma[second]).sum()
        # variances of turned fields leave out weights below 1e-5
        assert found[k + dy, k + dx] == pytest.approx(expected, abs=1e-5 if rotation == 0 else 1e-3)


def test_whole_spaxels_are_not_correlated():
    moved = make_resampler(shift_wcs(FIELD, 0.4, -0.2), SHAPE, FIELD, SHAPE)
    assert noise_correlation([moved, moved]) is None


def test_correlation_of_the_inputs_is_folded_in():
    kernel = np.outer([0.2, 1, 0.2], [0.1, 1, 0.1])
    same = make_resampler(FIELD, SHAPE, FIELD, SHAPE)
    np.testing.assert_allclose(noise_correlation([same, same], inputs=[kernel, kernel]), kernel, atol=1e-6)
    np.testing.assert_allclose(noise_correlation([same, same], inputs=[kernel, None])[0], kernel[0] / 2, atol=1e-6)


def test_finer_spaxels_are_correlated_further():
    grid, shape = image_grid([(FIELD, SHAPE)], scale_arcsec=0.1)
    fine = noise_correlation([make_resampler(FIELD, SHAPE, grid, shape)])
    half = make_resampler(shift_wcs(FIELD, 0.05, 0.05), SHAPE, FIELD, SHAPE)
    assert fine.shape[0] > noise_correlation([half]).shape[0]
    k = fine.shape[0] // 2
    assert 0.6 < fine[k, k + 1] < 0.8


def test_many_fields_are_told_from_some():
    dithers = np.random.default_rng(1).uniform(-0.2, 0.2, (130, 2))
    resamplers = [make_resampler(shift_wcs(FIELD, *step), SHAPE, FIELD, SHAPE) for step in dithers]
    few = noise_correlation(resamplers[::3])
    many = noise_correlation(resamplers)
    k = min(len(few), len(many)) // 2
    middle = [one[len(one) // 2 - k :][: 2 * k + 1, len(one) // 2 - k :][:, : 2 * k + 1] for one in (few, many)]
    np.testing.assert_allclose(middle[0], middle[1], atol=0.02)


def test_variance_of_a_sum_is_that_of_the_matrix():
    rng = np.random.default_rng(2)
    correlation = np.outer([0.25, 0.5, 1, 0.5, 0.25], [0.1, 0.3, 1, 0.3, 0.1])
    y, x = rng.integers(0, 9, (2, 25))
    y, x = np.unique([y, x], axis=1)
    sigma = rng.uniform(0.5, 2, (y.size, 3))
    matrix = np.zeros((y.size, y.size))
    for i in range(y.size):
        for j in range(y.size):
            dy, dx = y[j] - y[i], x[j] - x[i]
            if max(abs(dy), abs(dx)) <= 2:
                matrix[i, j] = correlation[2 + dy, 2 + dx]
    expected = np.einsum("in,ij,jn->n", sigma, matrix, sigma)
    np.testing.assert_allclose(correlated_variance(sigma, y, x, correlation), expected)
    np.testing.assert_allclose(correlated_variance(sigma, y, x, np.ones((1, 1))), (sigma**2).sum(axis=0))
