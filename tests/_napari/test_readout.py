import dataclasses

import factories
import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from napari_kmos._napari.readout import Readout, seen_text
from napari_kmos.cube import Image


def read(product=None, **changes) -> Readout:
    facts = {"spaxel": (5, 9), "sky": (266.41683, -29.00781), "seen": "2.16612 µm", "value": 12.345678}
    return Readout(**{"product": product or factories.make_cube(name="NGC", ifu=7), **facts, **changes})


def test_a_line_says_ifu_spaxel_sky_wavelength_and_flux():
    assert str(read()) == (
        "IFU 7 NGC [y=5 x=9]  17:45:40.04 -29:00:28.1 (266.41683, -29.00781)  2.16612 µm  12.346 adu s⁻¹"
    )


def test_a_line_leaves_out_what_is_not_known():
    mosaic = dataclasses.replace(factories.make_cube(name="mosaic"), ifu=None, unit=None)
    assert str(read(mosaic, value=np.nan)).startswith("mosaic [y=5 x=9]  17:45")
    assert str(read(mosaic, value=np.nan)).endswith("  no data")
    assert read(mosaic, value=-3e-18).flux == "-3e-18"
    image = Image(data=np.zeros((2, 3)), wcs=factories.make_wcs(), unit=u.Jy)
    assert str(read(image, seen="", value=1)) == "[y=5 x=9]  17:45:40.04 -29:00:28.1 (266.41683, -29.00781)  1 Jy"


@pytest.mark.parametrize("ra", [0.0, 0.00416, 10.99999999, 266.41683, 359.99999])
@pytest.mark.parametrize("dec", [-0.0001, 0.0, 59.99999, -89.5])
def test_the_two_ways_of_writing_a_position_agree(ra: float, dec: float):
    hours, degrees, *_ = read(sky=(ra, dec)).place.split()
    found = SkyCoord(hours, degrees, unit=("hourangle", "deg"))
    # The last digits stand for 0.15 and 0.1 arcsec, and are rounded.
    assert found.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 0.1


def test_the_wavelength_is_that_of_the_plane():
    cube = factories.make_cube()
    assert seen_text(cube, 3) == f"{cube.wavelength_um[3]:.5f} µm"
    assert seen_text(cube, 3, n_planes=11) == f"{cube.wavelength_um[3]:.5f} µm (11 planes)"
    assert seen_text(cube, cube.shape[0]) == ""
