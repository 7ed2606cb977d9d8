"""The part of a large image under an IFU, as a reference to align with."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from factories import DEC, RA

from napari_kmos.align import measure_offset
from napari_kmos.cube import Image
from napari_kmos.errors import GeometryError
from napari_kmos.recipes.sky_images import read_image_under
from napari_kmos.simulate.psf import moffat_images
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky, shift_wcs, sky_to_pixel

SHAPE = (14, 13)
#: An image of another telescope: finer pixels, another rotation, the IFU far from its middle.
WIDE, WIDE_SHAPE = make_wcs(RA, DEC, crpix=(620.0, 240.0), scale_arcsec=0.09, rotation_deg=70), (400, 700)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(3)
    east, north = rng.uniform(-4, 4, (2, 90))
    ra, dec = RA + east / 3600 / np.cos(np.deg2rad(DEC)), DEC + north / 3600
    flux = 50 + 3000 * rng.random(90) ** 4
    y, x = sky_to_pixel(WIDE, ra, dec)
    data = np.full(WIDE_SHAPE, 20.0) + rng.normal(0, 0.3, WIDE_SHAPE)
    near = slice(150, 330), slice(530, 700)
    images = moffat_images(y - 150, x - 530, (180, 170), fwhm_pix=0.4 / 0.09)
    data[near] += 0.2 * np.tensordot(flux, images, 1)
    data[:, :40] = 0.0
    header = WIDE.to_header()
    fits.PrimaryHDU(data.astype("f4"), header).writeto(folder / "hst.fits")
    hdus = [
        fits.PrimaryHDU(),
        fits.CompImageHDU(data.astype("f4"), header, quantize_level=0, compression_type="GZIP_1"),
    ]
    fits.HDUList(hdus).writeto(folder / "hst.fits.fz")
    return folder, ra, dec, flux


def exposure(files, error):
    """An IFU whose header is wrong by an error."""
    _, ra, dec, flux = files
    right = make_wcs(RA, DEC, crpix=(7.0, 7.5), rotation_deg=10)
    y, x = sky_to_pixel(right, ra, dec)
    data = np.tensordot(flux, moffat_images(y, x, SHAPE, fwhm_pix=3.6), 1)
    data += np.random.default_rng(1).normal(0, 2.0, SHAPE)
    return Image(data=data, noise=np.full(SHAPE, 2.0), wcs=shift_wcs(right, -error[0], -error[1]), ifu=3)


@pytest.mark.parametrize("name", ["hst.fits", "hst.fits.fz"])
def test_an_ifu_is_aligned_with_an_image_of_another_telescope(files, name):
    image = exposure(files, (0.31, -0.22))
    reference = read_image_under(files[0] / name, (image.wcs, SHAPE))
    assert max(reference.data.shape) < 200
    found = measure_offset(reference, image)
    assert found.accepted
    # an eighth of a spaxel: the seeing differs by a factor of two
    assert (found.dra_arcsec, found.ddec_arcsec) == pytest.approx((0.31, -0.22), abs=0.025)


def test_image_of_another_place(files):
    field = (make_wcs(RA + 0.1, DEC, crpix=(7, 7)), SHAPE)
    with pytest.raises(GeometryError, match=r"hst\.fits\[0\]: does not cover RA 266\.51000, Dec -28\.9"):
        read_image_under(files[0] / "hst.fits", field)
    border = (make_wcs(*WIDE.wcs_pix2world(0, 200, 0), crpix=(7, 7)), SHAPE)
    with pytest.raises(GeometryError, match=r"hst\.fits\[0\]: has no data at RA"):
        read_image_under(files[0] / "hst.fits", border, reach_arcsec=0.5)


def test_the_part_about_several_fields_is_read_and_all_of_it_without_any(files):
    near, far = (shift_wcs(WIDE[y : y + 10, x : x + 20], 0, 0) for y, x in ((160, 540), (300, 620)))
    off = shift_wcs(near, 0, 600)
    part = read_image_under(files[0] / "hst.fits", *((wcs, (10, 20)) for wcs in (near, off, far)), reach_arcsec=0.9)
    rows, columns = part.data.shape
    assert (150 <= rows <= 174, 100 <= columns <= 124) == (True, True)  # both, and 10 pixels about them
    assert sky_to_pixel(part.wcs, *pixel_to_sky(near, 0.0, 0.0)) == pytest.approx((10, 10), abs=1.01)
    assert read_image_under(files[0] / "hst.fits").data.shape == WIDE_SHAPE
