"""The mean of noiseless exposures: stars keep flux, place and width; where others define the same, they agree."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from factories import DEC, RA

from napari_kmos.combine import CombineParameters, combine_cubes
from napari_kmos.cube import Cube
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.apertures import aperture_weights
from napari_kmos.spatial.centroid import fit_centroid
from napari_kmos.spatial.wcs import make_wcs, offset_arcsec, pixel_to_pixel, pixel_to_sky, sky_to_pixel

SHAPE = (14, 16)
SPAXEL_ARCSEC = 0.2
N_EXPOSURES, N_STARS = 8, 12
FLUX = 1000.0
#: Within it a star is measured, in spaxels.
RADIUS = 4.0


def seen(wcs, shape, stars):
    """Return stars as they are seen through spaxels, one a plane: (RA, Dec, FWHM in spaxels)."""
    images = []
    for ra, dec, fwhm in stars:
        y, x = (np.atleast_1d(one) for one in sky_to_pixel(wcs, ra, dec))
        images.append(FLUX * moffat_images(y, x, shape, fwhm_pix=fwhm)[0])
    return np.stack(images)


@pytest.fixture(params=[0.0, 20.0], ids=["dithers", "turned"])
def exposures(request):
    """Exposures by dithers of up to 2 spaxels, all but the first turned; and the stars, 0.6 to 0.9 arcsec wide."""
    rng = np.random.default_rng(8)
    frame = make_wcs(RA, DEC, crpix=(1.0, 1.0), scale_arcsec=SPAXEL_ARCSEC)
    places = np.transpose(pixel_to_sky(frame, *rng.uniform(-1.5, 1.5, size=(2, N_STARS))))
    stars = [(*place, fwhm) for place, fwhm in zip(places, np.linspace(3.0, 4.5, N_STARS), strict=True)]
    cubes = []
    for number in range(N_EXPOSURES):
        y, x = (np.array(SHAPE) + 1) / 2 + rng.uniform(-2, 2, size=2)
        wcs = make_wcs(RA, DEC, crpix=(x, y), rotation_deg=request.param if number else 0.0)
        flux = seen(wcs, SHAPE, stars).astype(np.float32)
        wavelength = np.linspace(1.95, 2.45, N_STARS) * u.um
        cubes.append(Cube(flux=flux, noise=np.ones_like(flux), wavelength=wavelength, wcs=wcs))
    return cubes, stars


@pytest.mark.parametrize("cmethod", ["average", "ksigma"])
def test_stars_keep_flux_place_and_width(exposures, cmethod):
    cubes, stars = exposures
    combined = combine_cubes(cubes, parameters=CombineParameters(cmethod=cmethod)).cube
    truth = seen(combined.wcs, combined.shape[1:], stars)
    for image, right, (ra, dec, _) in zip(np.asarray(combined.flux), truth, stars, strict=True):
        y, x = (float(one) for one in sky_to_pixel(combined.wcs, ra, dec))
        weights = aperture_weights(image.shape, y, x, RADIUS)
        # what the project promises; a spline leaves a third of it, and ksigma takes values from the steepest flanks
        assert np.nansum(weights * image) == pytest.approx((weights * right).sum(), rel=0.001)
        fit, expected = (fit_centroid(one, start=(y, x), radius_pix=RADIUS) for one in (image, right))
        found = pixel_to_sky(combined.wcs, fit.y, fit.x)
        assert np.hypot(*offset_arcsec(ra, dec, *found)) < 0.01 * SPAXEL_ARCSEC
        assert fit.fwhm_pix == pytest.approx(expected.fwhm_pix, rel=0.01)


#: Interpolation along straight lines, and shares of areas, are one formula: only the rounding of float32 is left. A
#: spline depends a little on what is assumed beyond the edge of an exposure.
@pytest.mark.parametrize(
    ("kernel", "name", "order", "tolerance"),
    [
        ("linear", "reproject_interp", {"order": "bilinear"}, 1e-5),
        ("spline", "reproject_interp", {"order": "bicubic"}, 1e-3),
        ("drizzle", "reproject_exact", {}, 1e-5),
    ],
)
def test_mean_is_that_of_reproject(exposures, kernel, name, order, tolerance):
    reproject = pytest.importorskip("reproject")
    if kernel == "drizzle":
        pytest.importorskip("drizzle")
    cubes = [
        Cube(flux=cube.flux[:2], noise=cube.noise[:2], wavelength=cube.wavelength[:2], wcs=cube.wcs)
        for cube in exposures[0]
    ]
    combined = combine_cubes(cubes, parameters=CombineParameters(cmethod="average", kernel=kernel, flux=False)).cube
    by_other = getattr(reproject, name)
    others = [
        [
            by_other((plane.astype(float), cube.wcs), combined.wcs, shape_out=combined.shape[1:], **order)[0]
            for plane in cube.flux
        ]
        for cube in cubes
    ]
    inner = np.ones(combined.shape[1:], dtype=bool)
    for cube in cubes:
        for place, length in zip(pixel_to_pixel(combined.wcs, cube.wcs, *np.indices(inner.shape)), SHAPE, strict=True):
            inner &= (place >= 2) & (place <= length - 3)
    assert inner.sum() > 20
    found, expected = np.asarray(combined.flux)[:, inner], np.mean(others, axis=0)[:, inner]
    np.testing.assert_allclose(found, expected, atol=tolerance * expected.max())
