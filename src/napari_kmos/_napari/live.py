"""Spectra of the apertures on the screen, from the cubes on the screen."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from dask.base import compute
from napari.components import ViewerModel

from napari_kmos._napari.curves import Curve
from napari_kmos._napari.layers import active_layer, cube_layers, kmos_of
from napari_kmos._napari.under import moved_cube
from napari_kmos.aperture import Aperture, separation_arcsec
from napari_kmos.cube import Cube, pixel_scale_arcsec
from napari_kmos.extract import PSF_METHODS, ExtractParameters, apertures_inside, extract_spectra
from napari_kmos.io.source import Box, hold_box, holdable_side, is_held, read_spaxels
from napari_kmos.progress import Progress, silent
from napari_kmos.spatial.apertures import aperture_weights
from napari_kmos.spatial.wcs import sky_to_pixel
from napari_kmos.spectral.noise import ensure_noise
from napari_kmos.spectrum import StarSpectrum
from napari_kmos.summary import find_noise_model

if TYPE_CHECKING:
    from astropy.units import UnitBase
    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from napari_kmos.cube import Array

#: Flux and noise of the largest cube that is kept in memory, and of all that are.
_SMALL_BYTES = 128 * 2**20
_KEPT_BYTES = 256 * 2**20
_MOST_CURVES = 6
#: What is read ahead of the cursor is as large as may be held, and read anew once less than so much of the way to its
#: edge is left: for large cubes that takes as long as a hand needs for the rest of the way.
_LEFT_SHARE, _LEAST_AHEAD_PIX = 0.6, 4
#: It lies ahead of a cursor that moves, by so many times what that has moved since, and not more than this share
#: of the way: behind it more than the share above must be left, or it would be read anew at each step.
_LEAD, _MOST_LEAD_SHARE = 2.0, 0.35
#: Surroundings from which the noise of a large cube without noise is estimated.
_NOISE_PIX = 14
CURSOR = "cursor"
SPAXEL, APERTURE, NOTHING = "spaxel", "aperture", "nothing"
HOVERING = (SPAXEL, APERTURE, NOTHING)

_loaded: OrderedDict[int, tuple[Cube, Cube]] = OrderedDict()
_loading = threading.Lock()  # each dock has a thread of its own


def cubes_as_seen(viewer: ViewerModel) -> tuple[Cube, ...]:
    """Return the visible cubes, the one looked at first, with the WCS that their layers were moved to."""
    first = active_layer(viewer)
    others = [layer for layer in reversed(cube_layers(viewer)) if layer.visible and layer is not first]
    seen = [] if first is None else [first, *others]
    return tuple(moved_cube(layer, part) for layer in seen for part in kmos_of(layer).parts)


def only_wcs(viewer: ViewerModel) -> WCS | None:
    """Return the WCS that pixels mean without saying of which image: that of the visible cube if there is just one."""
    cubes = cubes_as_seen(viewer)
    return cubes[0].wcs if len(cubes) == 1 else None


def spectra_of(
    cubes: Sequence[Cube],
    wanted: Sequence[Aperture],
    known: Sequence[Aperture],
    parameters: ExtractParameters,
    *,
    progress: Progress = silent,
) -> tuple[StarSpectrum, ...]:
    """Return the spectrum of each wanted aperture, from the first cube that holds it; a sky area's own light too.

    Sky areas and neighbours are taken from all that are known. No layer is touched, so that it runs in a thread;
    progress may raise `Cancelled` while a large cube is read.
    """
    found = []
    for aperture in wanted[:_MOST_CURVES]:
        cube = cube_with(cubes, aperture)
        if cube is None:
            continue
        is_star = aperture.kind == "star"
        as_star = dataclasses.replace(aperture, kind="star")
        others = _that_matter(aperture, known, parameters) if is_star else []
        how = parameters if is_star else dataclasses.replace(parameters, sky="none")
        model = find_noise_model(cube) if cube.noise is None else None
        found += extract_spectra(
            _in_memory(cube),
            [as_star, *others],
            parameters=how,
            wanted={aperture.id},
            noise_model=model,
            progress=progress,
        )
    return tuple(found)


def cube_with(cubes: Sequence[Cube], aperture: Aperture) -> Cube | None:
    """Return the first cube that holds an aperture."""
    return next((cube for cube in cubes if apertures_inside(cube, [aperture])), None)


@dataclass(frozen=True, eq=False, kw_only=True)
class Hover:
    """What the spectrum beneath the cursor is of.

    Parameters
    ----------
    cube : Cube
        The cube beneath it.
    aperture : Aperture
        About the cursor.
    how : str
        ``"spaxel"`` or ``"aperture"``.
    """

    cube: Cube
    aperture: Aperture
    how: str


def hover_curve(
    hover: Hover, known: Sequence[Aperture], parameters: ExtractParameters, *, progress: Progress = silent
) -> Curve:
    """Return the spectrum beneath the cursor: as the cube has it, or that of an aperture without its sky."""
    cube = hover.cube
    y, x = (round(float(one)) for one in sky_to_pixel(cube.wcs, hover.aperture.ra, hover.aperture.dec))
    if hover.how == SPAXEL:
        rows, columns = slice(y, y + 1), slice(x, x + 1)
        flux = read_spaxels(_in_memory(cube).flux, rows, columns)[:, 0, 0]
        name, unit = f"{cube.label} y={y} x={x}", _text_of(cube.unit)
        return Curve(name=name, x=cube.wavelength_um, y=flux.astype(float), unit=unit)
    (found,) = spectra_of([cube], [hover.aperture], known, parameters, progress=progress)
    flux = np.where(found.mask, np.nan, found.flux)
    return Curve(name=f"{cube.label} cursor", x=found.wavelength_um, y=flux, unit=_text_of(found.unit))


def ahead_of(
    cubes: Sequence[Cube], aperture: Aperture, parameters: ExtractParameters, *, before: Box | None = None
) -> tuple[Cube, Box] | None:
    """Return what of a large cube shall be held in memory before it is asked for; None if that is there already.

    What was read before tells from where the aperture comes, and where it goes.
    """
    cube = cube_with(cubes, aperture)
    if cube is None or _n_bytes(cube) <= _SMALL_BYTES:
        return None
    middle = np.array(sky_to_pixel(cube.wcs, aperture.ra, aperture.dec), dtype=float)
    reach = max(parameters.outer, 1.0) * aperture.radius_arcsec / pixel_scale_arcsec(cube.wcs)
    reach += 0 if cube.noise is not None else _NOISE_PIX
    largest = holdable_side(cube.flux) / 2 - 1  # of which `_around` takes one more
    ahead = largest - reach
    needed = _around(cube, middle, reach + _LEFT_SHARE * ahead)
    if ahead < _LEAST_AHEAD_PIX or all(is_held(array, needed) for array in _arrays(cube)):
        return None
    return cube, _around(cube, middle + _lead(middle, before, ahead), largest)


def _lead(middle: NDArray[np.float64], before: Box | None, ahead: float) -> NDArray[np.float64]:
    """Return how far ahead of a place what is read lies: not at all if the place was not in what was read before."""
    if before is None:
        return np.zeros(2)
    moved = middle - [(part.start + part.stop - 1) / 2 for part in before]
    if np.abs(moved).max() > ahead:
        return np.zeros(2)
    most = _MOST_LEAD_SHARE * ahead
    return np.clip(_LEAD * moved, -most, most)


def read_ahead(cube: Cube, box: Box) -> None:
    """Hold rows and columns of flux and noise in memory; in a thread."""
    for array in _arrays(cube):
        hold_box(array, box)


def _arrays(cube: Cube) -> list[Array]:
    return [cube.flux] if cube.noise is None else [cube.flux, cube.noise]


def _around(cube: Cube, middle: NDArray[np.float64], reach_pix: float) -> Box:
    """Rows and columns about a place, as far as the cube has them."""
    rows, columns = (
        slice(max(int(one - reach_pix), 0), min(int(one + reach_pix) + 2, length))
        for one, length in zip(middle, cube.shape[1:], strict=True)
    )
    return rows, columns


def _that_matter(star: Aperture, known: Sequence[Aperture], parameters: ExtractParameters) -> list[Aperture]:
    """Sky areas, if the sky comes from there, and the stars it overlaps or its ring keeps away from: few of many."""
    areas = [one for one in known if one.kind == "sky"] if parameters.sky == "areas" else []
    keeps_away = parameters.sky == "annulus" and parameters.avoid_arcsec > 0
    ring = parameters.outer * star.radius_arcsec + parameters.avoid_arcsec if keeps_away else 0.0
    stars = (one for one in known if one.kind == "star" and one.id != star.id)
    reaches = ((one, max(ring, star.radius_arcsec + one.radius_arcsec)) for one in stars)
    return [*areas, *(one for one, reach in reaches if separation_arcsec(star, one) < reach)]


def curves_of(spectra: Sequence[StarSpectrum], *, with_method: bool = False) -> tuple[list[Curve], str]:
    """Return what to plot, the error band for the first only, and the unit; names tell how fits were made, or all."""
    curves = [
        Curve(
            name=_legend(spectrum, with_method=with_method or spectrum.method in PSF_METHODS),
            x=spectrum.wavelength_um,
            y=np.where(spectrum.mask, np.nan, spectrum.flux),
            err=spectrum.noise if number == 0 else None,
        )
        for number, spectrum in enumerate(spectra)
    ]
    return curves, _text_of(spectra[0].unit) if spectra else ""


def _text_of(unit: UnitBase | None) -> str:
    """Write a unit as a plot tells it."""
    return "" if unit is None else str(unit.to_string("unicode"))


def _legend(spectrum: StarSpectrum, *, with_method: bool) -> str:
    """Name a curve."""
    name = f"{spectrum.label} {spectrum.method}" if with_method else spectrum.label
    return f"{name}  SNR {spectrum.snr:.1f}" if np.isfinite(spectrum.snr) else name


def prepare() -> None:
    """Import what the first extraction would wait for; to be called in a thread."""
    aperture_weights((3, 3), 1.0, 1.0, 1.0)


def _in_memory(cube: Cube) -> Cube:
    """Small cubes with their noise are read once and kept for a while; large ones are left lazy."""
    if _n_bytes(cube) > _SMALL_BYTES:
        return cube
    key = id(cube.flux)
    with _loading:
        if key not in _loaded:
            whole = ensure_noise(cube)
            flux, noise = compute(whole.flux, whole.noise)
            _loaded[key] = cube, dataclasses.replace(whole, flux=flux, noise=noise)
        _loaded.move_to_end(key)
        while sum(_n_bytes(kept) for kept, _ in _loaded.values()) > _KEPT_BYTES:
            _loaded.popitem(last=False)
        return dataclasses.replace(_loaded[key][1], wcs=cube.wcs)


def _n_bytes(cube: Cube) -> int:
    """Size of flux and noise in memory."""
    return 8 * math.prod(cube.shape)
