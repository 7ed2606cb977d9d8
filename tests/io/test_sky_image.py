"""Images of the sky by others: the right extension, the right part, nothing else read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from factories import DEC, RA

from napari_kmos.errors import KmosWarning, NotKmosError
from napari_kmos.io import open_sky_image
from napari_kmos.io._array import FitsArray
from napari_kmos.spatial.wcs import make_wcs, pixel_to_sky

SHAPE = (40, 57)


def _data(dtype: str = "f4") -> np.ndarray:
    y, x = np.indices(SHAPE)
    return (100 * y + x + 1).astype(dtype)


def _header() -> fits.Header:
    return make_wcs(RA, DEC, crpix=(20.0, 30.0), scale_arcsec=0.13, rotation_deg=20).to_header()


def _write(path: Path, how: str) -> Path:
    """Write an image in one of the ways in which observatories do."""
    data, header = _data(), _header()
    image = fits.ImageHDU(data, header, name="SCI")
    plain = fits.ImageHDU(_data(), name="WEIGHT")
    if how == "primary":
        hdus = [fits.PrimaryHDU(data, header), plain]
    elif how == "extension":
        hdus = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns([]), plain, image]
    elif how == "compressed":
        hdus = [fits.PrimaryHDU(), fits.CompImageHDU(data, header, name="SCI", compression_type="GZIP_1")]
    elif how == "axes of one element":
        hdus = [fits.PrimaryHDU(data[None, None], header)]
    elif how == "integers":
        hdus = [fits.PrimaryHDU(_data("i2"), header)]
    else:
        hdus = [fits.PrimaryHDU(data, header)]
    if how == "gzip":
        packed = path.with_suffix(".fits.gz")
        fits.HDUList(hdus).writeto(path)
        packed.write_bytes(gzip.compress(path.read_bytes()))
        return packed
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.filterwarnings("ignore:.*unpacked:napari_kmos.errors.KmosWarning")
@pytest.mark.parametrize("how", ["primary", "extension", "compressed", "axes of one element", "integers", "gzip"])
def test_part_of_an_image_is_where_the_whole_has_it(tmp_path: Path, how: str) -> None:
    opened = open_sky_image(_write(tmp_path / "hst.fits", how))
    assert (opened.shape, opened.name) == (SHAPE, "hst")
    part = opened.cut(slice(7, 20), slice(3, 45))
    np.testing.assert_array_equal(part.data, _data()[7:20, 3:45])
    assert pixel_to_sky(part.wcs, 2.0, 5.0) == pytest.approx(pixel_to_sky(opened.wcs, 9.0, 8.0), abs=1e-12)
    truth = make_wcs(RA, DEC, crpix=(20.0, 30.0), scale_arcsec=0.13, rotation_deg=20)
    # A header in text keeps 12 digits.
    assert pixel_to_sky(part.wcs, 2.0, 5.0) == pytest.approx(pixel_to_sky(truth, 9.0, 8.0), abs=1e-9)


def test_zeros_of_mosaics_are_no_data_and_counts_keep_theirs(tmp_path: Path) -> None:
    data = _data()
    data[:, :4] = 0
    fits.PrimaryHDU(data, _header()).writeto(tmp_path / "real.fits")
    fits.PrimaryHDU(data.astype("i4"), _header()).writeto(tmp_path / "counts.fits")
    parts = [
        open_sky_image(tmp_path / name).cut(slice(0, 9), slice(2, 6)).data for name in ("real.fits", "counts.fits")
    ]
    assert np.isnan(parts[0]).sum() == 18
    assert (parts[1] == 0).sum() == 18


def test_only_the_part_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    read = FitsArray.__getitem__
    monkeypatch.setattr(FitsArray, "__getitem__", lambda array, key: asked.append(key) or read(array, key))
    opened = open_sky_image(_write(tmp_path / "vvv.fits", "primary"))
    assert asked == []
    opened.cut(slice(1, 3), slice(4, 9))
    assert asked == [(slice(1, 3), slice(4, 9))]


def test_image_without_world_coordinates(tmp_path: Path) -> None:
    plain = fits.ImageHDU(_data(), name="PICTURE")
    cube = fits.ImageHDU(np.zeros((3, *SHAPE), dtype="f4"), _header(), name="CUBE")
    fits.HDUList([fits.PrimaryHDU(), plain, cube]).writeto(tmp_path / "a.fits")
    match = r"a\.fits: no image with world coordinates: PICTURE: CTYPE1 is ''.*CUBE has 3 axes; expected two axes"
    with pytest.raises(NotKmosError, match=match):
        open_sky_image(tmp_path / "a.fits")
    fits.PrimaryHDU().writeto(tmp_path / "b.fits")
    with pytest.raises(NotKmosError, match=r"b\.fits: no image with world coordinates: no pixels at all"):
        open_sky_image(tmp_path / "b.fits")
    (tmp_path / "c.fits").write_text("text")
    with pytest.raises(NotKmosError, match=r"c\.fits"):
        open_sky_image(tmp_path / "c.fits")


def test_distortion_is_told(tmp_path: Path) -> None:
    header = _header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    fits.PrimaryHDU(_data(), header).writeto(tmp_path / "a.fits")
    with pytest.warns(KmosWarning, match="distortion of its field .SIP. is not applied"):
        open_sky_image(tmp_path / "a.fits")
