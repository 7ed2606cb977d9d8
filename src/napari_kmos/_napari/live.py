"""Spectra of the apertures on the screen, from the cubes on the screen."""

from __future__ import annotations

import dataclasses
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from dask.base import compute
from napari.components import ViewerModel

from napari_kmos._napari.layers import active_layer, cube_layers, kmos_of
from napari_kmos._napari.plots import Curve
from napari_kmos._napari.positions import offset_of
from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube
from napari_kmos.extract import ExtractParameters, apertures_inside, extract_spectra
from napari_kmos.progress import Progress, silent
from napari_kmos.spatial.apertures import aperture_weights
from napari_kmos.spatial.wcs import shift_wcs
from napari_kmos.spectral.noise import ensure_noise
from napari_kmos.spectrum import StarSpectrum
from napari_kmos.summary import find_noise_model

#: Flux and noise of the largest cube that is kept in memory, and of all that are.
_SMALL_BYTES = 128 * 2**20
_KEPT_BYTES = 256 * 2**20
_MOST_CURVES = 6

_loaded: OrderedDict[int, tuple[Cube, Cube]] = OrderedDict()
_loading = threading.Lock()  # each dock has a thread of its own


def cubes_as_seen(viewer: ViewerModel) -> tuple[Cube, ...]:
    """Return the visible cubes, the one looked at first, with the WCS that their layers were moved to."""
    first = active_layer(viewer)
    others = [layer for layer in reversed(cube_layers(viewer)) if layer.visible and layer is not first]
    return tuple(
        dataclasses.replace(part.cube, wcs=shift_wcs(part.cube.wcs, *offset))
        for layer in ([] if first is None else [first, *others])
        for offset in [offset_of(layer)]
        for part in kmos_of(layer).parts
    )


def spectra_of(
    cubes: Sequence[Cube],
    wanted: Sequence[Aperture],
    skies: Sequence[Aperture],
    parameters: ExtractParameters,
    *,
    progress: Progress = silent,
) -> tuple[StarSpectrum, ...]:
    """Return the spectrum of each wanted aperture, from the first cube that holds it; a sky area's own light too.

    No layer is touched, so that it runs in a thread; progress may raise `Cancelled` while a large cube is read.
    """
    found = []
    for aperture in wanted[:_MOST_CURVES]:
        cube = next((cube for cube in cubes if apertures_inside(cube, [aperture])), None)
        if cube is None:
            continue
        as_star = dataclasses.replace(aperture, kind="star")
        mine = tuple(one for one in skies if one.id != aperture.id) if aperture.kind == "star" else ()
        how = parameters if aperture.kind == "star" else dataclasses.replace(parameters, sky="none")
        model = find_noise_model(cube) if cube.noise is None else None
        found += extract_spectra(
            _in_memory(cube), [as_star, *mine], parameters=how, noise_model=model, progress=progress
        )
    return tuple(found)


def curves_of(spectra: Sequence[StarSpectrum]) -> tuple[list[Curve], str]:
    """Return what to plot, the error band for the first only, and the unit."""
    curves = [
        Curve(
            name=f"{spectrum.label}  SNR {spectrum.snr:.1f}" if np.isfinite(spectrum.snr) else spectrum.label,
            x=spectrum.wavelength_um,
            y=np.where(spectrum.mask, np.nan, spectrum.flux),
            err=spectrum.noise if number == 0 else None,
        )
        for number, spectrum in enumerate(spectra)
    ]
    unit = spectra[0].unit if spectra else None
    return curves, "" if unit is None else unit.to_string("unicode")


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
