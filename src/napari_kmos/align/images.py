"""White-light images of exposures, and their sum once they are aligned."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import convolve

from napari_kmos import summary
from napari_kmos.cube import Cube, Image, pixel_scale_arcsec
from napari_kmos.errors import AlignmentError
from napari_kmos.progress import Progress, silent
from napari_kmos.spatial.fields import window_near
from napari_kmos.spatial.filling import fill_missing
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.smoothing import diffuse
from napari_kmos.spatial.wcs import image_grid, window_wcs
from napari_kmos.spectral import ensure_noise
from napari_kmos.spectral.nan import robust_sigma

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from numpy.typing import NDArray

_NOISE_PLANES = 64
_MIN_PIXELS = 12
#: Part by which sizes of spaxels may differ that are the same.
_SAME_SIZE = 0.01
#: Pixels by so much smaller than spaxels are finer.
_FINER = 1.5
_LIGHT_PERCENT = (20.0, 99.0)
#: Where no stars are, of the pixels of an image; and the least noise, as part of its range.
_DARK_PERCENT, _LEAST_NOISE = 40.0, 1e-4
_SECOND_DIFFERENCE = (1.0, -2.0, 1.0)
#: Standard deviation of the median of many normal values over that of their mean.
_MEDIAN_NOISE = float(np.sqrt(np.pi / 2))


def white_light(cube: Cube, *, progress: Progress = silent) -> Image:
    """Collapse a cube by the median over all wavelengths, which OH lines and bad voxels do not reach.

    Parameters
    ----------
    cube : Cube
        Shape (n_wavelength, n_y, n_x), in memory or lazy. What is made of a large one is kept on disk.
    progress : Progress
        Told each block; may raise `Cancelled`.

    Returns
    -------
    Image
        Computed, in the cube's unit; the noise is one number for all spaxels, from a sample of planes.
    """
    image = summary.white_light(cube, progress=progress)
    every = slice(None, None, max(1, cube.shape[0] // _NOISE_PLANES))
    noise = ensure_noise(cube).noise
    sampled = np.asarray([] if noise is None else noise[every], dtype=float)
    known = sampled[np.isfinite(sampled)]
    sigma = float(np.median(known)) if known.size else 0.0
    level = np.full(image.data.shape, _MEDIAN_NOISE * sigma / np.sqrt(cube.shape[0]))
    return Image(data=image.data, noise=level, wcs=cube.wcs, unit=cube.unit, name=cube.name, ifu=cube.ifu)


def with_noise(image: Image) -> Image:
    """Return the image with some noise, the same everywhere: what it has, else how rough it is where it is dark.

    An image of which that is nothing, as one made of a catalogue, has 0.01 % of its range.
    """
    noise = np.nan if image.noise is None else float(np.nanmedian(np.asarray(image.noise, dtype=float)))
    if not noise > 0:
        finite = image.data[np.isfinite(image.data)]
        least = _LEAST_NOISE * float(np.ptp(finite)) if finite.size else 1.0
        noise = max(_roughness(np.asarray(image.data, dtype=float)), least, np.finfo(float).tiny)
    return dataclasses.replace(image, noise=np.full(image.data.shape, noise))


def _roughness(data: NDArray[np.float64]) -> float:
    """Noise of an image where it is dark, by a Laplacian that leaves little of stars (Immerkaer 1996, CVIU 64, 300).

    What is dark is told by the mean of 3 x 3 pixels, with which the Laplacian of white noise does not correlate.
    """
    rough = convolve(data, np.outer(_SECOND_DIFFERENCE, _SECOND_DIFFERENCE) / np.sum(np.square(_SECOND_DIFFERENCE)))
    known = np.isfinite(rough)
    known[[0, -1]] = known[:, [0, -1]] = False
    if known.sum() < _MIN_PIXELS:
        return 0.0
    mean = convolve(data, np.full((3, 3), 1 / 9))
    return robust_sigma(rough[known & (mean <= np.percentile(mean[known], _DARK_PERCENT))])


def cut_near(reference: Image, moving: Image, *, reach_arcsec: float) -> Image:
    """Cut the part of a reference that another image can be moved over.

    Raises
    ------
    AlignmentError
        If one has no data there, or the two lie further apart than ``reach_arcsec``.
    """
    fields = [(image.wcs, (image.data.shape[0], image.data.shape[1])) for image in (reference, moving)]
    window = window_near(*fields, reach_arcsec=reach_arcsec)
    if window is None:
        what = moving.name or "the image"
        msg = f"{what} and its reference lie more than {reach_arcsec:g} arcsec apart; choose another reference"
        raise AlignmentError(msg)
    noise = None if reference.noise is None else reference.noise[window]
    wcs = window_wcs(reference.wcs, window[0].start, window[1].start)
    cut = dataclasses.replace(reference, data=reference.data[window], noise=noise, wcs=wcs)
    for what, image in (("the reference", cut), ("the moving image", moving)):
        n_finite = np.isfinite(image.data).sum()
        if n_finite < _MIN_PIXELS:
            msg = f"{what} {image.name} has {n_finite} spaxels with data, expected {_MIN_PIXELS} or more"
            raise AlignmentError(msg)
    return cut


def as_seen_by(moving: Image, reference: Image) -> Image:
    """Return a reference of finer pixels smoothed by the spaxels of a moving image, so that no star falls between them.

    One without noise gets what its pixels tell, before they are averaged.
    """
    pixels = pixel_scale_arcsec(moving.wcs) / pixel_scale_arcsec(reference.wcs)
    if pixels < _FINER:
        return reference
    known = np.isfinite(reference.data)
    filled = fill_missing(np.asarray(reference.data, dtype=float)[None], known[None])[0]
    noise = np.asarray(with_noise(reference).noise) / (2 * np.sqrt(np.pi) * pixels)
    return dataclasses.replace(reference, data=np.where(known, diffuse(filled, pixels**2), np.nan), noise=noise)


def in_unit_of(moving: Image, reference: Image) -> tuple[Image, float]:
    """Return a reference in about the unit of another image, by the range of both, and the factor.

    The factor is 1 where both have noise, one unit and spaxels of one size: then they are by the same instrument.
    """
    size, own_size = pixel_scale_arcsec(reference.wcs), pixel_scale_arcsec(moving.wcs)
    is_known = not any(image.noise is None for image in (reference, moving))
    if is_known and reference.unit == moving.unit and np.isclose(size, own_size, rtol=_SAME_SIZE):
        return reference, 1.0
    low, high = np.transpose([np.nanpercentile(image.data, _LIGHT_PERCENT) for image in (reference, moving)])
    light = np.maximum(high - low, np.finfo(float).tiny)
    factor = float(light[1] / light[0])
    noise = None if reference.noise is None else reference.noise * factor
    return dataclasses.replace(reference, data=reference.data * factor, noise=noise, unit=moving.unit), factor


def add_images(images: Sequence[Image], wcs: Sequence[WCS]) -> Image:
    """Average images on the grid of the first.

    Parameters
    ----------
    images : sequence of Image
        Brought to one flux scale; with noise.
    wcs : sequence of WCS
        Corrected WCS of each.
    """
    shapes = [(image.data.shape[0], image.data.shape[1]) for image in images]
    grid, shape = image_grid(list(zip(wcs, shapes, strict=True)))
    total, count = np.zeros(shape), np.zeros(shape)
    for image, own, own_shape in zip(images, wcs, shapes, strict=True):
        resampler = make_resampler(own, own_shape, grid, shape)
        if resampler is not None:
            (values,) = resampler.apply(image.data[None])
            total[resampler.window] += np.nan_to_num(values[0])
            count[resampler.window] += np.isfinite(values[0])
    noise = np.mean([np.median(np.asarray(image.noise)) for image in images]) / np.sqrt(max(1.0, float(count.max())))
    with np.errstate(invalid="ignore"):
        data = total / np.where(count > 0, count, np.nan)
    return Image(data=data, noise=np.full(shape, noise), wcs=grid, name=images[0].name, ifu=images[0].ifu)
