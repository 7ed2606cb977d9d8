"""Compare the products of a simulated night with its truth."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u

from napari_kmos.cube import pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.io import read_cube, read_exposure, read_images, read_offsets, read_spectrum
from napari_kmos.simulate.psf import moffat_images, seeing_at
from napari_kmos.simulate.render import sky_background, sky_cube, star_spectra, stars_cube
from napari_kmos.simulate.stars import select_stars
from napari_kmos.simulate.truth import true_offsets
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import sky_to_pixel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_kmos.aperture import Aperture
    from napari_kmos.cube import Cube, Image
    from napari_kmos.offset import Offset
    from napari_kmos.simulate.conditions import Conditions
    from napari_kmos.simulate.scene import Scene
    from napari_kmos.spectrum import StarSpectrum

    Floats = NDArray[np.float64]

#: Spaxels with the least starlight, as many as an aperture holds, in which the sky is judged.
_DARK_SPAXELS = 36
#: A plane belongs to an airglow line where the line's light exceeds this many times the noise of a spaxel.
_LINE_SIGMA = 3.0
#: A voxel this many sigma from the median of its plane is one of the simulator's bad pixels, not a residual.
_BAD_SIGMA = 8.0
_PSF_NODES = 9
#: Where the peak of a star is looked for and where the sky around it, and what is fitted.
_STAR_ARCSEC, _SKY_ARCSEC, _FIT_ARCSEC = 0.6, 1.0, 0.9


def measure_sky(scene: Scene, raw: Sequence[Path], tweaked: Sequence[Path]) -> dict[str, float]:
    """Measure what is left of the airglow in the dark spaxels, in units of the noise of the object exposure.

    Parameters
    ----------
    scene : Scene
        The truth.
    raw, tweaked : sequence of Path
        Object exposures before and after sky-tweak, in the order of the night.

    Returns
    -------
    dict
        ``before`` and ``after``: RMS over spaxels and line planes of (cube - true stars) / noise, 1 is the noise of
        the object alone and 1.41 that of object and sky; ``mean_before`` and ``mean_after``: the same of the mean of
        36 spaxels over its own noise, which is what an aperture sees. Medians over exposures and IFUs.
    """
    objects = [conditions for conditions in scene.exposures if not conditions.on_sky]
    rows = []
    for conditions, before, after in zip(objects, raw, tweaked, strict=True):
        first, second = read_exposure(before), read_exposure(after)
        rows += [_sky_row(scene, conditions, first.cube(ifu), second.cube(ifu)) for ifu in scene.responses]
    names = ("before", "after", "mean_before", "mean_after")
    return dict(zip(names, np.median(rows, axis=0).tolist(), strict=True))


def measure_offsets(scene: Scene, offsets_file: Path) -> dict[str, float]:
    """Measure by how much the accepted offsets miss the truth, relative to the first exposure of each IFU.

    Returns
    -------
    dict
        ``median_spaxels`` and ``max_spaxels`` of the distance, ``accepted`` and ``total`` number of offsets. The first
        exposure is the reference: its own pointing error is common to all and cannot be known without a catalogue.
    """
    truth = {(offset.exposure, offset.ifu): _vector(offset) for offset in true_offsets(scene)}
    found = read_offsets(offsets_file)
    errors = []
    for offset in found:
        reference = next(o for o in found if o.ifu == offset.ifu and o.exposure == 0)
        if offset.accepted and offset is not reference:
            true = truth[offset.exposure, offset.ifu] - truth[0, offset.ifu]
            errors.append(float(np.hypot(*(_vector(offset) - _vector(reference) - true))) / scene.parameters.pix_scale)
    return {
        "median_spaxels": _median(np.array(errors)),
        "max_spaxels": max(errors, default=float("nan")),
        "accepted": sum(offset.accepted for offset in found),
        "total": len(found),
    }


def measure_fluxes(
    scene: Scene, cubes: Sequence[Path], spectra: Sequence[Path], apertures: Sequence[Aperture]
) -> dict[str, Any]:
    """Measure how much the fluxes of isolated stars differ from the truth after aperture correction.

    The correction is the share of a star's light which the same extraction gives on a noise-free image of the star
    alone: the known point spread function of every exposure, averaged, integrated over the spaxels of the cube.

    Parameters
    ----------
    scene : Scene
        The truth.
    cubes, spectra : sequence of Path
        Combined cubes, and spectra extracted from them.
    apertures : sequence of Aperture
        What they were extracted with; the sky areas are used again.

    Returns
    -------
    dict
        ``median_error``: median over the stars of the absolute relative error; ``errors``: star to relative error,
        each the median over the wavelengths; ``stars``: their number. What neighbours add is part of the error.
    """
    by_ifu = {cube.ifu: cube for cube in map(read_cube, cubes)}
    errors = {}
    for spectrum in map(read_spectrum, spectra):
        index = np.flatnonzero((scene.stars.id == spectrum.aperture.id) & scene.stars.isolated)
        if len(index) and spectrum.aperture.kind == "star":
            total = star_spectra(scene, select_stars(scene.stars, index))[0]
            share = aperture_share(scene, by_ifu[spectrum.ifu], spectrum, apertures)
            errors[spectrum.aperture.id] = float(np.nanmedian(spectrum.flux / (total * share)) - 1)
    values = np.abs(list(errors.values()))
    return {
        "median_error": _median(values),
        "errors": errors,
        "stars": len(errors),
    }


def measure_noise(scene: Scene, cubes: Sequence[Path]) -> dict[str, float]:
    """Measure the noise that combined cubes state over the scatter that they show.

    The scatter is that of the differences of neighbouring planes, which share no noise, over the stated noise of the
    difference; by its median absolute deviation in all spaxels, on planes free of airglow lines.

    Returns
    -------
    dict
        ``over_scatter``: median over the cubes; 1 is right, less is too small a noise.
    """
    values = []
    for cube in map(read_cube, cubes):
        flux, noise = np.asarray(cube.flux, dtype=float), np.asarray(cube.noise, dtype=float)
        free = ~_line_planes(scene, scene.exposures[0], cube.ifu or 0, float(np.nanmedian(noise)))
        free = free[1:] & free[:-1]
        ratio = np.diff(flux, axis=0)[free] / np.hypot(noise[1:], noise[:-1])[free]
        values.append(1 / (1.4826 * float(np.nanmedian(np.abs(ratio - np.nanmedian(ratio))))))
    return {"over_scatter": float(np.median(values))}


def measure_sharpness(
    scene: Scene, by_offsets: Sequence[Path], by_headers: Sequence[Path], apertures: Sequence[Aperture]
) -> dict[str, float]:
    """Measure how much sharper isolated stars are in images of cubes that were combined with offsets.

    Parameters
    ----------
    scene : Scene
        The truth.
    by_offsets, by_headers : sequence of Path
        Images of the same targets in the same order, on grids of the same exposure.
    apertures : sequence of Aperture
        Where the stars are seen.

    Returns
    -------
    dict
        ``peak_ratio``: median over the stars of the brightest spaxel near the star, the sky around it subtracted, over
        the same by headers; ``fwhm_by_offsets`` and ``fwhm_by_headers`` in arcsec, medians of the stars that a Gaussian
        fits in both; ``stars``: their number, fitted or not.
    """
    names = set(scene.stars.id[scene.stars.isolated])
    stars = [aperture for aperture in apertures if aperture.id in names]
    pairs = [[read_images(path)[0] for path in pair] for pair in zip(by_offsets, by_headers, strict=True)]
    rows = [
        [number for image in pair for number in _sharpness(image, star)]
        for pair in pairs
        for star in stars
        if _holds(pair[0], star)
    ]
    peak, fwhm, peak_by_headers, fwhm_by_headers = np.array(rows, dtype=float).reshape(-1, 4).T
    fitted = np.isfinite(fwhm) & np.isfinite(fwhm_by_headers)
    return {
        "peak_ratio": _median(peak / peak_by_headers),
        "fwhm_by_offsets": _median(fwhm[fitted]),
        "fwhm_by_headers": _median(fwhm_by_headers[fitted]),
        "stars": len(rows),
    }


def _sharpness(image: Image, aperture: Aperture) -> tuple[float, float]:
    """Return peak and FWHM (arcsec; NaN where no Gaussian fits, as on a star seen double) of a star."""
    scale = pixel_scale_arcsec(image.wcs)
    place = sky_to_pixel(image.wcs, aperture.ra, aperture.dec)
    y, x = np.indices(image.data.shape)
    apart = np.hypot(y - place[0], x - place[1]) * scale
    around = image.data[(apart > _STAR_ARCSEC) & (apart < _SKY_ARCSEC)]
    peak = float(np.nanmax(image.data[apart < _STAR_ARCSEC]) - np.nanmedian(around))
    try:
        fwhm = fit_centroid(image.data, start=place, radius_pix=_FIT_ARCSEC / scale).fwhm_pix * scale
    except AlignmentError:
        fwhm = float("nan")
    return peak, fwhm


def _holds(image: Image, aperture: Aperture) -> bool:
    """Tell whether a star and its surroundings lie in an image."""
    y, x = sky_to_pixel(image.wcs, aperture.ra, aperture.dec)
    reach = _STAR_ARCSEC / pixel_scale_arcsec(image.wcs)
    n_y, n_x = image.data.shape
    return bool(reach < y < n_y - 1 - reach and reach < x < n_x - 1 - reach)


def _median(values: Floats) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def aperture_share(scene: Scene, cube: Cube, spectrum: StarSpectrum, apertures: Sequence[Aperture] = ()) -> Floats:
    """Return the share of a star's light that its aperture gives, sky subtracted, shape (n_wavelength,)."""
    nodes = np.linspace(0, cube.shape[0] - 1, _PSF_NODES).round().astype(int)
    y, x = sky_to_pixel(cube.wcs, spectrum.aperture.ra, spectrum.aperture.dec)
    seeings = [conditions.seeing_arcsec for conditions in scene.exposures if not conditions.on_sky]
    scale = pixel_scale_arcsec(cube.wcs)
    images = np.array(
        [[_star_image(y, x, cube, fwhm, wave, scale) for fwhm in seeings] for wave in cube.wavelength_um[nodes]]
    )
    light = images.mean(axis=1).astype(np.float32)
    alone = dataclasses.replace(
        cube, flux=light, noise=np.ones_like(light), wavelength=cube.wavelength[nodes], unit=u.dimensionless_unscaled
    )
    names = {field.name for field in dataclasses.fields(ExtractParameters)}
    used = {name: value for name, value in spectrum.parameters.items() if name in names}
    skies = [aperture for aperture in apertures if aperture.kind == "sky"]
    (share,) = extract_spectra(alone, [spectrum.aperture, *skies], parameters=ExtractParameters(**used))
    return np.interp(np.arange(cube.shape[0]), nodes, share.flux)


def _star_image(y: float, x: float, cube: Cube, fwhm: float, wave: float, scale: float) -> Floats:
    """Return the image of a star of flux 1 on the grid of a cube."""
    width = float(seeing_at(fwhm, wave)) / scale
    shape = (cube.shape[1], cube.shape[2])
    image: Floats = moffat_images(np.array([y]), np.array([x]), shape, fwhm_pix=width)[0]
    return image


def _sky_row(scene: Scene, conditions: Conditions, before: Cube, after: Cube) -> tuple[float, float, float, float]:
    """Return the four numbers of one IFU of one exposure."""
    ifu = before.ifu or 0
    stars = stars_cube(scene, conditions, ifu)
    noise = np.asarray(before.noise, dtype=float)
    dark = _dark_spaxels(stars, noise)
    lines = _line_planes(scene, conditions, ifu, float(np.nanmedian(noise)))
    lines &= np.isfinite(noise[:, dark[0], dark[1]]).all(axis=1)
    sigma = noise[lines][:, dark[0], dark[1]]
    rests = [(np.asarray(cube.flux, dtype=float) - stars)[lines][:, dark[0], dark[1]] for cube in (before, after)]
    rests = [_without_bad(rest, sigma) for rest in rests]
    own_noise = np.sqrt(np.mean(sigma**2, axis=1) / sigma.shape[1])
    single = [_rms(rest / sigma) for rest in rests]
    mean = [_rms(np.nanmean(rest, axis=1) / own_noise) for rest in rests]
    return single[0], single[1], mean[0], mean[1]


def _dark_spaxels(stars: Floats, noise: Floats) -> tuple[NDArray[np.int_], ...]:
    """Return the spaxels with data and the least starlight, as an index."""
    light = np.where(np.isfinite(noise).mean(axis=0) > 0.9, stars.mean(axis=0), np.inf)
    return np.unravel_index(np.argsort(light, axis=None)[:_DARK_SPAXELS], light.shape)


def _line_planes(scene: Scene, conditions: Conditions, ifu: int, noise: float) -> NDArray[np.bool_]:
    """Return the planes in which airglow lines stand out of the noise of a spaxel."""
    sky = sky_cube(scene, conditions, ifu).mean(axis=(1, 2))
    floor = sky_background(scene, conditions)
    return np.asarray(sky - floor * np.nanmedian(sky / floor) > _LINE_SIGMA * noise)


def _without_bad(rest: Floats, sigma: Floats) -> Floats:
    """Return residuals, shape (planes, spaxels), with bad pixels as NaN."""
    from_median = np.abs(rest - np.nanmedian(rest, axis=1, keepdims=True))
    spread = 1.4826 * np.nanmedian(from_median, axis=1, keepdims=True)
    return np.where(from_median > _BAD_SIGMA * np.maximum(sigma, spread), np.nan, rest)


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.nanmean(values**2)))


def _vector(offset: Offset) -> Floats:
    return np.array([offset.dra_arcsec, offset.ddec_arcsec])
