"""What a user of the demo would click on: stars, and dark places between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_kmos.aperture import Aperture
from napari_kmos.simulate.field import moved
from napari_kmos.simulate.psf import BETA
from napari_kmos.simulate.truth import true_offsets
from napari_kmos.spatial.wcs import offset_arcsec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.offset import Offset
    from napari_kmos.simulate.scene import Scene

    Floats = NDArray[np.float64]

_STARS_PER_IFU, _STAR_RADIUS_ARCSEC = 5, 0.5
_APART_ARCSEC, _STARS_INSIDE_ARCSEC = 0.6, 0.9
_SKIES_PER_IFU, _SKY_RADIUS_ARCSEC = 5, 0.2
_SKIES_INSIDE_ARCSEC, _STEP_ARCSEC = 1.0, 0.1
_TYPICAL_FWHM_ARCSEC = 0.75


def click_list(scene: Scene) -> tuple[Aperture, ...]:
    """Return apertures as a user would choose them, from the truth: bright stars apart from each other, dark places.

    They stand where they are seen in the combined cubes: these have the header WCS of the first exposure, whose own
    pointing error nobody knows without a catalogue.

    Parameters
    ----------
    scene : Scene
        The simulated night.

    Returns
    -------
    tuple of Aperture
        For each IFU up to five stars, well inside the field of every exposure, and five sky areas.
    """
    first = {offset.ifu: offset for offset in true_offsets(scene) if offset.exposure == 0}
    apertures: list[Aperture] = []
    for target in scene.targets:
        mine = np.flatnonzero((scene.stars.ifu == target.ifu) & ~scene.stars.on_sky)
        east, north = offset_arcsec(target.ra, target.dec, scene.stars.ra[mine], scene.stars.dec[mine])
        flux = scene.stars.flux[mine]
        for k in _choose_stars(east, north, flux):
            name = str(scene.stars.id[mine[k]])
            apertures.append(_seen(target.ra, target.dec, (east[k], north[k]), first[target.ifu], name))
        for number, place in enumerate(_choose_skies(east, north, flux), start=1):
            name = f"sky{target.ifu:02d}_{number}"
            apertures.append(_seen(target.ra, target.dec, place, first[target.ifu], name, kind="sky"))
    return tuple(apertures)


def _choose_stars(east: Floats, north: Floats, flux: Floats) -> list[int]:
    """Return the brightest stars that lie inside and apart."""
    kept: list[int] = []
    for k in np.argsort(-flux):
        inside = max(abs(east[k]), abs(north[k])) < _STARS_INSIDE_ARCSEC
        apart = all(np.hypot(east[k] - east[j], north[k] - north[j]) > _APART_ARCSEC for j in kept)
        if inside and apart and len(kept) < _STARS_PER_IFU:
            kept.append(int(k))
    return kept


def _choose_skies(east: Floats, north: Floats, flux: Floats) -> list[tuple[float, float]]:
    """Return the places with the least starlight, side by side at most."""
    axis = np.arange(-_SKIES_INSIDE_ARCSEC, _SKIES_INSIDE_ARCSEC + _STEP_ARCSEC / 2, _STEP_ARCSEC)
    x, y = (grid.ravel() for grid in np.meshgrid(axis, axis))
    alpha = _TYPICAL_FWHM_ARCSEC / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    squared = (x[:, None] - east) ** 2 + (y[:, None] - north) ** 2
    light = (flux * (1 + squared / alpha**2) ** -BETA).sum(axis=1)
    kept: list[tuple[float, float]] = []
    for k in np.argsort(light):
        apart = all(np.hypot(x[k] - a, y[k] - b) >= 2 * _SKY_RADIUS_ARCSEC for a, b in kept)
        if apart and len(kept) < _SKIES_PER_IFU:
            kept.append((float(x[k]), float(y[k])))
    return kept


def _seen(
    ra: float, dec: float, place: tuple[float, float], offset: Offset, name: str, *, kind: str = "star"
) -> Aperture:
    """Return the aperture on a place, east and north of a position, as seen through a header that is not right."""
    east, north = np.array([place[0] - offset.dra_arcsec]), np.array([place[1] - offset.ddec_arcsec])
    seen_ra, seen_dec = moved(ra, dec, east, north)
    radius = _STAR_RADIUS_ARCSEC if kind == "star" else _SKY_RADIUS_ARCSEC
    return Aperture(id=name, kind=kind, ra=float(seen_ra[0]), dec=float(seen_dec[0]), radius_arcsec=radius)
