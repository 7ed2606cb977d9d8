"""Cubes cut out of files: what is read back is what was there."""

from __future__ import annotations

import json
from pathlib import Path

import factories
import numpy as np
import pytest
from astropy.io import fits

from napari_kmos.errors import GeometryError, KmosError, WriteError
from napari_kmos.io import read_cube, read_exposure, write_cube, write_exposure
from napari_kmos.progress import Cancelled
from napari_kmos.recipes.crop import crop, parse_box
from napari_kmos.spatial.crop import SkyBox
from napari_kmos.spatial.wcs import pixel_to_sky


@pytest.fixture
def file(tmp_path: Path) -> Path:
    noise = np.random.default_rng(3).uniform(1, 2, (40, 13, 15)).astype(np.float32)
    cube = factories.make_cube(wcs=factories.make_wcs(rotation_deg=15.0), noise=noise)
    return write_cube(cube, tmp_path / "cube.fits")


def test_a_cut_in_wavelength_and_space_is_the_same_sky_and_light(file: Path, tmp_path: Path):
    whole = read_cube(file)
    ra, dec = pixel_to_sky(whole.wcs, 5.2, 8.9)
    box = SkyBox(ra=ra, dec=dec, width_arcsec=1.1, height_arcsec=0.7)
    outcome = crop(file, tmp_path / "new" / "cut.fits", wave_um=(2.1, 2.3), box=box)
    told = outcome.measured
    key = tuple(slice(*told[name]) for name in ("planes", "rows", "columns"))
    cut = read_cube(outcome.products[0])
    assert list(cut.shape) == told["shape"]
    np.testing.assert_array_equal(np.asarray(cut.flux), np.asarray(whole.flux)[key])
    np.testing.assert_array_equal(np.asarray(cut.noise), np.asarray(whole.noise)[key])
    inside = whole.wavelength_um[(whole.wavelength_um >= 2.1) & (whole.wavelength_um <= 2.3)]
    np.testing.assert_allclose(cut.wavelength_um, inside, rtol=1e-12)
    corner = told["rows"][0], told["columns"][0]
    assert pixel_to_sky(cut.wcs, 0, 0) == pytest.approx(pixel_to_sky(whole.wcs, *corner), abs=1e-10)
    assert (cut.name, cut.ifu, cut.unit, cut.exptime) == (whole.name, whole.ifu, whole.unit, whole.exptime)
    record = json.loads(outcome.extras[0].read_text())
    assert record["parameters"]["wave"] == "2.1-2.3"
    assert outcome.extras[0].name == "cut.json"
    assert "crop: cube.fits" in str(fits.getheader(outcome.products[0])["HISTORY"])


def test_an_ifu_of_an_exposure_becomes_a_combined_cube(tmp_path: Path):
    file = write_exposure(factories.make_exposure(shape=(20, 9, 11)), tmp_path / "exposure.fits")
    outcome = crop(file, tmp_path / "five.fits", ifu=5)
    with fits.open(outcome.products[0]) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "star5.DATA", "star5.NOISE"]
        assert hdus[0].header["ESO PRO CATG"] == "COMBINED_CUBE"
    made = read_exposure(outcome.products[0])
    assert (made.kind, made.cube().ifu, made.cube().name) == ("combined", 5, "star5")
    np.testing.assert_array_equal(np.asarray(made.cube().flux), np.asarray(read_cube(file, 5).flux))
    with pytest.raises(KmosError, match="3 cubes where one was expected"):
        crop(file, tmp_path / "any.fits", wave_um=(2.0, 2.2))


def test_what_lies_outside_or_is_not_asked_for_is_told(file: Path, tmp_path: Path):
    out = tmp_path / "cut.fits"
    with pytest.raises(GeometryError, match=r"no plane between 1\.1000 and 1\.2000 um"):
        crop(file, out, wave_um=(1.1, 1.2))
    with pytest.raises(KmosError, match=r"window 2\.2-2\.1 does not go upwards"):
        crop(file, out, wave_um=(2.2, 2.1))
    far = SkyBox(ra=factories.RA + 1, dec=factories.DEC, width_arcsec=1, height_arcsec=1)
    with pytest.raises(GeometryError, match="lies outside it"):
        crop(file, out, box=far)
    with pytest.raises(KmosError, match="nothing to cut"):
        crop(file, out)
    assert not out.exists()


def test_neither_the_input_nor_an_earlier_product_is_replaced(file: Path, tmp_path: Path):
    with pytest.raises(WriteError, match="is the input"):
        crop(file, file, wave_um=(2.1, 2.3), overwrite=True)
    (tmp_path / "cut.json").touch()
    with pytest.raises(WriteError, match=r"cut\.json: exists"):
        crop(file, tmp_path / "cut.fits", wave_um=(2.1, 2.3))
    crop(file, tmp_path / "cut.fits", wave_um=(2.1, 2.3), overwrite=True)


@pytest.mark.parametrize("name", ["cut.json", "cut.fits.gz", "cut.fits.FZ"])
def test_a_name_of_another_kind_of_file_is_refused(file: Path, tmp_path: Path, name: str):
    """The record would replace the cube, or a plain file pretend to be compressed."""
    with pytest.raises(WriteError, match=r"plain FITS.*ends in \.fits"):
        crop(file, tmp_path / name, wave_um=(2.1, 2.3))


def test_cancelled_it_leaves_nothing(file: Path, tmp_path: Path):
    def stop(done: int, total: int, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        crop(file, tmp_path / "sub" / "cut.fits", wave_um=(2.1, 2.3), progress=stop)
    assert not (tmp_path / "sub").exists()


@pytest.mark.parametrize(
    ("text", "ra", "dec"),
    [
        ("266.5,-29.25,4,3.5", 266.5, -29.25),
        ("17:46:00.0, -29:15:00, 4, 3.5", 266.5, -29.25),
        ("0:00:01,+0:00:36,4,3.5", 15 / 3600, 0.01),
    ],
)
def test_boxes_are_written_in_degrees_or_hours(text: str, ra: float, dec: float):
    box = parse_box(text)
    assert (box.ra, box.dec) == pytest.approx((ra, dec), abs=1e-9)
    assert (box.width_arcsec, box.height_arcsec) == (4.0, 3.5)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1,2,3", "box '1,2,3' is not understood; expected RA,DEC,WIDTH,HEIGHT"),
        ("1,2,3,a", "is not understood"),
        ("here,2,3,4", "is not understood"),
        ("1,95,3,4", "expected RA and Dec"),
        ("1,2,-3,4", "expected two positive numbers"),
        ("1,2,3,nan", "expected two positive numbers"),
    ],
)
def test_a_box_that_is_not_understood_is_told(text: str, match: str):
    with pytest.raises(KmosError, match=match):
        parse_box(text)
