"""Exposures whose planes are trials: each plane another star, or noise alone; and what is measured of their mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from astropy import units as u

from napari_kmos.aperture import Aperture
from napari_kmos.combine import CombineParameters, combine_cubes
from napari_kmos.cube import Cube, pixel_scale_arcsec
from napari_kmos.extract import ExtractParameters, extract_spectra
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.apertures import aperture_weights
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, sky_to_pixel

if TYPE_CHECKING:
    from astropy.wcs import WCS

RA, DEC = 266.41, -28.93
SHAPE = 14, 14
FLUX = 1000.0
#: Seeing in spaxels, where stars lie and how far the telescope moves, in spaxels from the middle.
FWHM_PIX, STARS_PIX, DITHER_PIX = (3.0, 4.5), 1.5, 2.0
#: Apertures of the fluxes, the fits, and the noise, in spaxels; how far those of the noise lie from the middle.
FLUX_RADIUS, FIT_RADIUS, NOISE_RADII, NOISE_PIX = 4.0, 4.0, (1.0, 2.0, 3.0), 0.5
N_PLACES = 6
#: Noise of the exposures differs by as much.
SIGMAS = 0.8, 1.2


class Error(NamedTuple):
    """What is wrong of a star: parts of its flux, spaxels, parts of its width."""

    flux: float
    centroid: float
    fwhm: float


class Star(NamedTuple):
    """A trial: where on the sky, and how wide in spaxels."""

    ra: float
    dec: float
    fwhm: float


def fields(n_exposures: int, rotation_deg: float, rng: np.random.Generator) -> list[WCS]:
    """Return where the exposures lie; all but the first, which gives the grid, are turned."""
    middle = (np.array(SHAPE) + 1) / 2
    places = rng.uniform(-DITHER_PIX, DITHER_PIX, size=(n_exposures, 2))
    return [
        make_wcs(RA, DEC, crpix=tuple(middle - place), rotation_deg=rotation_deg if number else 0.0)
        for number, place in enumerate(places)
    ]


def star_errors(wcs: Sequence[WCS], n_trials: int, rng: np.random.Generator, **parameters: object) -> list[Error]:
    """Return what is wrong of stars in the mean of noiseless exposures, against the same stars seen on its grid."""
    stars = [_star(rng) for _ in range(n_trials)]
    cubes = [_starry(one, stars) for one in wcs]
    cube = combine_cubes(cubes, parameters=CombineParameters(cmethod="average", **parameters)).cube
    return [_error(np.asarray(cube.flux[k]), cube, star) for k, star in enumerate(stars)]


def star_cubes(wcs: Sequence[WCS], n_trials: int, rng: np.random.Generator) -> list[Cube]:
    """Return noiseless exposures of stars, another one in each plane."""
    stars = [_star(rng) for _ in range(n_trials)]
    return [_starry(one, stars) for one in wcs]


def noise_ratios(wcs: Sequence[WCS], n_planes: int, seed: int, **parameters: object) -> list[tuple[float, float]]:
    """Return predicted over empirical noise of each radius of apertures: as the library tells it, and by spaxels alone.

    What is predicted is the noise of `extract_spectra` without sky, what is empirical the scatter over the planes.
    """
    rng = np.random.default_rng(seed)
    cubes = _noisy(wcs, n_planes, rng)
    cube = combine_cubes(cubes, parameters=CombineParameters(cmethod="average", **parameters)).cube
    places = _places(cube, rng)
    alone = Cube(flux=cube.flux, noise=cube.noise, wavelength=cube.wavelength, wcs=cube.wcs)
    return [(_ratio(cube, places, radius), _ratio(alone, places, radius)) for radius in NOISE_RADII]


def scatter_found(wcs: Sequence[WCS], n_planes: int, seed: int, wrong: float) -> tuple[dict[int, float], float, float]:
    """Return the scatter over the noise of two IFUs, of which one tells too little noise, and noise ratios as above.

    The ratios are of the largest aperture: with the noise as it is told, and scaled by what was found.
    """
    rng = np.random.default_rng(seed)
    told = [1.0, wrong] * (len(wcs) // 2)
    cubes = [
        dataclasses.replace(cube, noise=cube.noise / np.float32(factor), ifu=1 + int(factor == wrong))
        for cube, factor in zip(_noisy(wcs, n_planes, rng), told, strict=True)
    ]
    results = [
        combine_cubes(cubes, parameters=CombineParameters(cmethod="average", scale_noise=is_scaled))
        for is_scaled in (False, True)
    ]
    places = _places(results[0].cube, rng)
    plain, scaled = (_ratio(result.cube, places, NOISE_RADII[-1]) for result in results)
    return dict(results[1].scaled_by.by_ifu), plain, scaled


def _noisy(wcs: Sequence[WCS], n_planes: int, rng: np.random.Generator) -> list[Cube]:
    """Return exposures of noise alone."""
    sigmas = np.linspace(*SIGMAS, len(wcs))
    draws = rng.standard_normal((len(wcs), n_planes, *SHAPE), dtype=np.float32)
    return [_cube(sigma * one, place, sigma) for sigma, one, place in zip(sigmas, draws, wcs, strict=True)]


def _places(cube: Cube, rng: np.random.Generator) -> np.ndarray:
    """Return (y, x) of apertures about the middle of the exposures."""
    return np.array(sky_to_pixel(cube.wcs, RA, DEC)) + rng.uniform(-NOISE_PIX, NOISE_PIX, size=(N_PLACES, 2))


def _star(rng: np.random.Generator) -> Star:
    ra, dec = pixel_to_sky(make_wcs(RA, DEC, crpix=(1, 1)), *rng.uniform(-STARS_PIX, STARS_PIX, 2))
    return Star(float(ra), float(dec), rng.uniform(*FWHM_PIX))


def _starry(wcs: WCS, stars: Sequence[Star]) -> Cube:
    return _cube(np.stack([_image(wcs, star, SHAPE) for star in stars]), wcs)


def _image(wcs: WCS, star: Star, shape: tuple[int, int]) -> np.ndarray:
    """Return a star as seen through pixels."""
    y, x = (np.atleast_1d(one) for one in sky_to_pixel(wcs, star.ra, star.dec))
    return FLUX * moffat_images(y, x, shape, fwhm_pix=star.fwhm)[0]


def _cube(flux: np.ndarray, wcs: WCS, sigma: float = 1.0) -> Cube:
    return Cube(
        flux=flux.astype(np.float32),
        noise=np.full(flux.shape, sigma, dtype=np.float32),
        wavelength=np.linspace(1.95, 2.45, len(flux)) * u.um,
        wcs=wcs,
    )


def _error(image: np.ndarray, cube: Cube, star: Star) -> Error:
    truth = _image(cube.wcs, star, cube.shape[1:])
    y, x = (float(one) for one in sky_to_pixel(cube.wcs, star.ra, star.dec))
    weights = aperture_weights(image.shape, y, x, FLUX_RADIUS)
    fit, right = (fit_centroid(one, start=(y, x), radius_pix=FIT_RADIUS) for one in (image, truth))
    return Error(
        flux=float(np.nansum(weights * image) / (weights * truth).sum()) - 1,
        centroid=float(np.hypot(fit.y - y, fit.x - x)),
        fwhm=fit.fwhm_pix / right.fwhm_pix - 1,
    )


def _ratio(cube: Cube, places: np.ndarray, radius: float) -> float:
    """Return predicted over empirical noise, quadratic means over the places."""
    apertures = [
        Aperture(id=str(k), ra=float(ra), dec=float(dec), radius_arcsec=radius * pixel_scale_arcsec(cube.wcs))
        for k, (ra, dec) in enumerate(np.transpose(pixel_to_sky(cube.wcs, *places.T)))
    ]
    spectra = extract_spectra(cube, apertures, parameters=ExtractParameters(sky="none"))
    predicted = np.mean([np.mean(np.square(one.noise)) for one in spectra])
    return float(np.sqrt(predicted / np.mean([np.var(one.flux) for one in spectra])))
