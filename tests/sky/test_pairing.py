"""Which sky belongs to which object."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.time import Time
from factories import make_cube, make_exposure

from napari_kmos.errors import GeometryError, KmosWarning, SkyError
from napari_kmos.sky import check_sky, choose_sky_cube, nearest_sky


def _exposure(mjd=59000.0, *, name="sky", band="K", ifus=(3, 5, 22), **cube):
    exposure = make_exposure(ifus=ifus, **cube)
    date = None if mjd is None else Time(mjd, format="mjd")
    return dataclasses.replace(exposure, band=band, date=date, object_name=name)


def _without_data(exposure, ifu):
    arms = tuple(
        dataclasses.replace(arm, cube=dataclasses.replace(arm.cube, flux=np.full(arm.cube.shape, np.nan)))
        if arm.number == ifu
        else arm
        for arm in exposure.arms
    )
    return dataclasses.replace(exposure, arms=arms)


def test_nearest_in_time_is_taken_and_of_equals_the_earlier():
    target = _exposure(59000.5, name="object")
    skies = [_exposure(mjd) for mjd in (59000.0, 59000.6, 59000.4, 58999.0)]
    assert nearest_sky(target, skies) is skies[2]
    assert nearest_sky(target, skies[::-1]) is skies[2]


def test_only_skies_of_the_same_band_count():
    target = _exposure(59000.5, name="object")
    near, far = _exposure(59000.5, band="H"), _exposure(59090.0)
    assert nearest_sky(target, [near, far]) is far
    assert nearest_sky(dataclasses.replace(target, band=""), [near]) is near
    with pytest.raises(SkyError, match=r"object: band K; skies given: dark \(H\). Give a sky of the same band"):
        nearest_sky(target, [dataclasses.replace(near, object_name="dark")])


def test_dates_are_needed_only_to_choose():
    target, sky = _exposure(None, name="object"), _exposure()
    assert nearest_sky(target, [sky]) is sky
    with pytest.raises(SkyError, match="object: no date, so that the nearest of 2 skies cannot be chosen"):
        nearest_sky(target, [sky, sky])


def test_same_ifu_is_taken():
    sky = _exposure()
    assert choose_sky_cube(make_cube(ifu=22), sky) is sky.cube(22)


def test_nearest_ifu_of_the_same_detector_stands_in_with_a_warning():
    sky = _exposure(ifus=(2, 4, 7, 9))
    with pytest.warns(KmosWarning, match=r"IFU 8 target: sky has no data in this IFU; the sky of IFU 7 is used"):
        assert choose_sky_cube(make_cube(ifu=8), sky) is sky.cube(7)
    with pytest.warns(KmosWarning, match="the sky of IFU 4 is used"):
        assert choose_sky_cube(make_cube(ifu=7), _without_data(sky, 7)) is sky.cube(4)


@pytest.mark.parametrize("shape", [(40, 13, 15), (40, 9, 9)])
def test_no_sky_on_the_detector_is_told(shape):
    sky = _exposure(ifus=(9, 16) if shape == (40, 13, 15) else (1, 2))
    with pytest.raises(SkyError, match=r"sky has no sky in IFU 8 or another IFU of its detector; IFUs there: "):
        choose_sky_cube(make_cube(ifu=8, shape=shape), sky)


def test_sky_of_the_detector_in_another_shape_is_told():
    with pytest.raises(SkyError, match=r"IFUs there: 1, 2 \(that of IFU 2 has shape \(.*\), not \(40, 9, 9\)\)"):
        choose_sky_cube(make_cube(ifu=8, shape=(40, 9, 9)), _exposure(ifus=(1, 2)))


def test_headers_tell_whether_there_is_a_sky():
    sky = _exposure(ifus=(3, 5, 22), seed=2)
    check_sky(_exposure(name="object"), [make_cube(ifu=ifu) for ifu in (3, 8, 24)], sky)
    without_data = _without_data(_exposure(ifus=(9,)), 9).cube(9)
    check_sky(_exposure(name="object"), [without_data], sky)
    with pytest.raises(SkyError, match="no sky in IFU 9 or another IFU of its detector"):
        check_sky(_exposure(name="object"), [make_cube(ifu=3), make_cube(ifu=9)], sky)


def test_headers_tell_whether_the_sky_fits():
    """Before anything is computed; cubes without data need no sky."""
    sky = _exposure(ifus=(3, 22), seed=2)
    with pytest.raises(GeometryError, match=r"object .*IFU 3 .* has shape \(40, 9, 9\) and sky .*they must be equal"):
        check_sky(_exposure(name="object"), [make_cube(ifu=22), make_cube(ifu=3, shape=(40, 9, 9))], sky)
    without_data = dataclasses.replace(make_cube(ifu=3, shape=(40, 9, 9)), flux=np.full((40, 9, 9), np.nan))
    check_sky(_exposure(name="object"), [without_data], sky)


def test_a_copy_of_the_object_is_no_sky():
    """What other IFUs saw in the same exposure is one, and so is what began at the same time but looks different."""
    target = _exposure(name="object", ifus=(3, 22))
    with pytest.raises(SkyError, match=r"object: copy is the same exposure .* give the exposure of the sky"):
        check_sky(target, [make_cube(ifu=3)], _exposure(name="copy", ifus=(3, 22)))
    check_sky(target, [make_cube(ifu=3)], _exposure(ifus=(5, 7)))
    check_sky(target, [make_cube(ifu=3)], _exposure(ifus=(3, 22), sigma=2.0))


def test_a_sky_without_data_is_said_to_be_so():
    """It is in the file, and the reader would look for it there."""
    sky = _without_data(_exposure(ifus=(3, 22)), 3)
    with pytest.raises(SkyError, match=r"IFUs there: 3, 22 \(IFU 3 .*: no data, all NaN\)"):
        choose_sky_cube(make_cube(ifu=3), sky)


def test_cube_that_does_not_tell_its_ifu_takes_the_only_sky():
    cube = make_cube(ifu=None)
    sky = _exposure(ifus=(6,))
    assert choose_sky_cube(cube, sky) is sky.cube(6)
    with pytest.raises(SkyError, match="no sky that belongs to it; IFUs there: 3, 5, 22"):
        choose_sky_cube(cube, _exposure())
