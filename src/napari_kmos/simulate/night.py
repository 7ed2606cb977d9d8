"""A simulated night: exposures as the pipeline would write them, and the truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from astropy.time import Time

from napari_kmos.exposure import Arm, Exposure
from napari_kmos.instrument import ARMS, detector_of
from napari_kmos.io.simulated import extension_header, primary_header
from napari_kmos.simulate.detector import observe
from napari_kmos.simulate.grid import to_cube
from napari_kmos.simulate.names import CATEGORY, TEMPLATE, exposure_facts, file_name
from napari_kmos.simulate.parameters import SimulationParameters
from napari_kmos.simulate.render import sky_cube, stars_cube
from napari_kmos.simulate.scene import Scene, find_exposure, find_target, make_scene
from napari_kmos.simulate.stars import select_stars
from napari_kmos.simulate.truth import true_offsets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.offset import Offset
    from napari_kmos.simulate.conditions import Conditions


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Night:
    """Exposures in memory, and the scene they show.

    Parameters
    ----------
    objects, skies : tuple of Exposure
        In the order of time; no data is NaN.
    files, sky_files : tuple of str
        Where each would be written, relative to the folder of the night.
    truth : tuple of Offset
        True corrections, an entry an object exposure and IFU.
    scene : Scene
        Stars, conditions, airglow: what the exposures were made from.
    """

    objects: tuple[Exposure, ...]
    skies: tuple[Exposure, ...]
    files: tuple[str, ...]
    sky_files: tuple[str, ...]
    truth: tuple[Offset, ...]
    scene: Scene


def simulate_night(parameters: SimulationParameters | None = None) -> Night:
    """Simulate object and sky exposures of a crowded field as the pipeline writes them.

    Parameters
    ----------
    parameters : SimulationParameters, optional
        What the night is made of.

    Returns
    -------
    Night
        Cubes of shape (wavelength, y, x), float32, ADU/s, with the noise they were drawn with.

    Notes
    -----
    Airglow varies by upper level (vibration, rotation, spin component); lines are narrower than two planes and
    integrated over them; flexure moves stars and sky alike. The header's pointing is wrong by a little in every IFU
    and exposure. Spaxels or planes finer than those of the detectors are interpolated, noise and all: see `to_cube`.
    """
    scene = make_scene(parameters or SimulationParameters())
    objects = [conditions for conditions in scene.exposures if not conditions.on_sky]
    skies = [conditions for conditions in scene.exposures if conditions.on_sky]
    return Night(
        objects=tuple(simulate_exposure(scene, conditions) for conditions in objects),
        skies=tuple(simulate_exposure(scene, conditions) for conditions in skies),
        files=tuple(file_name(scene, conditions) for conditions in objects),
        sky_files=tuple(file_name(scene, conditions) for conditions in skies),
        truth=true_offsets(scene),
        scene=scene,
    )


def sample_night() -> Night:
    """Return a small night, made in a moment: two IFUs, one object and one sky exposure, 512 planes."""
    return simulate_night(SimulationParameters(ifus=2, exposures=1, epochs=1, nz=512))


def true_stars(
    night: Night, index: int, ifu: int, *, on_sky: bool = False, ids: Collection[str] | None = None
) -> NDArray[np.float64]:
    """Return the light of the stars alone in an exposure, without noise or gaps.

    Parameters
    ----------
    night : Night
        The night.
    index : int
        0-based, among its objects (or skies).
    ifu : int
        Arm.
    on_sky : bool
        Take a sky exposure.
    ids : collection of str, optional
        Only these stars.

    Returns
    -------
    ndarray, shape (n_planes, n_y, n_x)
        ADU/s, finite everywhere.

    Raises
    ------
    KmosError
        If there is no such exposure, or the arm is not in use.
    """
    scene = night.scene
    find_target(scene, ifu)
    if ids is not None:
        scene = dataclasses.replace(scene, stars=select_stars(scene.stars, np.isin(scene.stars.id, list(ids))))
    return to_cube(stars_cube(scene, find_exposure(scene, index, on_sky=on_sky), ifu), scene, ifu)


def true_sky(night: Night, index: int, ifu: int, *, on_sky: bool = False) -> NDArray[np.float64]:
    """Return the light of the sky alone in an exposure, without noise or gaps; as `true_stars`."""
    find_target(night.scene, ifu)
    light = sky_cube(night.scene, find_exposure(night.scene, index, on_sky=on_sky), ifu)
    return to_cube(light, night.scene, ifu)


def simulate_exposure(scene: Scene, conditions: Conditions) -> Exposure:
    """Return one exposure of a scene: 24 arms, those in use with their cubes."""
    facts = exposure_facts(scene, conditions)
    bare = Exposure(
        arms=tuple(_arm(scene, conditions, number) for number in ARMS),
        band=scene.parameters.band,
        date=Time(conditions.mjd, format="mjd"),
        object_name=facts.object_name,
        ob_name=facts.ob_name,
        template=TEMPLATE,
        category=CATEGORY,
        dither_arcsec=conditions.dither_arcsec,
        rotation_deg=conditions.rotation_deg,
    )
    arms = tuple(_with_header(bare, arm) for arm in bare.arms)
    return dataclasses.replace(bare, arms=arms, header=primary_header(bare, facts))


def _arm(scene: Scene, conditions: Conditions, number: int) -> Arm:
    """Return an arm; those of a sky OB are of type object, as in real files."""
    if number not in scene.responses:
        return Arm(number=number, role="off", not_used="NotInPAF/Locked", original=number)
    target = find_target(scene, number, on_sky=conditions.on_sky)
    cube = observe(scene, conditions, number)
    return Arm(number=number, name=target.name, original=number, ra=target.ra, dec=target.dec, cube=cube)


def _with_header(exposure: Exposure, arm: Arm) -> Arm:
    if arm.cube is None or arm.number is None:
        return arm
    header = extension_header(exposure, arm, detector=detector_of(arm.number))
    return dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, header=header))
