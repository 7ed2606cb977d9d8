"""On simulated nights (varying OH levels, flexure, slitlets, crowded stars) scaling the sky pays in every band."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_kmos.instrument import BANDS
from napari_kmos.simulate import SimulationParameters, simulate_night, true_sky, true_stars
from napari_kmos.sky import SKY_METHODS, nearest_sky, subtract_sky


@pytest.mark.parametrize("band", BANDS)
def test_each_method_leaves_less_than_the_one_before(band):
    """Residual of the mean of dark spaxels on sky lines, over its noise: 7-28 plain, 2-7 davies, 1.1-1.4 levels.

    The mean is a median, whose own noise is 1.25.
    """
    night = simulate_night(SimulationParameters(band=band, ifus=1, exposures=1, epochs=1))
    left = {method: _residual(night, method) for method in SKY_METHODS}
    assert left["davies"] < 0.5 * left["plain"]
    assert left["levels"] < 0.8 * left["davies"]
    assert left["levels"] < 1.6


def _residual(night, method):
    target, ifu = night.objects[0], night.objects[0].cubes[0].ifu
    cube = target.cube(ifu)
    result = subtract_sky(cube, nearest_sky(target, night.skies).cube(ifu), method=method)
    stars, light = true_stars(night, 0, ifu), true_sky(night, 0, ifu).mean(axis=(1, 2))
    white = stars.mean(axis=0)
    dark = (white <= np.median(white)) & ~result.sky_mask & (np.isfinite(cube.flux).mean(axis=0) > 0.5)
    noise = np.asarray(cube.noise, dtype=float)[:, dark]
    error = np.sqrt(np.mean(noise**2, axis=1) / dark.sum())
    mean = np.median(np.asarray(result.cube.flux, dtype=float)[:, dark] - stars[:, dark], axis=1)
    mean -= ndimage.median_filter(np.nan_to_num(mean), 61)
    lines = light - ndimage.percentile_filter(light, 25, 61) > 5 * np.median(noise, axis=1)
    use = lines & np.isfinite(mean) & np.isfinite(error)
    assert np.count_nonzero(use) > 20
    return np.sqrt(np.mean((mean[use] / error[use]) ** 2))
