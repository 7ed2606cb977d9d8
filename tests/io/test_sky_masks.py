"""Sky masks as files: shown and changed by other programs, and refused with reasons."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from factories import make_cube, make_exposure

from napari_kmos.errors import GeometryError, KmosError, NotKmosError, WriteError
from napari_kmos.exposure import Arm, Exposure
from napari_kmos.io import read_sky_mask, write_sky_mask
from napari_kmos.provenance import Step

SHAPE = (6, 9, 11)


@pytest.fixture(scope="module")
def exposure():
    return make_exposure(ifus=(3, 22), shape=SHAPE)


@pytest.fixture(scope="module")
def masks():
    rng = np.random.default_rng(1)
    return {ifu: rng.random(SHAPE[1:]) < 0.7 for ifu in (3, 22)}


@pytest.fixture
def file(masks, exposure, tmp_path):
    return write_sky_mask(masks, tmp_path / "mask.fits", exposure=exposure, step=Step(name="sky-mask"))


def test_what_is_written_is_read(file, masks, exposure):
    found = read_sky_mask(file, exposure=exposure)
    assert list(found) == [3, 22]
    assert all(found[ifu].dtype == bool and np.array_equal(found[ifu], masks[ifu]) for ifu in masks)


def test_layout_is_images_of_ones_and_zeros_on_the_sky(file, masks, exposure):
    with fits.open(file, checksum=True) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "IFU.3.MASK", "IFU.22.MASK"]
        assert hdus[0].data is None
        assert hdus[0].header["ESO PRO CATG"] == "SKY_MASK"
        assert "sky-mask" in str(hdus[0].header["HISTORY"])
        image = hdus["IFU.22.MASK"]
        assert image.data.dtype == np.uint8
        assert np.array_equal(image.data, masks[22])
        assert image.header["ESO PRO IFUNR"] == 22
        wcs = WCS(image.header)
    place = np.array(exposure.cube(22).wcs.pixel_to_world_values(3.0, 7.0))
    assert np.array(wcs.pixel_to_world_values(3.0, 7.0)) == pytest.approx(place, abs=1e-9)


@pytest.mark.parametrize("stored", [np.int16, np.int32, np.float32, np.float64])
def test_numbers_of_any_kind_are_read(file, masks, stored):
    """Editors of images write what they like."""
    with fits.open(file) as hdus:
        changed = [fits.ImageHDU(hdu.data.astype(stored), name=hdu.name) for hdu in hdus[1:]]
        fits.HDUList([fits.PrimaryHDU(), *changed]).writeto(file, overwrite=True)
    assert np.array_equal(read_sky_mask(file)[3], masks[3])


def test_edited_by_hand_and_read_back(file, masks, exposure):
    with fits.open(file, mode="update") as hdus:
        hdus["IFU.3.MASK"].data[4:7, 5:8] = 0
    expected = masks[3].copy()
    expected[4:7, 5:8] = False
    assert np.array_equal(read_sky_mask(file, exposure=exposure)[3], expected)


def test_other_numbers_are_refused(file):
    with fits.open(file, mode="update") as hdus:
        hdus["IFU.3.MASK"].data[2, 5] = 2
    with pytest.raises(KmosError, match=r"IFU\.3\.MASK.*1 spaxels .*\(2\); expected 1 where a spaxel shows"):
        read_sky_mask(file)


def test_nan_is_refused(file):
    with fits.open(file) as hdus:
        data = hdus["IFU.3.MASK"].data.astype(np.float32)
    data[0, 1] = np.nan
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="IFU.3.MASK")]).writeto(file, overwrite=True)
    with pytest.raises(KmosError, match=r"1 spaxels are neither 0 nor 1 \(nan\)"):
        read_sky_mask(file)


def test_missing_ifu_and_wrong_shape_are_refused(masks, exposure, tmp_path):
    one = write_sky_mask({22: masks[22]}, tmp_path / "one.fits", exposure=exposure)
    with pytest.raises(KmosError, match=r"one\.fits: no mask for IFU 3 star3 of field; IFUs there: 22\. Give a mask"):
        read_sky_mask(one, exposure=exposure)
    other = make_exposure(ifus=(3, 22), shape=(6, 9, 12))
    both = write_sky_mask(masks, tmp_path / "both.fits", exposure=exposure)
    with pytest.raises(GeometryError, match=r"mask of IFU 3 star3 has shape \(9, 11\) \(y, x\), its cube \(9, 12\)"):
        read_sky_mask(both, exposure=other)
    with pytest.raises(GeometryError, match=r"sky mask of IFU 3 star3 has shape \(9, 11\)"):
        write_sky_mask(masks, tmp_path / "new.fits", exposure=other)
    assert not (tmp_path / "new.fits").exists()


def test_files_without_masks_are_refused(tmp_path):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((9, 11)), name="image.DATA")]).writeto(tmp_path / "a.fits")
    with pytest.raises(KmosError, match=r"a\.fits: no sky mask in it: IMAGE\.DATA; expected images IFU\.<n>\.MASK"):
        read_sky_mask(tmp_path / "a.fits")
    (tmp_path / "b.fits").write_text("0 1 1 0")
    with pytest.raises(NotKmosError, match=r"b\.fits: not a FITS file"):
        read_sky_mask(tmp_path / "b.fits")


def test_existing_file_is_kept(file, masks, exposure):
    with pytest.raises(WriteError, match="exists already"):
        write_sky_mask(masks, file, exposure=exposure)
    write_sky_mask({ifu: ~mask for ifu, mask in masks.items()}, file, exposure=exposure, overwrite=True)
    assert np.array_equal(read_sky_mask(file)[3], ~masks[3])


def test_cube_without_number_has_the_mask_of_its_target(tmp_path):
    cube = dataclasses.replace(make_cube(shape=SHAPE), ifu=None)
    exposure = Exposure(arms=(Arm(number=None, name="target", cube=cube),), kind="combined")
    mask = np.random.default_rng(2).random(SHAPE[1:]) < 0.5
    file = write_sky_mask({None: mask}, tmp_path / "mask.fits", exposure=exposure)
    with fits.open(file) as hdus:
        assert hdus[1].name == "target.MASK"
    assert np.array_equal(read_sky_mask(file, exposure=exposure)[None], mask)
