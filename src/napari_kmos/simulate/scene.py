"""A simulated night before noise: what every arm would see in every exposure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.errors import KmosError
from napari_kmos.simulate.arms import ArmResponse, make_response
from napari_kmos.simulate.atmosphere import transmission
from napari_kmos.simulate.conditions import Conditions, make_conditions
from napari_kmos.simulate.field import Target, make_targets, moved
from napari_kmos.simulate.lsf import FWHM_PIX, Lsf, smooth
from napari_kmos.simulate.stars import Stars, make_stars
from napari_kmos.simulate.templates import KINDS, absorption
from napari_kmos.spatial.wcs import make_wcs, shift_wcs
from napari_kmos.spectral.oh import SkyLines, sky_lines

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.simulate.parameters import SimulationParameters

    Floats = NDArray[np.float64]

#: Samples of the fine grid per plane, and planes it reaches beyond the cube.
_OVERSAMPLING, _PAD = 4, 40


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """A night before noise.

    Parameters
    ----------
    parameters : SimulationParameters
        What the night is made of.
    detector : SimulationParameters
        The same on the grid of the detectors, on which light is rendered: see `to_cube`.
    targets, sky_targets : tuple of Target
        Where the arms look in object and in sky exposures.
    stars : Stars
        All stars.
    exposures : tuple of Conditions
        In the order of time.
    responses : dict
        Arm to its response.
    lines : SkyLines
        Airglow lines of the band.
    fine_um : ndarray
        Fine wavelength grid.
    absorptions : dict
        Kind of star to its absorbed share of light on the fine grid, at the resolution of the instrument.
    transmission : ndarray
        Of the atmosphere, likewise.
    """

    parameters: SimulationParameters
    detector: SimulationParameters
    targets: tuple[Target, ...]
    sky_targets: tuple[Target, ...]
    stars: Stars
    exposures: tuple[Conditions, ...]
    responses: dict[int, ArmResponse]
    lines: SkyLines
    fine_um: Floats
    absorptions: dict[str, Floats]
    transmission: Floats


def make_scene(parameters: SimulationParameters) -> Scene:
    """Return the night that the parameters describe."""
    targets = make_targets(parameters)
    detector = parameters.on_detector
    fine = np.arange(-_PAD * _OVERSAMPLING, (detector.nz + _PAD) * _OVERSAMPLING) / _OVERSAMPLING
    fine_um = detector.start_um + fine * detector.step_um
    lsf = usual_lsf(parameters)
    ends = (float(fine_um[0]), float(fine_um[-1]))
    sky_through = transmission(fine_um) if parameters.telluric else np.ones_like(fine_um)
    return Scene(
        parameters=parameters,
        detector=detector,
        targets=targets,
        sky_targets=make_targets(parameters, on_sky=True),
        stars=make_stars(parameters),
        exposures=make_conditions(parameters),
        responses={target.ifu: make_response(detector, target.ifu) for target in targets},
        lines=sky_lines(ends),
        fine_um=fine_um,
        absorptions={kind: smooth(absorption(kind, fine_um), lsf, _OVERSAMPLING) for kind in KINDS},
        transmission=smooth(sky_through, lsf, _OVERSAMPLING),
    )


def usual_lsf(parameters: SimulationParameters) -> Lsf:
    """Return the usual line spread function: as many planes of the detector broad, however few these are."""
    return Lsf(fwhm_pix=FWHM_PIX, wing=parameters.lsf_wing)


def find_exposure(scene: Scene, index: int, *, on_sky: bool = False) -> Conditions:
    """Return an object or sky exposure by its number.

    Raises
    ------
    KmosError
        If there is none.
    """
    for conditions in scene.exposures:
        if (conditions.index, conditions.on_sky) == (index, on_sky):
            return conditions
    msg = f"no {'sky' if on_sky else 'object'} exposure {index} in this night"
    raise KmosError(msg)


def find_target(scene: Scene, ifu: int, *, on_sky: bool = False) -> Target:
    """Return what an arm looks at.

    Raises
    ------
    KmosError
        If the arm is not in use.
    """
    for target in scene.sky_targets if on_sky else scene.targets:
        if target.ifu == ifu:
            return target
    used = ", ".join(str(target.ifu) for target in scene.targets)
    msg = f"IFU {ifu} is not in use in this night; IFUs with data: {used}"
    raise KmosError(msg)


def pointing_error(scene: Scene, conditions: Conditions, ifu: int) -> tuple[float, float]:
    """Return the correction (dRA cos Dec, dDec; arcsec) to add to the header WCS of an IFU of an exposure."""
    seed = [scene.parameters.seed, 7, conditions.on_sky, conditions.index, ifu]
    east, north = np.random.default_rng(seed).normal(0, 1, 2) * scene.parameters.pointing_arcsec
    return float(east), float(north)


def header_wcs(scene: Scene, conditions: Conditions, ifu: int) -> WCS:
    """Return the WCS as the header states it: the planned pointing."""
    return _planned_wcs(scene, conditions, ifu, scene.parameters)


def _planned_wcs(scene: Scene, conditions: Conditions, ifu: int, grid: SimulationParameters) -> WCS:
    target = find_target(scene, ifu, on_sky=conditions.on_sky)
    ra, dec = moved(target.ra, target.dec, *conditions.dither_arcsec)
    middle = grid.n_spaxels / 2 + 0.5
    return make_wcs(
        ra,
        dec,
        crpix=(middle, middle),
        scale_arcsec=grid.pix_scale,
        rotation_deg=conditions.rotation_deg,
    )


def true_wcs(scene: Scene, conditions: Conditions, ifu: int) -> WCS:
    """Return the WCS that is right, on the grid of the detector: the planned one with the correction added."""
    planned = _planned_wcs(scene, conditions, ifu, scene.detector)
    return shift_wcs(planned, *pointing_error(scene, conditions, ifu))
