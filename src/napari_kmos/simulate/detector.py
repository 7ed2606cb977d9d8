"""From light to a cube as the pipeline reconstructs it: noise, wrong voxels, gaps."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u

from napari_kmos.cube import Cube
from napari_kmos.instrument import GAIN_E_PER_ADU, SPAXEL_ARCSEC
from napari_kmos.simulate.grid import missing_in_cube, noise_to_cube, to_cube
from napari_kmos.simulate.render import sky_cube, stars_cube
from napari_kmos.simulate.scene import find_target, header_wcs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.exposure import Arm, Exposure
    from napari_kmos.simulate.conditions import Conditions
    from napari_kmos.simulate.scene import Scene

#: Electrons per voxel of 0.2 arcsec.
_READ_NOISE_E = 8.0
#: Wrong voxels: by how many sigma, and the share of those that are too bright.
_BAD_SIGMA, _TOO_BRIGHT = (30.0, 200.0), 0.8


def observe(scene: Scene, conditions: Conditions, ifu: int) -> Cube:
    """Return the cube of an arm with its noise, wrong voxels and gaps; no data is NaN."""
    parameters = scene.detector
    light = stars_cube(scene, conditions, ifu)
    light += sky_cube(scene, conditions, ifu)
    electrons = GAIN_E_PER_ADU * parameters.exptime
    read = _READ_NOISE_E * parameters.pix_scale / SPAXEL_ARCSEC
    sigma = np.sqrt(np.maximum(light, 0) * electrons + read**2) / electrons
    rng = np.random.default_rng([parameters.seed, 9, conditions.on_sky, conditions.index, ifu])
    light += sigma * rng.standard_normal(light.shape, dtype=np.float32)
    bad = rng.integers(0, light.size, rng.poisson(parameters.bad_voxels * light.size))
    sign = np.where(rng.random(len(bad)) < _TOO_BRIGHT, 1, -1)
    light.flat[bad] += sign * rng.uniform(*_BAD_SIGMA, len(bad)) * sigma.flat[bad]
    light, sigma = to_cube(light, scene, ifu), noise_to_cube(sigma, scene, ifu)
    planes, spaxels = missing_in_cube(scene, ifu)
    for array in (light, sigma):
        array[planes] = np.nan
        array[:, spaxels] = np.nan
    wave = scene.parameters.start_um + np.arange(scene.parameters.nz) * scene.parameters.step_um
    return Cube(
        flux=light.astype(np.float32),
        noise=sigma.astype(np.float32),
        wavelength=wave * u.um,
        wcs=header_wcs(scene, conditions, ifu),
        unit=u.adu / u.s,
        name=find_target(scene, ifu, on_sky=conditions.on_sky).name,
        ifu=ifu,
        exptime=parameters.exptime,
        source=f"simulated {'sky' if conditions.on_sky else 'object'} {conditions.index} IFU {ifu}",
    )


def with_zeros(exposure: Exposure) -> Exposure:
    """Return an exposure as the pipeline stores it: zero where there is no data, but edge columns stay NaN."""
    return dataclasses.replace(exposure, arms=tuple(_arm_with_zeros(arm) for arm in exposure.arms))


def _arm_with_zeros(arm: Arm) -> Arm:
    if arm.cube is None or arm.cube.noise is None:
        return arm
    cube = arm.cube
    missing = np.isnan(np.asarray(cube.flux))
    spaxels = missing.all(axis=0)
    if not spaxels[0].all():  # columns, not rows, lie at the edge of this arm
        missing &= missing.all(axis=(1, 2))[:, None, None] | ~spaxels
    filled = dataclasses.replace(cube, flux=_zeroed(cube.flux, missing), noise=_zeroed(cube.noise, missing))
    return dataclasses.replace(arm, cube=filled)


def _zeroed(array: object, missing: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(missing, np.float32(0), np.asarray(array))
