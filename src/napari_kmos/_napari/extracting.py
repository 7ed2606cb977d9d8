"""The whole list of stars at once: where they come from, and their spectra in all cubes on the screen; for threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from napari.components import ViewerModel
from napari.layers import Layer

from napari_kmos._napari.catalogue import catalogue_layer
from napari_kmos._napari.layers import active_layer, kmos_layers, kmos_of
from napari_kmos._napari.line_maps import add_derived
from napari_kmos.aperture import Aperture
from napari_kmos.cube import Cube, Image, pixel_scale_arcsec
from napari_kmos.errors import ExtractionError, KmosError
from napari_kmos.extract import (
    PSF_METHODS,
    ExtractParameters,
    apertures_around,
    apertures_inside,
    extract_spectra,
    extract_with_residual,
    split_usable,
)
from napari_kmos.progress import Progress, part_of, silent
from napari_kmos.recipes.find import ListedStar, link, white_with_noise
from napari_kmos.spatial.crop import crop_cube
from napari_kmos.spatial.wcs import sky_to_pixel
from napari_kmos.spectral.collapse import collapse_mean
from napari_kmos.spectrum import StarSpectrum
from napari_kmos.stars import FindParameters, detect_stars

RESIDUAL = "kmos_residual"
#: What is closer than this in two cubes is one star.
LINK_ARCSEC = 0.3
#: The residual of a large cube is shown so far around its stars.
_AROUND_ARCSEC = 2.0
_NO_STARS = "no star lies in a visible cube: add some, or show the cube they are in"


@dataclass(frozen=True, eq=False, kw_only=True)
class Extracted:
    """What came of extracting a list.

    Parameters
    ----------
    spectra : tuple of StarSpectrum
        Cube by cube, those of the cube looked at first.
    problems : tuple of str
        Why there is nothing of some cubes.
    residual : Image, optional
        What the fit leaves of the cube looked at, on the mean over its planes, as its header places it.
    """

    spectra: tuple[StarSpectrum, ...]
    problems: tuple[str, ...] = ()
    residual: Image | None = None


def extract_list(
    cubes: Sequence[Cube],
    apertures: Sequence[Aperture],
    *,
    method: str,
    parameters: ExtractParameters,
    progress: Progress = silent,
) -> Extracted:
    """Extract all stars in all cubes; what is wrong with one of these does not keep the others.

    Raises
    ------
    ExtractionError
        If no cube gives a spectrum.
    """
    outside = {one.id: None for one in apertures if one.kind == "star"}  # in the order of the list
    spectra: list[StarSpectrum] = []
    problems: list[str] = []
    residual = None
    for number, cube in enumerate(cubes):
        progress(number, len(cubes), f"spectra of {cube.label}")
        usable, refused = split_usable(cube, apertures, method=method, parameters=parameters)
        problems += [f"{one.id}: {told}" for one, told in refused]
        inside = apertures_inside(cube, usable)
        for one in (*inside, *(one for one, _ in refused)):
            outside.pop(one.id, None)
        stars = [one for one in inside if one.kind == "star"]
        margin = parameters.outside_arcsec if method in PSF_METHODS else parameters.avoid_arcsec
        around = apertures_around(cube, usable, margin)
        how = {"parameters": parameters, "progress": part_of(progress, number, len(cubes))}
        try:
            if stars and method == "psf" and number == 0:
                found, left = extract_with_residual(cube, (*inside, *around), **how)
                residual = _mean_of(left, stars)
            else:
                found = extract_spectra(cube, (*inside, *around), method=method, **how) if stars else ()
            spectra += found
        except KmosError as err:
            problems.append(str(err))
    if not spectra:
        raise ExtractionError("; ".join(problems) or _NO_STARS)
    problems += [f"outside every cube: {', '.join(outside)}"] if outside else []
    return Extracted(spectra=tuple(spectra), problems=tuple(problems), residual=residual)


def snr_by_id(spectra: Sequence[StarSpectrum]) -> dict[str, float]:
    """Return the SNR of each star: that in the first cube that has one."""
    found: dict[str, float] = {}
    for one in spectra:
        if np.isfinite(one.snr):
            found.setdefault(one.aperture.id, one.snr)
    return found


def show_residual(viewer: ViewerModel, image: Image) -> None:
    """Show what a fit leaves over the cube looked at, in place of what another one left."""
    source = active_layer(viewer)
    part = next((one for one in kmos_of(source).parts if one.cube.label == image.name), None) if source else None
    for layer in residual_layers(viewer):
        viewer.layers.remove(layer)
    if part is not None:
        active = viewer.layers.selection.active
        at_home = dataclasses.replace(image, wcs=part.cube.wcs, name=part.cube.name)
        layer = add_derived(viewer, source, part, at_home, f"{part.cube.label} residual")
        layer.metadata = {**layer.metadata, RESIDUAL: True}
        viewer.layers.selection.active = active


def residual_layers(viewer: ViewerModel) -> list[Layer]:
    """Return the layers that show what fits left."""
    return [layer for layer in kmos_layers(viewer) if RESIDUAL in layer.metadata]


def find_in(
    cubes: Sequence[Cube],
    known: Sequence[Aperture],
    *,
    parameters: FindParameters,
    progress: Progress = silent,
) -> tuple[Aperture, ...]:
    """Return the stars of cubes that are not known yet, the most significant first; one in two cubes is one star."""
    stars = [ListedStar(one, is_known=True) for one in known if one.kind == "star"]
    for number, cube in enumerate(cubes):
        part = part_of(progress, number, len(cubes))
        found = detect_stars(white_with_noise(cube, progress=part), parameters, correlation=cube.correlation)
        link(stars, found, cube.label, link_arcsec=LINK_ARCSEC, radius_arcsec=parameters.radius_arcsec)
    new = sorted((star for star in stars if not star.is_known), key=lambda star: -star.sigma)
    return tuple(star.aperture for star in new)


def stars_of_catalogue(viewer: ViewerModel, radius_arcsec: float) -> tuple[Aperture, ...]:
    """Return the sources of a catalogue that are drawn, each once.

    Raises
    ------
    KmosError
        If there is none.
    """
    layer = catalogue_layer(viewer)
    if layer is None or not len(layer.data):
        msg = "no catalogue is shown over a visible cube; open one in the dock Catalogue"
        raise KmosError(msg)
    rows = layer.features.drop_duplicates("id")
    places = zip(rows["id"], rows["ra"], rows["dec"], strict=True)
    return tuple(Aperture(id=str(id_), ra=ra, dec=dec, radius_arcsec=radius_arcsec) for id_, ra, dec in places)


def _mean_of(left: Cube, stars: Sequence[Aperture]) -> Image:
    """Return the mean over the planes of what a fit left, about its stars."""
    reach = _AROUND_ARCSEC / pixel_scale_arcsec(left.wcs)
    places = np.array([sky_to_pixel(left.wcs, star.ra, star.dec) for star in stars], dtype=float)
    low, high = places.min(axis=0) - reach, places.max(axis=0) + reach
    rows, columns = (
        slice(max(int(first), 0), min(int(last) + 2, length))
        for first, last, length in zip(low, high, left.shape[1:], strict=True)
    )
    return dataclasses.replace(collapse_mean(crop_cube(left, rows=rows, columns=columns)), name=left.label)
