"""Means of dithered and turned exposures of a star, kernel by kernel: flux, place, width and noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from napari_kmos.spatial.apertures import aperture_weights
from napari_kmos.spatial.covariance import correlated_variance, noise_correlation
from napari_kmos.spatial.kernels import Kernel
from napari_kmos.spatial.resample import make_resampler
from napari_kmos.spatial.wcs import image_grid, make_wcs, pixel_to_sky, sky_to_pixel

SHAPE = (14, 14)
ONES = np.ones((1, *SHAPE))
FIELD = make_wcs(266.4, -29.0, crpix=(7.5, 7.5))
#: Dithers in spaxels: a third of each axis' phases or so are met.
DITHERS = np.random.default_rng(3).uniform(-1, 1, (8, 2))
KERNELS = {
    "nearest": Kernel(name="nearest"),
    "linear": Kernel(name="linear"),
    "spline": Kernel(),
    "lanczos3": Kernel(name="lanczos3"),
    "drizzle": Kernel(name="drizzle", pixfrac=0.5),
}
#: Of another comparison, 8 dithers and Moffat stars of 0.6 to 0.9 arcsec: centroid rms in spaxels, FWHM ratio,
#: noise of a spaxel over the mean of the inputs', noise of an aperture of 2.5 spaxels over that of its diagonal.
TABLE = {
    "nearest": (0.226, 1.008, 1.000, 1.000),
    "linear": (0.0052, 1.028, 0.736, 1.269),
    "spline": (0.0006, 1.002, 0.907, 1.088),
    "lanczos3": (0.0042, 1.000, 0.922, 1.074),
    "drizzle": (0.128, 1.016, 0.901, 1.083),
}


def moffat(shape, y0, x0, fwhm, *, beta=3.0, parts=5):
    """Moffat star of flux 1, integrated over spaxels by so many points a side."""
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
    at = (np.arange(parts) - (parts - 1) / 2) / parts
    y, x = (index[..., None, None] for index in np.indices(shape))
    radius2 = (y + at[:, None] - y0) ** 2 + (x + at - x0) ** 2
    return ((1 + radius2 / alpha**2) ** -beta).mean(axis=(2, 3)) * (beta - 1) / np.pi / alpha**2


def measured(image, y0, x0, fwhm):
    """Flux in an aperture of 1 arcsec, and place and FWHM of a Moffat fitted within it."""
    flux = (aperture_weights(image.shape, y0, x0, 5.0) * np.nan_to_num(image)).sum()
    y, x = np.indices(image.shape)
    used = np.hypot(y - y0, x - x0) < 5
    fit = least_squares(lambda p: (p[0] * moffat(image.shape, *p[1:], parts=3) - image)[used], [1, y0, x0, fwhm])
    return np.array([flux, *fit.x[1:]])


def exposures(rotation):
    fields = [make_wcs(266.4, -29.0, crpix=tuple(7.5 + step), rotation_deg=rotation) for step in DITHERS]
    grid, shape = image_grid([(FIELD, SHAPE), *((field, SHAPE) for field in fields)])
    return fields, grid, shape


def mean_star(kernel, rotation, fwhm, step):
    """Deviation of the mean of all exposures from the star that the grid would have seen."""
    fields, grid, shape = exposures(rotation)
    sky = pixel_to_sky(FIELD, 6.5 + step[0], 6.5 + step[1])
    total, count = np.zeros(shape), np.zeros(shape)
    for field in fields:
        resampler = make_resampler(field, SHAPE, grid, shape, kernel=kernel)
        (values,) = resampler.apply(moffat(SHAPE, *sky_to_pixel(field, *sky), fwhm)[None])
        total[resampler.window] += np.nan_to_num(values[0])
        count[resampler.window] += np.isfinite(values[0])
    place = sky_to_pixel(grid, *sky)
    found = measured(total / np.where(count > 0, count, np.nan), *place, fwhm)
    expected = measured(moffat(shape, *place, fwhm), *place, fwhm)
    return found[0] / expected[0], *(found - expected)[1:3], found[3] / expected[3]


def deviations(kernel, rotation):
    """Flux ratios, centroid errors and FWHM ratios of stars of several widths and places."""
    steps = [(0.0, 0.0), (0.31, -0.22), (-0.45, 0.13)]
    stars = [mean_star(kernel, rotation, fwhm / 0.2, step) for fwhm in (0.6, 0.9) for step in steps]
    flux, dy, dx, width = np.transpose(stars)
    return flux, np.hypot(dy, dx), width


@pytest.mark.parametrize("rotation", [0.0, 20.0], ids=["dithers", "turned"])
def test_mean_of_noiseless_exposures_is_the_star(rotation):
    flux, centroid, width = deviations(Kernel(), rotation)
    assert np.abs(flux - 1).max() < 0.001
    assert centroid.max() < 0.01
    assert np.abs(width - 1).max() < 0.01


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_what_they_are_known_to_be(name):
    _, centroid, width = deviations(KERNELS[name], 0.0)
    fields, grid, shape = exposures(0.0)
    resamplers = [make_resampler(field, SHAPE, grid, shape, kernel=KERNELS[name]) for field in fields]
    noise = np.sqrt(np.mean([np.nanmedian(one.apply(ONES, ONES)[1]) ** 2 for one in resamplers]))
    correlation = noise_correlation(resamplers)
    weights = aperture_weights(SHAPE, 6.5, 6.5, 2.5)
    y, x = np.nonzero(weights)
    terms = weights[y, x][:, None]
    alone = np.ones((1, 1)) if correlation is None else correlation
    aperture = np.sqrt(correlated_variance(terms, y, x, alone)[0] / np.sum(terms**2))
    rms, ratio, spaxel, sums = TABLE[name]
    # other dithers and profiles: errors of a kernel's centroid follow the fractions of a spaxel that are met
    assert np.sqrt(np.mean(centroid**2)) == pytest.approx(rms, rel=0.5)
    assert width.mean() == pytest.approx(ratio, abs=0.012)
    # so does what a kernel averages, but not the noise of an aperture; drizzle there weighted by the overlap as well
    assert noise == pytest.approx(spaxel, abs=0.06)
    assert noise * aperture == pytest.approx(spaxel * sums, abs=0.06)
