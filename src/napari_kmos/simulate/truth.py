"""The truth of a simulated night as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.table import Table

from napari_kmos.offset import Offset
from napari_kmos.simulate.conditions import level_factors
from napari_kmos.simulate.grid import spectra_to_cube
from napari_kmos.simulate.names import epoch_name, file_name
from napari_kmos.simulate.render import flexure_pix, star_spectra
from napari_kmos.simulate.scene import find_target, pointing_error
from napari_kmos.simulate.stars import select_stars
from napari_kmos.spatial.wcs import offset_arcsec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.simulate.conditions import Conditions
    from napari_kmos.simulate.field import Target
    from napari_kmos.simulate.scene import Scene

#: Apertures of isolated stars: radius, and how far from the target a star may lie to be inside every exposure.
APERTURE_ARCSEC, _INNER_ARCSEC = 0.5, 0.7
_WITHIN_ARCSEC = 2.0


def true_offsets(scene: Scene) -> tuple[Offset, ...]:
    """Return the correction of every object exposure and IFU: what is to be added to the header WCS."""
    objects = [conditions for conditions in scene.exposures if not conditions.on_sky]
    return tuple(_true_offset(scene, conditions, ifu) for conditions in objects for ifu in scene.responses)


def _true_offset(scene: Scene, conditions: Conditions, ifu: int) -> Offset:
    east, north = pointing_error(scene, conditions, ifu)
    return Offset(
        exposure=conditions.index,
        file=file_name(scene, conditions).rsplit("/", 1)[-1],
        ifu=ifu,
        dra_arcsec=east,
        ddec_arcsec=north,
        err_arcsec=0.0,
        method="truth",
        epoch=epoch_name(conditions),
        half=conditions.half,
    )


def stars_table(scene: Scene) -> Table:
    """Return the stars: where they are, how bright, what they are; it can be read as an aperture table."""
    stars = scene.stars
    east, north = _from_target(scene)
    table = Table(meta={"comments": ["true positions; flux: total, ADU/s a plane, at the middle of the band"]})
    table["id"] = stars.id
    table["kind"] = np.full(len(stars), "star")
    table["ra"], table["dec"] = stars.ra * u.deg, stars.dec * u.deg
    table["radius_arcsec"] = np.full(len(stars), APERTURE_ARCSEC) * u.arcsec
    table["ifu"] = stars.ifu
    table["target"] = [target.name for target in _targets(scene)]
    table["east_arcsec"], table["north_arcsec"] = east * u.arcsec, north * u.arcsec
    table["magnitude"], table["flux"] = stars.magnitude * u.mag, stars.flux * u.adu / u.s
    table["type"] = stars.kind
    table["velocity_kms"] = stars.velocity_kms * u.km / u.s
    table["isolated"], table["contamination"] = stars.isolated, stars.contamination
    table["on_sky"] = stars.on_sky
    return table


def apertures_table(scene: Scene) -> Table:
    """Return apertures on the isolated stars that lie inside every exposure."""
    table = stars_table(scene)
    inner = np.maximum(np.abs(table["east_arcsec"]), np.abs(table["north_arcsec"])) < _INNER_ARCSEC * u.arcsec
    chosen = table[table["isolated"] & ~table["on_sky"] & inner]
    chosen.meta = {}
    return chosen["id", "kind", "ra", "dec", "radius_arcsec", "ifu", "type"]


def levels_table(scene: Scene) -> Table:
    """Return the factor of each upper level of the airglow in each exposure, over its usual strength."""
    lines = scene.lines
    keys = np.stack([lines.v_upper, lines.n_upper, lines.f_upper], axis=1)
    levels, first = np.unique(keys, axis=0, return_index=True)
    factors = [level_factors(lines, conditions.sky)[first] for conditions in scene.exposures]
    table = Table(meta={"comments": ["v_upper 0 is O2; f_upper 1: J = N + 1/2, 2: J = N - 1/2"]})
    table["file"] = np.repeat([file_name(scene, conditions) for conditions in scene.exposures], len(levels))
    for column, name in enumerate(("v_upper", "n_upper", "f_upper")):
        table[name] = np.tile(levels[:, column], len(scene.exposures))
    table["factor"] = np.concatenate(factors)
    return table


def exposures_table(scene: Scene) -> Table:
    """Return the conditions of each exposure and IFU; shifts in planes of the cubes."""
    finer = scene.parameters.nz / scene.detector.nz
    rows = [
        {
            "file": file_name(scene, conditions),
            "role": "sky" if conditions.on_sky else "object",
            "ifu": ifu,
            "epoch": epoch_name(conditions),
            "half": conditions.half,
            "seeing_arcsec": conditions.seeing_arcsec,
            "shift_pix": finer * float(np.mean(flexure_pix(scene, conditions, ifu))),
            "stretch_pix": finer * conditions.stretch_pix,
            "t_rot_k": conditions.sky.t_rot_k,
            "thermal_k": conditions.sky.thermal_k,
            "continuum": conditions.sky.continuum,
        }
        for conditions in scene.exposures
        for ifu in scene.responses
    ]
    return Table(rows=rows)


def spectra_tables(scene: Scene) -> tuple[tuple[str, Table], ...]:
    """Return the true spectra of the stars within 2 arcsec of their target, and the wavelengths, by name."""
    east, north = _from_target(scene)
    stars = select_stars(scene.stars, np.hypot(east, north) < _WITHIN_ARCSEC)
    parameters = scene.parameters
    wavelength = Table({"WAVELENGTH": (parameters.start_um + np.arange(parameters.nz) * parameters.step_um) * u.um})
    flux = spectra_to_cube(star_spectra(scene, stars), scene).astype(np.float32) * u.adu / u.s
    return (("SPECTRA", Table({"ID": stars.id, "FLUX": flux})), ("WAVELENGTH", wavelength))


def _from_target(scene: Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far east and north of their target the stars lie."""
    stars = scene.stars
    places = [
        offset_arcsec(target.ra, target.dec, float(ra), float(dec))
        for target, ra, dec in zip(_targets(scene), stars.ra, stars.dec, strict=True)
    ]
    found = np.array(places).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _targets(scene: Scene) -> list[Target]:
    """Return the target around which each star lies."""
    pairs = zip(scene.stars.ifu, scene.stars.on_sky, strict=True)
    return [find_target(scene, int(ifu), on_sky=bool(on_sky)) for ifu, on_sky in pairs]
