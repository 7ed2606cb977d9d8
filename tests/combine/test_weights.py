"""Cubes weighted by exposure time or by their noise; what is said where clipping cannot do anything."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np
import pytest
from factories import make_cube

from napari_kmos.combine import CombineParameters, combine_cubes
from napari_kmos.errors import KmosError
from napari_kmos.spatial.wcs import shift_wcs

SHAPE = (3, 12, 14)


def observe(*levels, noise=1.0):
    """Constant cubes on one grid: (flux, exposure time, dither in arcsec) of each."""
    made = []
    for flux, exptime, shift in levels:
        cube = make_cube(shape=SHAPE, stars=(), background=flux, sigma=0)
        facts = {"exptime": exptime, "noise": np.full(SHAPE, noise, dtype=np.float32)}
        made.append(dataclasses.replace(cube, wcs=shift_wcs(cube.wcs, 0, shift), **facts))
    return made


def middle(result):
    flux = np.asarray(result.cube.flux)
    return flux[1, flux.shape[1] // 2, flux.shape[2] // 2]


def test_exposure_times_weigh():
    cubes = observe((1, 100.0, 0), (4, 300.0, 0))
    result = combine_cubes(cubes, parameters=CombineParameters(cmethod="average", weight="exptime"))
    assert middle(result) == pytest.approx(13 / 4, rel=1e-5)
    assert np.nanmedian(np.asarray(result.cube.noise)) == pytest.approx(np.sqrt(1 + 9) / 4, rel=0.2)


def test_fields_of_other_weight_keep_it():
    # the first and the third do not overlap and would share a level of the stack, but for their weights
    cubes = observe((1, 100.0, 0), (4, 300.0, 0), (7, 500.0, 6), (8, 200.0, 6))
    result = combine_cubes(cubes, parameters=CombineParameters(cmethod="average", weight="exptime"))
    flux = np.asarray(result.cube.flux)[1]
    expected = {13 / 4, (7 * 5 + 8 * 2) / 7}
    found = {round(float(value), 3) for value in (flux[3, 7], flux[-4, 7])}
    assert found == {round(value, 3) for value in expected}


def test_noise_weighs():
    cubes = [*observe((1, None, 0), noise=2.0), *observe((4, None, 0), noise=1.0)]
    result = combine_cubes(cubes, parameters=CombineParameters(weight="variance"))
    assert middle(result) == pytest.approx((1 / 4 + 4) / 1.25, rel=1e-5)


@pytest.mark.parametrize("exptime", [None, 0.0, -3.0])
def test_unknown_exposure_time_is_told(exptime):
    cubes = observe((1, 100.0, 0), (4, exptime, 0))
    with pytest.raises(KmosError, match=f"exposure time is {exptime}, expected a positive one"):
        combine_cubes(cubes, parameters=CombineParameters(cmethod="average", weight="exptime"))


@pytest.mark.parametrize("cmethod", ["median", "sum", "min_max"])
def test_methods_that_take_no_weights(cmethod):
    with pytest.raises(KmosError, match=f"cmethod {cmethod} takes no weights, weight is variance"):
        CombineParameters(cmethod=cmethod, weight="variance")


@pytest.mark.parametrize(("n", "said"), [(3, "too few to reject anything"), (8, "more than the first pass"), (11, "")])
def test_too_few_to_clip_are_told(n, said, caplog):
    with caplog.at_level(logging.INFO, logger="napari_kmos"):
        combine_cubes(observe(*[(1, 100.0, 0)] * n))
    assert ("ksigma" in caplog.text) == bool(said)
    assert said in caplog.text
