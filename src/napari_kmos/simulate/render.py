"""Noise-free light on the grid of the detectors: the stars alone and the sky alone, as an arm records them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import legendre

from napari_kmos.instrument import SPAXEL_ARCSEC
from napari_kmos.simulate.arms import ArmResponse, throughput
from napari_kmos.simulate.conditions import Conditions, level_factors
from napari_kmos.simulate.lsf import FWHM_PIX, Lsf, spread_lines
from napari_kmos.simulate.psf import moffat_images, seeing_at
from napari_kmos.simulate.scene import Scene, true_wcs
from napari_kmos.simulate.stars import Stars, band_centre_um, select_stars
from napari_kmos.spatial.wcs import sky_to_pixel
from napari_kmos.spectral.thermal import planck_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_PSF_NODES = 5
#: By which spectra are shifted for their slope.
_STEP_PIX = 0.05
#: Stars further than this from the centre of an IFU are left out.
_REACH_ARCSEC = 4.0
_LIGHT_KMS = 299792.458
#: ADU per second, plane and spaxel of 0.2 arcsec: a line of strength 1, the continuum, thermal emission at 2.4 micron.
_LINE, _CONTINUUM, _THERMAL = 3.5e-3, 0.03, 1.2
_THERMAL_UM, _THERMAL_K = 2.4, 285.0
_ARM_FLEXURE = 0.2


def star_spectra(scene: Scene, stars: Stars, *, shift_pix: Floats | float = 0.0) -> Floats:
    """Return the spectra of stars as the instrument records them.

    Parameters
    ----------
    scene : Scene
        The night.
    stars : Stars
        Stars, all or some.
    shift_pix : float or ndarray, shape (n_planes,)
        By how many planes the features lie further.

    Returns
    -------
    ndarray, shape (n_stars, n_planes)
        Flux in the infinite plane, ADU per second and plane, at the planes of the detector.
    """
    parameters = scene.detector
    wave = parameters.start_um + (np.arange(parameters.nz) - shift_pix) * parameters.step_um
    common = throughput(parameters.nz) * np.interp(wave, scene.fine_um, scene.transmission)
    spectra = np.empty((len(stars), parameters.nz))
    for k in range(len(stars)):
        rest = wave / (1 + stars.velocity_kms[k] / _LIGHT_KMS)
        absorbed = np.interp(rest, scene.fine_um, scene.absorptions[str(stars.kind[k])])
        continuum = (wave / band_centre_um(parameters.band)) ** stars.slope[k]
        spectra[k] = stars.flux[k] * continuum * (1 - stars.depth[k] * absorbed) * common
    return spectra


def stars_cube(scene: Scene, conditions: Conditions, ifu: int) -> Floats:
    """Return the light of the stars alone, on slitlets as they lie, shape (n_planes, n_y, n_x), ADU per second."""
    parameters, response = scene.detector, scene.responses[ifu]
    n_y, n_x = response.gain.shape
    cube = np.zeros((parameters.nz, n_y, n_x))
    y, x = sky_to_pixel(true_wcs(scene, conditions, ifu), scene.stars.ra, scene.stars.dec)
    near = np.hypot(y - n_y / 2, x - n_x / 2) < _REACH_ARCSEC / parameters.pix_scale
    if not near.any():
        return cube
    flexure, stars = flexure_pix(scene, conditions, ifu), select_stars(scene.stars, near)
    nodes = np.linspace(0, parameters.nz - 1, _PSF_NODES)
    fwhm = seeing_at(conditions.seeing_arcsec, parameters.start_um + nodes * parameters.step_um) / parameters.pix_scale
    images = [moffat_images(y[near], x[near], (n_y, n_x), fwhm_pix=float(f)) for f in fwhm]
    before, middle, behind = (star_spectra(scene, stars, shift_pix=flexure + by) for by in (-_STEP_PIX, 0.0, _STEP_PIX))
    further = response.shift_pix[response.slitlet] + response.spaxel_shift_pix  # small, as the lines of the sky lie
    cube = _light(middle, images) + further * _light((behind - before) / (2 * _STEP_PIX), images)
    return cube * response.gain


def _light(spectra: Floats, images: list[Floats]) -> Floats:
    """Return spectra, shape (n_stars, n_planes), at their images at the nodes, linear between these."""
    n_planes = spectra.shape[1]
    nodes, plane = np.linspace(0, n_planes - 1, len(images)), np.arange(n_planes)
    cube = np.zeros((n_planes, *images[0].shape[1:]))
    for first, last in pairwise(range(len(images))):
        part = (plane >= nodes[first]) & (plane <= nodes[last])
        share = (plane[part] - nodes[first]) / (nodes[last] - nodes[first])
        cube[part] = np.tensordot(spectra[:, part] * (1 - share), images[first], axes=(0, 0))
        cube[part] += np.tensordot(spectra[:, part] * share, images[last], axes=(0, 0))
    return cube


def sky_cube(scene: Scene, conditions: Conditions, ifu: int) -> Floats:
    """Return the light of the sky alone, shape (n_planes, n_y, n_x), ADU per second."""
    parameters, response = scene.detector, scene.responses[ifu]
    strength = parameters.airglow * _LINE * scene.lines.strength * level_factors(scene.lines, conditions.sky)
    position = (scene.lines.wavelength_um - parameters.start_um) / parameters.step_um
    position += flexure_pix(scene, conditions, ifu, plane=position)
    cube = _lines_of_spaxels(response, position, strength, parameters.nz)
    cube += sky_background(scene, conditions)[:, None, None]
    cube *= response.gain * (parameters.pix_scale / SPAXEL_ARCSEC) ** 2
    return np.asarray(cube * throughput(parameters.nz)[:, None, None])


def _lines_of_spaxels(response: ArmResponse, position: Floats, strength: Floats, n_planes: int) -> Floats:
    """Return lines at their places in every spaxel, by a parabola through three places in each slitlet."""
    reach = np.abs(response.spaxel_shift_pix).max()
    middle = _lines_of_slitlets(response, position, strength, n_planes)
    if reach == 0:
        return middle[:, response.slitlet]
    before, behind = (_lines_of_slitlets(response, position + by, strength, n_planes) for by in (-reach, reach))
    u = response.spaxel_shift_pix / reach
    shares = (0.5 * u * (u - 1), 1 - u**2, 0.5 * u * (u + 1))
    places = (before, middle, behind)
    return np.asarray(sum(share * at[:, response.slitlet] for share, at in zip(shares, places, strict=True)))


def _lines_of_slitlets(response: ArmResponse, position: Floats, strength: Floats, n_planes: int) -> Floats:
    """Return the lines in each slitlet, shape (n_planes, n_slitlets)."""
    lines = [
        spread_lines(position + shift, strength, n_planes, lsf=Lsf(fwhm_pix=FWHM_PIX * width, wing=wing))
        for shift, width, wing in zip(response.shift_pix, response.width, response.wing, strict=True)
    ]
    return np.stack(lines, axis=1)


def sky_background(scene: Scene, conditions: Conditions) -> Floats:
    """Return thermal emission and continuum of the sky per spaxel of 0.2 arcsec, shape (n_planes,)."""
    parameters = scene.detector
    wave = parameters.start_um + np.arange(parameters.nz) * parameters.step_um
    usual = float(planck_shape(_THERMAL_UM, _THERMAL_K))
    thermal = _THERMAL * planck_shape(wave, conditions.sky.thermal_k) / usual
    return np.asarray(_CONTINUUM * conditions.sky.continuum + thermal)


def flexure_pix(scene: Scene, conditions: Conditions, ifu: int, *, plane: Floats | None = None) -> Floats:
    """Return by how many planes features lie further, at fractional planes or at all planes."""
    parameters = scene.detector
    at = np.arange(parameters.nz, dtype=float) if plane is None else plane
    seed = [parameters.seed, 8, conditions.on_sky, conditions.index, ifu]
    own = np.random.default_rng(seed).normal(0, _ARM_FLEXURE * parameters.flexure)
    u = 2 * at / (parameters.nz - 1) - 1
    curve = legendre.legval(u, (0.0, 0.0, *conditions.curve_pix))
    return np.asarray(conditions.shift_pix + own + conditions.stretch_pix * u + curve)
